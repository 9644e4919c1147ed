"""The step of a text-conditioned model in float64 NumPy, from the equations; it shares no code with the package.

`mistake` introduces a mistake that people make when they port such models, so that a test can show that it notices it.
"""

import math

import numpy as np

REACH, SPAN, START, CLOSEST = 3.0, 10.0, -0.5, 0.05
MISTAKES = (
    "decoder reads the updated h",
    "the mean is fed back",
    "the mean is written",
    "the carried state is one step late",
    "the seed frame is left in the output",
    "the noise is uniform",
    "the latent is drawn in every frame",
    "the reader reads no window",
    "the writer reads the old window",
    "the writer reads the old h of the reader",
    "the attention reads the old h of the reader",
    "the position begins at the first character",
    "the position moves after it is read",
)


class TextOracle:
    """A model's weights as float64 arrays, and its step for one text (indices)."""

    def __init__(self, model, text, mistake=None):
        self.weights = {name: value.numpy().astype(np.float64) for name, value in model.state_dict().items()}
        self.text, self.mistake, self.k = text, mistake, model.config.components
        self.gaussians, reader = model.text.gaussians, model.text.reader_size
        writer = model.config.recurrent_size - reader
        self.h = [np.zeros(reader), np.zeros(writer)]
        self.c = [np.zeros(reader), np.zeros(writer)]
        self.late = self.h, self.c
        self.window, self.position = np.zeros(model.text.embedding), START
        if mistake == "the position begins at the first character":
            self.position = 0.0
        self.latent, self.last = None, np.zeros(3)
        self.attention = np.zeros(len(text))

    def affine(self, name, x):
        y = self.weights[f"{name}.weight"] @ x
        return y + self.weights[f"{name}.bias"] if f"{name}.bias" in self.weights else y

    def phi_z(self, z):
        return np.maximum(self.affine("phi_z.0", z), 0)

    def cell(self, name, x, h, c, z):
        gates = self.affine(f"{name}_from_x", x) + self.affine(f"{name}_from_z", self.phi_z(z))
        i, f, o, g = np.split(gates + self.weights[f"{name}_recurrent"] @ h, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    def look(self, position, weight, offset, sharpness):
        found = []
        for u in range(len(self.text)):
            centres = position + REACH * np.tanh(offset)
            bumps = np.exp(-np.exp(sharpness) * ((centres - u) ** 2 + CLOSEST**2))
            mix = np.exp(weight) / np.exp(weight).sum()
            found.append(mix @ bumps if abs(position - u) < SPAN else 0.0)
        return np.array(found)

    def advance(self, x, z):
        """Advance both layers by a new point and z."""
        (h1, h2), (c1, c2), before = self.h, self.c, self.window
        seen = np.zeros_like(before) if self.mistake == "the reader reads no window" else before
        new_h1, new_c1 = self.cell("reader", x, np.append(h1, seen), c1, z)
        reads = h1 if self.mistake == "the attention reads the old h of the reader" else new_h1
        k = self.gaussians
        raw = self.affine("window.heads", reads)
        moved = self.position + math.exp(raw[-1])
        place = self.position if self.mistake == "the position moves after it is read" else moved
        self.attention = self.look(place, raw[:k], raw[k : 2 * k], raw[2 * k : 3 * k])
        self.window = self.attention @ self.weights["window.embedding.weight"][self.text]
        self.position = moved
        shown = before if self.mistake == "the writer reads the old window" else self.window
        below = h1 if self.mistake == "the writer reads the old h of the reader" else new_h1
        new_h2, new_c2 = self.cell("writer", np.concatenate([x, shown, below]), h2, c2, z)
        after = [new_h1, new_h2], [new_c1, new_c2]
        self.h, self.c = self.late if self.mistake == "the carried state is one step late" else after
        self.late = after

    def sample(self, z, h, noise, mixture, temperature):
        """Return a point, and the mean of its component."""
        joined = self.affine("decoder.stack.project", self.phi_z(z)) + self.affine("decoder.stack.from_h", h)
        raw, k = self.affine("decoder.output.head", np.maximum(joined, 0)), self.k
        pen, weights, mean, std, rho = np.split(raw, np.cumsum([1, k, 2 * k, 2 * k]))
        uniform = np.array([0.5 * (1 + math.erf(n / math.sqrt(2))) for n in np.append(mixture, noise[-1])])
        best = np.argmax(weights - np.log(-np.log(uniform[:-1])))
        mean, rho = mean.reshape(k, 2)[best], 0.999 * np.tanh(rho[best])
        std = np.logaddexp(0, std.reshape(k, 2)[best]) + 1e-4
        unit = np.array([noise[0], rho * noise[0] + math.sqrt(1 - rho**2) * noise[1]])
        up = float(uniform[-1] < sigmoid(pen[0]))
        return np.append(mean + temperature * std * unit, up), np.append(mean, up)

    def generate(self, latent_noise, noise, mixture, temperature=1.0):
        """Return one generated point, normalised, and advance the state."""
        if self.mistake == "the noise is uniform":
            latent_noise, noise = (
                np.array([0.5 * (1 + math.erf(n / math.sqrt(2))) for n in part]) for part in (latent_noise, noise)
            )
        if self.latent is None or self.mistake == "the latent is drawn in every frame":
            self.latent = latent_noise
        z = self.latent
        h = np.concatenate(self.h)
        if self.mistake == "decoder reads the updated h":
            kept = self.h, self.c, self.window, self.position
            self.advance(self.last, z)
            h = np.concatenate(self.h)
            self.h, self.c, self.window, self.position = kept
        x, mean = self.sample(z, h, noise, mixture, temperature)
        self.advance(mean if self.mistake == "the mean is fed back" else x, z)
        out = {"the seed frame is left in the output": self.last, "the mean is written": mean}.get(self.mistake, x)
        self.last = x
        return out


def sigmoid(a):
    return 1 / (1 + np.exp(-a))
