"""Ways to step a model, as functions that take one step of all rows; `benchmarks/steps.py` describes them."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import onnx
from torch_ways import Steps, TorchStep, aotinductor, compiled_step, eager, torchscript

from vrnn_engine import Engine, Voice
from vrnn_engine.diagnostics.machine import product, reading
from vrnn_engine.models.recurrent import RecurrentModel
from vrnn_engine.runtime.graph.ort import ort
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.live.listening_stream import ListeningStream
from vrnn_engine.runtime.voice.text import CHARACTERS

Step = Callable[[], object]
Values = Mapping[str, ort.OrtValue]
BLOCK = 8
"""Number of frames in one call of a way in `READING`."""
READING = ("engine", "resynthesis")
"""What the ways begin with that read a stream; they are also compared with real time."""
FP32 = "fp32"


def ways_of(
    voice: Voice, steps: Steps | None, weights: Mapping[str, int], rows: int, compiled: bool = False
) -> dict[str, Step]:
    """Return all ways by name.

    Parameters
    ----------
    voice : Voice
        The voice to step.
    steps : RecurrentSteps, TextSteps or None
        A step model with the same layers, for PyTorch and numpy.
    weights : mapping of str to int
        Bytes of the step graph's weights in each precision to step, fp32 first.
    rows : int
        Streams in a batch.
    compiled : bool
        Whether to step compiled models as well.
    """
    engines = {precision: Engine.load(voice, "cpu", rows, precision) for precision in weights}
    session, controls = engines[FP32].stepper.graphs.step, engines[FP32].stream(0).controls.table
    controls = {name: np.repeat(values, rows, axis=0) for name, values in controls.items()}
    ways = {named("engine", precision): engine_step(engine) for precision, engine in engines.items()}
    if rows == 1 and can_resynthesise(voice):
        ways["resynthesis"] = resynthesis(engines[FP32])
    ways |= {"bare": Bare(session, controls, rows), "plain": plain(session, controls, rows)}
    if steps is not None:
        prepared = {"eager": eager, "torchscript": torchscript}
        if compiled:
            prepared |= {"compiled": compiled_step, "aotinductor": aotinductor}
        ways |= {name: TorchStep(steps, rows, prepare) for name, prepare in prepared.items()}
        if rows == 1 and NumpyStep.knows(steps.model):
            ways["numpy"] = NumpyStep(steps.model)
    ways |= {named("reading", precision): reading(size) for precision, size in weights.items()}
    if rows > 1:
        ways["products"] = products(matrices(voice), rows)
    return ways


def named(way: str, precision: str) -> str:
    """Return the name of a way in a precision."""
    return way if precision == FP32 else f"{way}.{precision}"


def engine_step(engine: Engine) -> Step:
    """Return a step of the engine: one block of each stream, one stream a row."""
    streams = [engine.stream(seed) for seed in range(engine.rows)]
    return lambda: engine.read(BLOCK, streams)


def can_resynthesise(voice: Voice) -> bool:
    """Return whether a voice can imitate sound."""
    roles, controls = {graph.role for graph in voice.manifest.graphs}, {one.name for one in voice.manifest.controls}
    return voice.manifest.modality == "audio" and "observe" in roles and "latent.target" in controls


def resynthesis(engine: Engine) -> Step:
    """Return a step of a stream that imitates noise: one block, each frame of it observed and generated."""
    listening = ListeningStream(engine.stream(0), NoiseInput(engine.voice.manifest.frame_size), "resynthesise")
    return lambda: listening.read(BLOCK)


class NoiseInput:
    """An input of endless white noise at -26 dB; a `FrameInput`."""

    label, live, seconds, delay, dropped = "noise", False, math.inf, 0.0, 0
    conversions = ()

    def __init__(self, frame_size: int) -> None:
        frames = 0.05 * np.random.default_rng(0).standard_normal((64, frame_size))
        self._frames = itertools.cycle(frames.astype(np.float32))

    def read(self) -> np.ndarray:
        """Return the next frame, float32 [F]."""
        return next(self._frames)

    def interrupt(self) -> None:
        """Do nothing: `read` never waits."""

    def close(self) -> None:
        """Do nothing."""


def plain(session: GraphSession, controls: Mapping[str, np.ndarray], rows: int) -> Step:
    """Return a step of `session.run` with dictionaries of arrays."""
    names = [value.name for value in session.session.get_outputs()]
    feed = {f"state.{name}": array for name, array in session.zero_state(rows).items()}
    feed |= {f"control.{name}": controls[name] for name in session.controls} | no_text(session, rows)
    rng = np.random.default_rng(0)

    def step() -> np.ndarray:
        for name, shape in session.noise.items():
            feed[f"noise.{name}"] = rng.standard_normal((rows, *shape), np.float32)
        outputs = dict(zip(names, session.session.run(names, feed), strict=True))
        feed.update({f"state.{name}": outputs[f"next.{name}"] for name in session.state})
        return outputs["frame"]

    return step


def no_text(session: GraphSession, rows: int) -> dict[str, np.ndarray]:
    """Return the input of a graph that reads a text, for an empty text; nothing for other graphs."""
    return {CHARACTERS: np.zeros((rows, session.window), np.float32)} if session.window else {}


def products(shapes: Iterable[tuple[int, int]], rows: int) -> Step:
    """Return a step of products with one matrix [K, N] of each shape."""
    calls = [product(rows, *shape) for shape in shapes]

    def step() -> None:
        for call in calls:
            call()

    return step


def matrices(voice: Voice) -> list[tuple[int, int]]:
    """Return the shapes [K, N] of the constant matrices of all products in a step."""
    graph = onnx.load(voice.path / voice.graph("step", FP32).file, load_external_data=False).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:  # casts of weights stored in half precision, or of matrices used in double precision
        if node.op_type == "Cast" and node.input[0] in shapes:
            shapes[node.output[0]] = shapes[node.input[0]]
    found = []
    for node in graph.node:
        if node.op_type in ("Gemm", "MatMul") and len(shapes.get(node.input[1], ())) == 2:
            turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            found.append(shapes[node.input[1]][::-1] if turned else shapes[node.input[1]])
    return found


class Bare:
    """Steps onnxruntime alone: two bindings, each of which reads the state that the other wrote; constant noise."""

    def __init__(self, session: GraphSession, controls: Mapping[str, np.ndarray], rows: int) -> None:
        rng = np.random.default_rng(0)
        self.noise = {name: rng.standard_normal((rows, *shape), np.float32) for name, shape in session.noise.items()}
        self.frame = np.zeros((rows, *session.frame_shape), np.float32)
        steady = {f"noise.{name}": array for name, array in self.noise.items()}
        steady |= {f"control.{name}": controls[name] for name in session.controls} | no_text(session, rows)
        self._given = _on_cpu(steady)
        self._states = [_on_cpu(session.zero_state(rows)) for _ in range(2)]
        self._frame = ort.OrtValue.ortvalue_from_numpy(self.frame)
        bindings = [self._bind(session, *states) for states in (self._states, self._states[::-1])]
        self._run, self._turns = session.session.run_with_iobinding, itertools.cycle(bindings)

    def __call__(self) -> None:
        self._run(next(self._turns))

    def _bind(self, session: GraphSession, old: Values, new: Values) -> ort.IOBinding:
        binding = session.session.io_binding()
        for name, value in self._given.items():
            binding.bind_ortvalue_input(name, value)
        for name in session.state:
            binding.bind_ortvalue_input(f"state.{name}", old[name])
            binding.bind_ortvalue_output(f"next.{name}", new[name])
        binding.bind_ortvalue_output("frame", self._frame)
        return binding


def _on_cpu(arrays: Mapping[str, np.ndarray]) -> Values:
    return {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}


class NumpyStep:
    """A step of a VRNN-Gauss in numpy; `h` and `c` are the state after the last call."""

    @staticmethod
    def knows(model: RecurrentModel) -> bool:
        """Return whether this class implements the equations of a model."""
        config = model.config
        return config.family == "vrnn-gauss" and config.basis != "points" and not config.source_filter

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
        """Return W x + b, or W x if the map has no bias."""
        y = self.weights[f"{name}.weight"] @ x
        return y + self.weights[f"{name}.bias"] if f"{name}.bias" in self.weights else y

    def stack(self, name: str, x: np.ndarray, layers: int) -> np.ndarray:
        """Return the output of a stack of ReLU layers."""
        for i in range(layers):
            x = np.maximum(self.affine(f"{name}.{2 * i}", x), 0)
        return x

    def normal(self, name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and standard deviation that a head computes."""
        mean, raw = np.split(self.affine(f"{name}.both", x), 2)
        return mean, np.logaddexp(0, raw) + 1e-4
