"""An oracle: the step of every family in float64 NumPy, written from the equations, without code of the package.

`mistake` introduces one of the known mistakes of ports of this model, so that a test can show that it would notice it.
"""

import itertools
import math

import numpy as np
from scipy import signal

MISTAKES = (
    "decoder reads the updated h",
    "prior reads the updated h",
    "z is paired with the previous x",
    "the mean is fed back",
    "the mean is written",
    "the latent is drawn from the posterior",
    "the carried state is one step late",
    "the seed frame is left in the output",
    "the noise is uniform",
)
LATENT_MISTAKES = (
    "prior reads the updated h",
    "z is paired with the previous x",
    "the latent is drawn from the posterior",
)
"""Mistakes that need latents; the first and the last also need a prior other than N(0, I)."""


class Oracle:
    """A model's weights as float64 arrays, its state and its step."""

    def __init__(self, model, mistake=None):
        self.weights = {name: value.numpy().astype(np.float64) for name, value in model.state_dict().items()}
        self.config, self.mistake = model.config, mistake
        size = model.config.recurrent_size
        self.state = self.late = (np.zeros(size), np.zeros(size))
        self.last_x = np.zeros(model.config.frame_size)
        self.past = []  # newest first
        self.kind = model.config.family.rpartition("-")[0]
        self.last_z = np.zeros(model.config.latent_size)

    def affine(self, name, x):
        y = self.weights[f"{name}.weight"] @ x
        return y + self.weights[f"{name}.bias"] if f"{name}.bias" in self.weights else y

    def stack(self, name, x, layers):
        for i in range(len(layers)):
            x = np.maximum(self.affine(f"{name}.{2 * i}", x), 0)
        return x

    def joint(self, name, a, h, layers):
        x = np.maximum(self.affine(f"{name}.project", a) + self.affine(f"{name}.from_h", h), 0)
        return self.stack(f"{name}.rest", x, layers[1:])

    def normal(self, name, x):
        mean, raw = np.split(self.affine(f"{name}.both", x), 2)
        return mean, np.logaddexp(0, raw) + 1e-4

    def phi_x(self, x):
        if self.config.source_filter:
            return self.stack("phi_x", self.analyse(x), self.config.phi_x)
        k = self.config.input_compression
        return self.stack("phi_x", np.sign(x) * np.log1p(k * np.abs(x)) if k else x, self.config.phi_x)

    def phi_z(self, z):
        return self.stack("phi_z", z, self.config.phi_z)

    def condition(self, h):
        return np.append(h, self.last_z) if self.kind == "srnn" else h

    def prior(self, h):
        if self.kind in ("rnn", "vrnn-i"):
            return np.zeros(self.config.latent_size), np.ones(self.config.latent_size)
        return self.normal("prior.head", self.stack("prior.stack", self.condition(h), self.config.prior))

    def posterior(self, x, h):
        if self.kind == "rnn":
            return np.zeros(0), np.ones(0)
        read = self.joint("encoder.stack", self.phi_x(x), self.condition(h), self.config.encoder)
        return self.normal("encoder.head", read)

    def recur(self, x, z, state):
        h, c = state
        gates = self.affine("recurrence.from_x", self.phi_x(x)) + self.affine("recurrence.from_h", h)
        if self.kind in ("vrnn", "vrnn-i"):
            gates = gates + self.affine("recurrence.from_z", self.phi_z(z))
        i, f, o, g = np.split(gates, 4)
        sigmoid = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    def analyse(self, x):
        """Return the log spectrum of the last two frames, the log levels of the frame's parts, and the periodicity."""
        size, c = len(x), self.config.source_filter
        both = np.append(self.past[0] if self.past else np.zeros(size), x)
        window = np.sin(np.pi * (np.arange(2 * size) + 0.5) / (2 * size))
        spectrum = np.abs(np.fft.fft(both * window))[:size] ** 2 / size
        levels = [np.mean(np.square(part)) for part in np.split(x, c.levels)]
        power = np.append(spectrum, levels)
        return np.append(0.25 * np.log(power + 1e-5) + 1, self.periodicity(both))

    def periodicity(self, both):
        """Return the periodicity of the second half of `both`, without emphasis, from the longest period on."""
        c, size, found = self.config.source_filter, len(both) // 2, []
        if self.config.emphasis:
            e = self.config.emphasis
            poles = {f: signal.butter(e.order, f, output="zpk", fs=1)[1] for f in (e.lower, e.upper)}
            both = signal.lfilter(np.poly(poles[e.lower]).real, np.poly(poles[e.upper]).real, both)
        for period in range(c.longest, c.shortest - 1, -1):
            last, earlier = both[size:], both[size - period : 2 * size - period]
            power = (last @ last + size * 1e-6) * (earlier @ earlier + size * 1e-6)
            found.append(last @ earlier / math.sqrt(power))
        return np.array(found)

    def excite(self, features, noise):
        """Return a frame of the source-filter model, computed sample by sample."""
        c, size = self.config.source_filter, self.config.frame_size
        parts = np.cumsum([c.cepstrum, c.gains, c.gains])
        cepstrum, gain, share, std = np.split(self.affine("decoder.output.head", features), parts)
        gain, share = 0.98 / (1 + np.exp(-gain)), 0.5 / (1 + np.exp(-share))
        std = np.logaddexp(0, std) + 1e-4
        inverse = inverse_filter(cepstrum, c.warp, 2 * size)
        zeros = [np.zeros(size)] * 2
        sound = np.concatenate([*[*self.past, *zeros][1::-1], np.zeros(size)])
        evidence = self.periodicity(sound[: 2 * size])
        evidence /= max(evidence.max(), 0.2)
        raw = self.affine("decoder.output.choice", self.joint("decoder.output.stack", evidence, features, c.pitch))
        weights = np.exp(raw[:-1] + np.logaddexp(0, raw[-1]) * evidence)
        weights /= weights.sum()
        excitation = [inverse[: n + 1] @ sound[n::-1] for n in range(size, 2 * size)]
        for n in range(size):
            period = weights @ excitation[size + n - c.longest : size + n - c.shortest + 1]
            g, q, s = gain[n * c.gains // size], share[n * c.gains // size], std[n * c.levels // size]
            excitation.append(g * period + math.hypot(s, math.sqrt(q * (1 - g**2)) * period) * noise[n])
            past = sound[n + 1 : n + 2 * size][::-1]
            sound[n + 2 * size] = excitation[-1] - inverse[1:] @ past
        return sound[2 * size :]

    def sample(self, z, h, noise, mixture, temperature):
        if self.kind == "rnn":
            features = self.stack("decoder.stack", h, self.config.decoder)
        else:
            features = self.joint("decoder.stack", self.phi_z(z), h, self.config.decoder)
        k, size = self.config.components, self.config.frame_size
        uniform = np.array([0.5 * (1 + math.erf(n / math.sqrt(2))) for n in np.append(mixture, noise[-1])])
        gumbel = -np.log(-np.log(uniform[:-1]))
        if self.config.basis == "points":
            raw = self.affine("decoder.output.head", features)
            pen, weights, mean, std, rho = np.split(raw, np.cumsum([1, k, 2 * k, 2 * k]))
            best = np.argmax(weights + gumbel) if k > 1 else 0
            mean, rho = mean.reshape(k, 2)[best], 0.999 * np.tanh(rho[best])
            std = np.logaddexp(0, std.reshape(k, 2)[best]) + 1e-4
            unit = np.array([noise[0], rho * noise[0] + math.sqrt(1 - rho**2) * noise[1]])
            up = float(uniform[-1] < 1 / (1 + np.exp(-pen[0])))
            return np.append(mean + temperature * std * unit, up), np.append(mean, up)
        if self.config.source_filter:
            return self.excite(features, temperature * noise.astype(float)), self.excite(features, 0 * noise)
        mean, std = self.normal("decoder.output.head", features)
        if k > 1:
            best = np.argmax(self.affine("decoder.output.weights", features) + gumbel)
            mean, std = mean.reshape(k, size)[best], std.reshape(k, size)[best]
        return mean + temperature * std * noise, mean

    def generate(self, latent_noise, noise, mixture, temperature=1.0):
        """Generate a frame in the basis and advance the state."""
        if self.mistake == "the noise is uniform":
            latent_noise, noise = (
                np.array([0.5 * (1 + math.erf(n / math.sqrt(2))) for n in part]) for part in (latent_noise, noise)
            )
        h = self.state[0]
        mean, std = self.prior(h)
        if self.mistake == "prior reads the updated h":
            mean, std = self.prior(self.recur(self.last_x, mean, self.state)[0])
        if self.mistake == "the latent is drawn from the posterior":
            mean, std = self.posterior(self.last_x, h)
        z = mean + std * latent_noise
        seen_h = self.recur(self.last_x, z, self.state)[0] if self.mistake == "decoder reads the updated h" else h
        x, x_mean = self.sample(z, seen_h, noise, mixture, temperature)
        back = {"z is paired with the previous x": self.last_x, "the mean is fed back": x_mean}.get(self.mistake, x)
        self.advance(back, z)
        out = {"the seed frame is left in the output": self.last_x, "the mean is written": x_mean}.get(self.mistake, x)
        self.last_x = x
        return out, z

    def observe(self, x, latent_noise):
        """Observe a frame in the basis and advance the state."""
        mean, std = self.posterior(x, self.state[0])
        z = mean + std * latent_noise
        self.advance(self.last_x if self.mistake == "z is paired with the previous x" else x, z)
        self.last_x = x
        return z, mean, std

    def advance(self, x, z):
        after = self.recur(x, z, self.state)
        self.past.insert(0, x)
        self.last_z = z
        self.state = self.late if self.mistake == "the carried state is one step late" else after
        self.late = after


def inverse_filter(cepstrum, warp, count):
    """Return the first taps of exp(-sum_m c_m (D^m - (-warp)^m)), D = (d - warp) / (1 - warp d), d = 0.97 / z.

    Computed by power series; the spectrum must stay within 40 dB.
    """
    series, power = np.zeros(count), np.eye(1, count)[0]
    for c in cepstrum:
        power = signal.lfilter([-warp, 1], [1, -warp], power)
        series -= c * power
    series *= 0.97 ** np.arange(count)
    assert np.abs(series[1:]).sum() < math.log(100)
    taps = [1.0]
    for n in range(1, count):  # n h_n = sum_k k s_k h_(n-k), the derivative of h = exp(s)
        taps.append(sum(k * series[k] * taps[n - k] for k in range(1, n + 1)) / n)
    return np.array(taps)


def mdct_frames(blocks):
    """Return the MDCT [T, F] of blocks [T + 1, F], by the textbook sum."""
    size = blocks.shape[1]
    n, k = np.arange(2 * size), np.arange(size)
    kernel = np.cos(np.pi / size * np.outer(n + 0.5 + size / 2, k + 0.5)) * math.sqrt(2 / size)
    window = np.sin(np.pi * (n + 0.5) / (2 * size))
    return np.stack([(np.concatenate(pair) * window) @ kernel for pair in itertools.pairwise(blocks)])
