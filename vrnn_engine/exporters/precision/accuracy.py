"""Accuracy limits for graphs in reduced precision.

Three results are compared with fp32: the frames of single steps from the same states; the ELBO of generated frames,
computed by the observe graph in the same precision; and the levels of a free-running stream.  For half precision,
`vrnn_engine.exporters.precision.half.check_range` is a fourth test.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from vrnn_engine.base.atomic.scratch import ScratchFolder
from vrnn_engine.errors import ExportError
from vrnn_engine.exporters.graphs.weights_file import save_graphs
from vrnn_engine.exporters.precision.half import check_range
from vrnn_engine.exporters.precision.quantise import ReducedPrecision
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.graph.arrays import rms_difference
from vrnn_engine.runtime.graph.parity import MAX_PRECISION_ERROR, characters_at
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.voice.manifest import Control, Graph
from vrnn_engine.runtime.voice.text import CHARACTERS

FREE_FRAMES = 3200
"""Length of a free-running stream: 40 seconds of sound."""
OCTAVES = 6
"""Number of octaves that are compared, from half the sample rate downwards."""

MAX_BOUND = 0.02
"""Limit of the change of the bound, relative to its size, or in nats if its size is below one nat per frame."""
MAX_LEVELS = 4.0
"""Limit of the change of a level, in dB.  Two free-running streams of 40 seconds also differ by chance, since rounding
soon makes them diverge."""


@dataclass(frozen=True)
class Deviation:
    """Deviation of a reduced precision from fp32.

    Attributes
    ----------
    precision : str
        `fp16`, `int8` or `int4`.
    frame : float
        Root mean square of the frames' difference, relative to the root mean square of the frames.
    bound : float
        Change of the ELBO, in nats per frame; positive if it rose.
    levels : float
        Largest change of a level of a free-running stream, in dB.  The levels of sound are the total level and those of
        octaves; the levels of ink are the mean squares of dx, dy and pen-up.
    """

    precision: str
    frame: float
    bound: float
    levels: float


def check_precisions(
    reduced: Mapping[ReducedPrecision, Mapping[str, onnx.ModelProto]],
    folder: Path,
    graphs: Sequence[Graph],
    controls: Sequence[Control],
    vectors: Mapping[str, NDArray[np.float32]],
) -> tuple[Deviation, ...]:
    """Compare graphs in reduced precision with those in fp32.

    Parameters
    ----------
    reduced : mapping of str to mapping of str to onnx.ModelProto
        For each precision, its graphs with their weights, by file name.
    folder : Path
        Folder of the fp32 graphs.
    graphs : sequence of Graph
        Manifest entries of the fp32 step and observe graph.
    controls : sequence of Control
        The voice's controls.
    vectors : mapping of str to array
        The vectors that `vrnn_engine.exporters.reference.reference_vectors` returned.

    Returns
    -------
    tuple of Deviation
        One for each precision.

    Raises
    ------
    ExportError
        A deviation is above its limit, or a value exceeds the range of half precision.
    """
    if not reduced:
        return ()
    step, observe = (GraphSession(folder, graph, controls, "cpu") for graph in graphs)
    table = Controls(controls).table
    noise = [{name: vectors[f"noise.{name}"][t : t + 1] for name in step.noise} for t in range(len(vectors["frame"]))]
    texts = [characters_at(step, vectors, t) for t in range(len(noise))]
    states, frames = _generate(step, noise, table, texts)
    bound, levels = _bound(observe, vectors, table), _levels(_free_run(step, table))
    deviations = []
    for precision, models in reduced.items():
        if precision == "fp16":
            text = {CHARACTERS: vectors[CHARACTERS]} if step.window else {}
            check_range(models["step.onnx"], _all_inputs(step, states, noise, table) | text)
        with ScratchFolder() as files:  # Windows keeps files of a session open
            save_graphs(dict(models), Path(files))
            reduced_step, reduced_observe = (GraphSession(Path(files), graph, controls, "cpu") for graph in graphs)
        found = [
            reduced_step.run(state, drawn, table, None, characters)[1]["frame"]
            for state, drawn, characters in zip(states, noise, texts, strict=True)
        ]
        deviation = Deviation(
            precision,
            frame=rms_difference(np.stack(found), frames),
            bound=_bound(reduced_observe, vectors, table) - bound,
            levels=float(np.abs(_levels(_free_run(reduced_step, table)) - levels).max()),
        )
        _check_limits(deviation, MAX_BOUND * max(1.0, abs(bound)))
        deviations.append(deviation)
    return tuple(deviations)


def _all_inputs(
    step: GraphSession,
    states: Sequence[Mapping[str, np.ndarray]],
    noise: Sequence[Mapping[str, np.ndarray]],
    table: Mapping[str, np.ndarray],
) -> dict[str, NDArray[np.float32]]:
    """Return the inputs of all frames as one batch, by their full names."""
    given = {f"state.{name}": np.concatenate([state[name] for state in states]) for name in step.state}
    given |= {f"noise.{name}": np.concatenate([drawn[name] for drawn in noise]) for name in step.noise}
    return given | {f"control.{name}": np.repeat(table[name], len(states), axis=0) for name in step.controls}


def _check_limits(found: Deviation, max_bound: float) -> None:
    for what, value, most, unit in (
        ("frames change", found.frame, MAX_PRECISION_ERROR, "of their size"),
        ("the bound changes", abs(found.bound), max_bound, "nats a frame"),
        ("the levels of a free-running stream change", found.levels, MAX_LEVELS, "dB"),
    ):
        if not value <= most:  # also if it is not a number
            raise ExportError(
                f"{found.precision}: {what} by {value:.3g} {unit}, and the limit is {most:.3g}; "
                f"no voice was written; export without the precision {found.precision}"
            )


def _generate(
    session: GraphSession,
    noise: Sequence[Mapping[str, np.ndarray]],
    table: Mapping[str, np.ndarray],
    texts: Sequence[np.ndarray | None],
) -> tuple[list[dict[str, np.ndarray]], NDArray[np.float32]]:
    """Return the state before each frame, and the frames [T, 1, F]."""
    state, states, frames = session.zero_state(), [], []
    for drawn, characters in zip(noise, texts, strict=True):
        states.append(state)
        state, outputs = session.run(state, drawn, table, None, characters)
        frames.append(outputs["frame"])
    return states, np.stack(frames)


def _bound(session: GraphSession, vectors: Mapping[str, NDArray[np.float32]], table: Mapping[str, np.ndarray]) -> float:
    """Return the ELBO in nats per frame, with the mean of the posterior as the latent."""
    state, total = session.zero_state(), 0.0
    silence = {name: np.zeros((1, *shape), np.float32) for name, shape in session.noise.items()}
    frames = vectors["frame"]
    for t in range(len(frames)):
        state, outputs = session.run(state, silence, table, frames[t : t + 1], characters_at(session, vectors, t))
        total += float(outputs["log_likelihood"][0]) - float(outputs["kl"][0] if "kl" in outputs else 0.0)
    return total / len(frames)


def _free_run(session: GraphSession, table: Mapping[str, np.ndarray]) -> NDArray[np.float32]:
    """Return FREE_FRAMES generated frames [T, F]."""
    rng, state, made = np.random.default_rng(0), session.zero_state(), []
    for _ in range(FREE_FRAMES):
        noise = {name: rng.standard_normal((1, *shape), np.float32) for name, shape in session.noise.items()}
        state, outputs = session.run(state, noise, table)
        made.append(outputs["frame"][0])
    return np.stack(made)


def _levels(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the levels of sound (total and octaves) or of ink (mean squares of dx, dy and pen-up), in dB."""
    if frames.shape[1] == 3:
        powers = np.square(frames.astype(float)).mean(0)
    else:
        spectrum = np.square(np.abs(np.fft.rfft(frames.reshape(-1).astype(float))))
        edges = [len(spectrum) >> k for k in range(OCTAVES + 1)]
        octaves = [spectrum[low:high].sum() for high, low in itertools.pairwise(edges)]
        powers = np.array([spectrum.sum(), *octaves])
    found: NDArray[np.float64] = 10 * np.log10(powers + 1e-30)
    return found
