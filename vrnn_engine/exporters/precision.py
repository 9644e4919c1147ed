"""The gate that a graph in few bits must pass: how far it moves from the one in single precision, and how far it may.

Three things are looked at: a step's frame, from the same state; the bound that the observe graph gives to frames that
the model made, were it in as many bits; and the sound, or ink, of a free run.  And of half precision a fourth, which
none of these shows, as the CPU casts it up: whether a product leaves its range.
"""

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from vrnn_engine.errors import ExportError
from vrnn_engine.exporters.graph import copy_of, save_graphs
from vrnn_engine.exporters.quantise import PRODUCTS, Few
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.graph.parity import MAX_PRECISION_ERROR, rms_difference
from vrnn_engine.runtime.graph.provider import open_session
from vrnn_engine.runtime.graph.session import GraphSession, onnxruntime_options
from vrnn_engine.runtime.voice.manifest import Control, Graph

FREE_FRAMES = 3200
"""Of a free run: 40 seconds of sound."""
OCTAVES = 6
"""Compared of sound, from half the sample rate down."""

MOST_BOUND = 0.02
"""Of the bound's own size, or of a nat where that is larger."""
MOST_LEVELS = 4.0
"""dB: two free runs of 40 seconds are apart by chance, too, since rounding soon leads them different ways."""


@dataclass(frozen=True)
class Moved:
    """How far a precision is from fp32."""

    precision: str
    frame: float
    """Relative root mean square of the difference."""
    bound: float
    """Nats a frame; positive where it rose."""
    levels: float
    """dB: the largest difference of a free run's level and octaves (sound), or of its columns' sds (ink)."""


def gate(
    few: Mapping[Few, Mapping[str, onnx.ModelProto]],
    whole: Path,
    graphs: Sequence[Graph],
    controls: Sequence[Control],
    vectors: Mapping[str, NDArray[np.float32]],
) -> tuple[Moved, ...]:
    """Hold graphs in few bits against those in fp32.

    Parameters
    ----------
    few : mapping of str to mapping of str to ModelProto
        By precision, the graphs in it by file name.
    whole : Path
        Folder of the fp32 graphs.
    graphs : sequence of Graph
        What the manifest says of the step and the observe graph.
    controls : sequence of Control
    vectors : mapping of str to array
        Of `vrnn_engine.exporters.reference.reference`.

    Raises
    ------
    ExportError
        One is further than it may be; in what, by how much.  Or half precision is too narrow for what is computed.
    """
    if not few:
        return ()
    step, observe = (GraphSession(whole, graph, controls, "cpu") for graph in graphs)
    table = Controls(controls).table
    noise = [{name: vectors[f"noise.{name}"][t : t + 1] for name in step.noise} for t in range(len(vectors["frame"]))]
    states, frames = _walk(step, noise, table)
    bound, levels = _bound(observe, vectors["frame"], table), _levels(_free_run(step, table))
    moved = []
    for precision, models in few.items():
        if precision == "fp16":
            given = {f"state.{name}": np.concatenate([state[name] for state in states]) for name in step.state}
            given |= {f"noise.{name}": np.concatenate([drawn[name] for drawn in noise]) for name in step.noise}
            given |= {f"control.{name}": np.repeat(table[name], len(states), axis=0) for name in step.controls}
            check_range(models["step.onnx"], given)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # sessions hold its files, on Windows
            save_graphs(dict(models), Path(folder))
            step_few, observe_few = (GraphSession(Path(folder), graph, controls, "cpu") for graph in graphs)
        found = [step_few.run(*one, table)[1]["frame"] for one in zip(states, noise, strict=True)]
        one = Moved(
            precision,
            frame=rms_difference(np.stack(found), frames),
            bound=_bound(observe_few, vectors["frame"], table) - bound,
            levels=float(np.abs(_levels(_free_run(step_few, table)) - levels).max()),
        )
        _check(one, MOST_BOUND * max(1.0, abs(bound)))
        moved.append(one)
    return tuple(moved)


def check_range(model: onnx.ModelProto, given: Mapping[str, NDArray[np.float32]]) -> None:
    """Raise `ExportError` if what a half-precision product reads or gives is beyond the range of half precision.

    Parameters
    ----------
    model : ModelProto
        In fp16, its weights in it.
    given : mapping of str to float32 array [B, ...]
        Its inputs by their full names.
    """
    half = {tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    products = [node for node in model.graph.node if node.op_type in PRODUCTS and node.input[1] in half]
    looked_at = list(dict.fromkeys(name for node in products for name in (node.input[0], node.output[0])))
    if not looked_at:
        return
    probe = copy_of(model)
    del probe.graph.output[:]
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT16, None) for name in looked_at)
    session = open_session(probe.SerializeToString(), onnxruntime_options(), "cpu")
    taken = {one.name for one in session.get_inputs()}
    found = session.run(None, {name: values for name, values in given.items() if name in taken})
    for name, values in zip(looked_at, found, strict=True):
        if not np.isfinite(values).all():
            raise ExportError(
                f"fp16: {name} leaves half precision, whose largest number is {np.finfo(np.float16).max:.0f}; "
                "no voice was written; export without --precision fp16"
            )


def _check(moved: Moved, most_bound: float) -> None:
    for what, value, most, unit in (
        ("frames move", moved.frame, MAX_PRECISION_ERROR, "of their size"),
        ("the bound moves", abs(moved.bound), most_bound, "nats a frame"),
        ("a free run's levels move", moved.levels, MOST_LEVELS, "dB"),
    ):
        if not value <= most:
            raise ExportError(
                f"{moved.precision}: {what} by {value:.3g} {unit}, and {most:.3g} is the limit; "
                f"no voice was written; export without --precision {moved.precision}"
            )


def _walk(
    session: GraphSession, noise: Sequence[Mapping[str, np.ndarray]], table: Mapping[str, np.ndarray]
) -> tuple[list[dict[str, np.ndarray]], NDArray[np.float32]]:
    """Return the state before each frame, and the frames."""
    state, states, frames = session.zero_state(), [], []
    for drawn in noise:
        states.append(state)
        state, outputs = session.run(state, drawn, table)
        frames.append(outputs["frame"])
    return states, np.stack(frames)


def _bound(session: GraphSession, frames: NDArray[np.float32], table: Mapping[str, np.ndarray]) -> float:
    """ELBO, nats a frame, with the posterior's mean as its latent."""
    state, total = session.zero_state(), 0.0
    silence = {name: np.zeros((1, *shape), np.float32) for name, shape in session.noise.items()}
    for frame in frames:
        state, outputs = session.run(state, silence, table, frame[np.newaxis])
        total += float(outputs["log_likelihood"][0]) - float(outputs["kl"][0] if "kl" in outputs else 0.0)
    return total / len(frames)


def _free_run(session: GraphSession, table: Mapping[str, np.ndarray]) -> NDArray[np.float32]:
    rng, state, made = np.random.default_rng(0), session.zero_state(), []
    for _ in range(FREE_FRAMES):
        noise = {name: rng.standard_normal((1, *shape), np.float32) for name, shape in session.noise.items()}
        state, outputs = session.run(state, noise, table)
        made.append(outputs["frame"][0])
    return np.stack(made)


def _levels(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """Level and octaves of sound, or the size of dx, dy and pen-up of ink, in dB."""
    if frames.shape[1] == 3:
        powers = np.square(frames.astype(float)).mean(0)
    else:
        spectrum = np.square(np.abs(np.fft.rfft(frames.reshape(-1).astype(float))))
        edges = [len(spectrum) >> k for k in range(OCTAVES + 1)]
        octaves = [spectrum[low:high].sum() for high, low in itertools.pairwise(edges)]
        powers = np.array([spectrum.sum(), *octaves])
    found: NDArray[np.float64] = 10 * np.log10(powers + 1e-30)
    return found
