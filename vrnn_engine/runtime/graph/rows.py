"""Checks that a graph is a function of its inputs, and each row of its outputs one of the same row of its inputs."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.graph.arrays import Arrays, relative_difference
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.voice.manifest import Control
from vrnn_engine.runtime.voice.voice import Voice

BATCH_ROWS = 17
"""Rows of the batch: one more than a multiple of the widths of vector instructions, 4, 8 and 16."""
PARTS = (slice(0, 1), slice(0, 2), slice(0, 4), slice(BATCH_ROWS - 1, BATCH_ROWS))
"""Rows that are also computed without the others."""
STEPS = 3
"""Number of steps that are compared with default controls; the first starts from the zero state."""


ROUNDING = 1e-5
"""Largest difference, as a fraction of an output's largest value, that counts as rounding."""


@dataclass(frozen=True)
class RowReport:
    """Result of `check_rows`.

    Attributes
    ----------
    graphs : int
        Number of graphs compared.
    difference : float
        Largest difference between a row alone and the same row in a batch, relative to the output's largest value; 0 if
        all bits are equal.
    output : str
        Graph and output with this difference; empty if all bits are equal.
    """

    graphs: int
    difference: float
    output: str


def check_rows(voice: Voice) -> RowReport:
    """Compare steps of one, two and four rows with the same rows in a batch of seventeen, on the CPU.

    All graphs of the voice are compared, step graphs in all precisions.  After steps with the default controls,
    one step is compared with each control at its minimum and at its maximum.

    Parameters
    ----------
    voice : Voice
        The voice to check.

    Returns
    -------
    RowReport
        The largest difference, which is at most `ROUNDING`.

    Raises
    ------
    VoiceError
        A row depends on the other rows by more than rounding, or two steps with equal inputs differ.
    """
    graphs = voice.manifest.graphs
    differences: dict[str, float] = {}
    for graph in graphs:
        session = GraphSession(voice.path, graph, voice.manifest.controls, "cpu")
        symbols = len(voice.manifest.text.alphabet) if voice.manifest.text else 0
        for name, difference in _differences(session, voice.manifest.controls, symbols).items():
            if not difference <= ROUNDING:
                raise VoiceError(
                    f"{session.path}: the rows of a batch are not independent: {name} changes by {difference:.2g} of "
                    "its largest value with the number of rows; remove what mixes rows from the step, such as a mean "
                    "over the batch"
                )
            differences[f"{graph.file}: {name}"] = difference
    worst = max(differences, key=lambda name: differences[name])
    return RowReport(len(graphs), differences[worst], worst if differences[worst] else "")


def _differences(session: GraphSession, controls: Sequence[Control], symbols: int) -> dict[str, float]:
    """Return the largest relative difference of each output between rows alone and in a batch."""
    defaults = {name: np.repeat(value, BATCH_ROWS, axis=0) for name, value in Controls(controls).table.items()}
    tables = itertools.chain([defaults] * STEPS, _extremes(defaults, controls))
    state = session.zero_state(BATCH_ROWS)
    found: dict[str, float] = {}
    for table, (noise, *given) in zip(tables, _inputs(session, symbols), strict=False):
        following, outputs = session.run(state, noise, table, *given)
        together = {f"next.{name}": value for name, value in following.items()} | outputs
        _check_pure(session, together, *session.run(state, noise, table, *given))
        for part in PARTS:
            some = (None if values is None else values[part] for values in given)
            next_alone, outputs_alone = session.run(_rows(state, part), _rows(noise, part), _rows(table, part), *some)
            alone = {f"next.{name}": value for name, value in next_alone.items()} | outputs_alone
            for name, value in alone.items():
                same = value.tobytes() == together[name][part].tobytes()
                difference = 0.0 if same else relative_difference(name, value, together[name][part])
                found[name] = max(found.get(name, 0.0), difference)
        state = following
    return found


def _extremes(defaults: Arrays, controls: Sequence[Control]) -> Iterator[Arrays]:
    """Yield tables in which one control is at its minimum or maximum, in all rows."""
    for control in controls:
        for value in {control.minimum, control.maximum} - {control.default}:
            yield {**defaults, control.name: np.full_like(defaults[control.name], value)}


def _check_pure(session: GraphSession, first: Arrays, state: Arrays, outputs: Arrays) -> None:
    """Raise `VoiceError` unless a second step with the same inputs has the same bits as the first."""
    second = {f"next.{name}": value for name, value in state.items()} | dict(outputs)
    for name, value in second.items():
        if value.tobytes() != first[name].tobytes():
            raise VoiceError(
                f"{session.path}: {name} differs between two steps with equal inputs; take out what is random, as all "
                "randomness must enter as noise"
            )


def _rows(values: Arrays, part: slice) -> Arrays:
    return {name: value[part] for name, value in values.items()}


def _inputs(session: GraphSession, symbols: int) -> Iterator[tuple[Arrays, np.ndarray | None, np.ndarray | None]]:
    """Yield noise, a frame for a graph that reads one and characters for a text, different in each row and step."""
    rng = np.random.default_rng(0)

    def normal(shape: tuple[int, ...]) -> np.ndarray:
        return rng.standard_normal((BATCH_ROWS, *shape)).astype(np.float32)

    while True:
        noise = {name: normal(shape) for name, shape in session.noise.items()}
        frame = normal(session.frame_input_shape) if session.takes_frame else None
        text = rng.integers(0, symbols, (BATCH_ROWS, session.window)).astype(np.float32) if session.window else None
        yield noise, frame, text
