"""A frame of the engine beside the same model stepped otherwise: all in turn, in one run, one thread each.

    python benchmarks/steps.py [--recipe blizzard] [--rounds 20] [--frames 40] [--compile] [--json FILE]

The model is the recipe's with random weights (`blizzard-paper` for the size of the paper), exported for the occasion.

- engine: `stream.read(8)`, what an application calls
- bare: onnxruntime on the same graph, buffers bound once, always the same input: the least that onnxruntime can do
- plain: `session.run` with dictionaries of arrays and noise drawn for each step, as one would write it
- eager: PyTorch's own step, under `inference_mode`
- compiled: the same through `torch.compile` (with --compile, which takes minutes and a C++ compiler)
- numpy: the equations by hand in numpy and its BLAS (for recipes of plain samples or MDCT frames, whose bases cost
  next to nothing here and are left out)

Needs the extra `train`.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# One BLAS and one OpenMP thread each, which must be settled before numpy and torch are imported.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
import torch

from vrnn_engine import Engine
from vrnn_engine.exporters.export import write_voice
from vrnn_engine.exporters.steps import RecurrentSteps
from vrnn_engine.models.families import build_model
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.recurrent import RecurrentModel
from vrnn_engine.runtime.batch import Batch
from vrnn_engine.runtime.manifest import Provenance
from vrnn_engine.runtime.session import GraphSession
from vrnn_engine.training.recipe import load_recipe

Step = Callable[[], object]
BLOCK = 8
"""Frames of a read."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="blizzard")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--frames", type=int, default=40, help="of each in a round")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    recipe = load_recipe(options.recipe)
    model = build_model(recipe.model).eval()
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        voice = Path(folder) / "voice"
        with torch.inference_mode(False):
            steps = RecurrentSteps(model, recipe.data.rate, recipe.about.unit, (0.0,), (1.0,))
            write_voice(steps, "random", voice, Provenance(data="none", source="none", licence="none", command="none"))
        ways = ways_of(model, voice, options.compile)
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(options.rounds + 1):
            for name, step in ways.items():
                seconds = time_of(step, max(1, options.frames // (BLOCK if name == "engine" else 1)))
                if turn:  # the first round warms up
                    taken[name].append(1000 * seconds / (BLOCK if name == "engine" else 1))
    weights = sum(weight.numel() for weight in model.parameters())
    print(f"{options.recipe}: {weights / 1e6:.1f} M weights; {platform.machine()}, torch {torch.__version__}")
    print(f"{'':10}  ms a frame: median, least, most    over the engine's: median, least, most")
    rows = {name: row_of(values, taken["engine"]) for name, values in taken.items()}
    for name, row in rows.items():
        print(f"{name:10}  {row['ms'][1]:18.3f} {row['ms'][0]:6.3f} {row['ms'][2]:6.3f}", end="")
        print(f"  {row['ratio'][1]:27.2f} {row['ratio'][0]:6.2f} {row['ratio'][2]:6.2f}")
    if options.json:
        options.json.write_text(json.dumps({"recipe": options.recipe, "weights": weights, "ways": rows}, indent=2))


def row_of(values: list[float], of_engine: list[float]) -> dict[str, tuple[float, float, float]]:
    """Least, median and most, in milliseconds and over the engine's of the same round."""
    ratios = [one / engine for one, engine in zip(values, of_engine, strict=True)]
    return {
        "ms": (min(values), statistics.median(values), max(values)),
        "ratio": (min(ratios), statistics.median(ratios), max(ratios)),
    }


def time_of(step: Step, count: int) -> float:
    """Mean seconds of a step."""
    began = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - began) / count


def ways_of(model: RecurrentModel, voice: Path, compiled: bool) -> dict[str, Step]:
    """Return the ways to step a model, as functions that take one step (the engine: a block)."""
    engine = Engine.load(voice, "cpu")
    stream = engine.stream(0)
    ways: dict[str, Step] = {
        "engine": lambda: stream.read(BLOCK),
        "bare": bare(engine),
        "plain": plain(engine.step, stream.controls.table),
        "eager": eager(model, model.generate),
    }
    if compiled:
        ways["compiled"] = eager(model, torch.compile(model.generate))
    if not model.config.source_filter and model.config.family == "vrnn-gauss":
        ways["numpy"] = NumpyStep(model)
    return ways


def bare(engine: Engine) -> Step:
    """Nothing but onnxruntime: the same inputs again and again."""
    batch = Batch(engine.step, 1)
    return lambda: batch._session._sess.run_with_iobinding(batch._bindings[0]._iobinding, None)


def plain(session: GraphSession, controls: dict[str, np.ndarray]) -> Step:
    """Dictionaries of arrays into `session.run`."""
    names = [value.name for value in session.session.get_outputs()]
    feed = {f"state.{name}": array for name, array in session.zero_state().items()}
    feed |= {f"control.{name}": controls[name] for name in session.controls}
    rng = np.random.default_rng(0)

    def step() -> np.ndarray:
        for name, shape in session.noise.items():
            feed[f"noise.{name}"] = rng.standard_normal((1, *shape), np.float32)
        outputs = dict(zip(names, session.session.run(names, feed), strict=True))
        feed.update({f"state.{name}": outputs[f"next.{name}"] for name in session.state})
        return outputs["frame"]

    return step


def eager(model: RecurrentModel, generate: Callable) -> Step:
    """The step of training's own model."""
    config, state = model.config, model.initial_state(1)

    def step() -> torch.Tensor:
        nonlocal state
        made = generate(state, torch.randn(1, config.latent_size), OutputNoise(torch.randn(1, config.frame_size)))
        state = made.state
        return made.frame

    return step


class NumpyStep:
    """A VRNN-Gauss by hand: `frame`, `h` and `c` after each call."""

    def __init__(self, model: RecurrentModel) -> None:
        self.weights = {name: value.numpy() for name, value in model.state_dict().items()}
        self.config, self.rng = model.config, np.random.default_rng(0)
        self.h = self.c = np.zeros(self.config.recurrent_size, np.float32)

    def __call__(self) -> np.ndarray:
        config = self.config
        mean, std = self.normal("prior.head", self.stack("prior.stack", self.h, len(config.prior)))
        z = mean + std * self.rng.standard_normal(config.latent_size, np.float32)
        phi_z = self.stack("phi_z", z, len(config.phi_z))
        seen = self.affine("decoder.stack.project", phi_z) + self.affine("decoder.stack.from_h", self.h)
        features = self.stack("decoder.stack.rest", np.maximum(seen, 0), len(config.decoder) - 1)
        mean, std = self.normal("decoder.output.head", features)
        frame = mean + std * self.rng.standard_normal(config.frame_size, np.float32)
        k = config.input_compression
        shown = np.sign(frame) * np.log(1 + k * np.abs(frame)) if k else frame
        phi_x = self.stack("phi_x", shown, len(config.phi_x))
        gates = self.affine("recurrence.from_x", phi_x) + self.affine("recurrence.from_z", phi_z)
        gates = gates + self.affine("recurrence.from_h", self.h)
        size = config.recurrent_size
        enter, keep, show = np.split(1 / (1 + np.exp(-gates[: 3 * size])), 3)
        self.c = keep * self.c + enter * np.tanh(gates[3 * size :])
        self.h = show * np.tanh(self.c)
        return frame

    def affine(self, name: str, x: np.ndarray) -> np.ndarray:
        """W x, and b where there is one."""
        y = self.weights[f"{name}.weight"] @ x
        return y + self.weights[f"{name}.bias"] if f"{name}.bias" in self.weights else y

    def stack(self, name: str, x: np.ndarray, layers: int) -> np.ndarray:
        """ReLU layers."""
        for i in range(layers):
            x = np.maximum(self.affine(f"{name}.{2 * i}", x), 0)
        return x

    def normal(self, name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sd of a head."""
        mean, raw = np.split(self.affine(f"{name}.both", x), 2)
        return mean, np.logaddexp(0, raw) + 1e-4


if __name__ == "__main__":
    main()
