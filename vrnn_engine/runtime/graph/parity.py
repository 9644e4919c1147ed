"""Replays a voice's parity vectors, to verify that this machine computes what PyTorch computed."""

from dataclasses import dataclass

import numpy as np

from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.graph.arrays import Arrays, relative_difference, rms_difference
from vrnn_engine.runtime.graph.rows import RowReport, check_rows
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.graph.trial.process import require_trial
from vrnn_engine.runtime.graph.voice_graphs import check_fits
from vrnn_engine.runtime.voice.manifest import OWN_FRAME
from vrnn_engine.runtime.voice.text import ATTENTION, CHARACTERS, POSITION
from vrnn_engine.runtime.voice.voice import Voice

MAX_PRECISION_ERROR = 0.15
"""Largest relative RMS difference allowed between the frames of a reduced-precision step graph and those in fp32."""


@dataclass(frozen=True)
class ParityReport:
    """Result of `verify`.

    Attributes
    ----------
    voice : str
        Name of the voice.
    frames : int
        Number of frames replayed.
    tolerance : float
        Largest difference that the manifest allows.
    differences : dict of str to float
        Array -> largest difference from PyTorch, relative to the largest magnitude of the array.
    rows : RowReport
        Whether the bits of a row depend on the other rows of a batch, on this machine.
    """

    voice: str
    frames: int
    tolerance: float
    differences: dict[str, float]
    rows: RowReport


def verify(voice: Voice) -> ParityReport:
    """Replay the parity vectors of a voice on the CPU.

    The graphs in the first precision (fp32) are compared with PyTorch's results.  Step graphs in other precisions are
    compared with the first.  Then steps of several rows are compared with each other
    (see `vrnn_engine.runtime.graph.rows.check_rows`).

    Parameters
    ----------
    voice : Voice
        The voice to check.

    Returns
    -------
    ParityReport
        The differences, all within the tolerance.

    Raises
    ------
    VoiceError
        A vector is missing or has the wrong shape, a graph differs from PyTorch by more than the manifest's tolerance,
        a reduced precision differs by more than `MAX_PRECISION_ERROR`, a row depends on the other rows of its batch, or
        two steps with equal inputs differ.
    """
    require_trial(voice)
    manifest, vectors = voice.manifest, voice.parity()
    step = _load(voice, "step")
    made = _replay_step(voice, vectors, step)
    differences = {name: relative_difference(name, values, vectors[name]) for name, values in made.items()}
    for role in ("observe", "resynthesise"):
        if expected := tuple(name for name in vectors if name.startswith(f"{role}.")):
            found = _replay_frames(voice, vectors, role, expected, step)
            differences |= {name: relative_difference(name, found[name], vectors[name]) for name in expected}
    worst = max(differences, key=lambda name: differences[name])
    if not differences[worst] <= manifest.parity.tolerance:
        raise VoiceError(
            f"{voice.path}: {worst} differs from PyTorch's by {differences[worst]:.2g} of its largest value, "
            f"more than {manifest.parity.tolerance:g}; export the voice again, or report this machine"
        )
    return ParityReport(voice.name, manifest.parity.frames, manifest.parity.tolerance, differences, check_rows(voice))


def characters_at(session: GraphSession, vectors: Arrays, t: int) -> np.ndarray | None:
    """Return the characters that a graph reads in a frame of the parity vectors.

    Parameters
    ----------
    session : GraphSession
    vectors : mapping of str to float32 array [T, ...]
    t : int
        Number of the frame.

    Returns
    -------
    float32 array [1, W] or None
        None if the graph reads no text.
    """
    return vectors[CHARACTERS][t : t + 1] if session.window else None


def _replay_step(voice: Voice, vectors: Arrays, step: GraphSession) -> dict[str, np.ndarray]:
    """Return the outputs [T, ...] of the first step graph; raise `VoiceError` if another precision differs too much."""
    manifest = voice.manifest
    _check_shapes(voice, step, vectors)
    graphs = [graph for graph in manifest.graphs if graph.role == "step"][1:]
    reduced = {graph.precision: GraphSession(voice.path, graph, manifest.controls, "cpu") for graph in graphs}
    table = Controls(manifest.controls).table
    state = step.zero_state()
    made: dict[str, list[np.ndarray]] = {name: [] for name in _generated(step)}
    reduced_frames: dict[str, list[np.ndarray]] = {precision: [] for precision in reduced}
    for t in range(manifest.parity.frames):
        noise = {name: vectors[f"noise.{name}"][t : t + 1] for name in step.noise}
        characters = characters_at(step, vectors, t)
        # Every precision starts each step from the state in fp32, so that their differences do not add up.
        for precision, session in reduced.items():
            reduced_frames[precision].append(session.run(state, noise, table, None, characters)[1]["frame"][0])
        state, outputs = step.run(state, noise, table, None, characters)
        for name, values in made.items():
            values.append(outputs[name][0])
    stacked = {name: np.stack(values) for name, values in made.items()}
    for name, others in reduced_frames.items():
        difference = rms_difference(np.stack(others), stacked["frame"])
        if not difference <= MAX_PRECISION_ERROR:
            raise VoiceError(
                f"{voice.path}: frames in {name} differ from those in fp32 by {difference:.2g} of their RMS, "
                f"more than {MAX_PRECISION_ERROR:g}; use the precision fp32, and report this machine"
            )
    return stacked


def _replay_frames(
    voice: Voice, vectors: Arrays, role: str, names: tuple[str, ...], step: GraphSession
) -> dict[str, np.ndarray]:
    """Return the outputs [T, ...] of a graph that reads the frames of the vectors, by `ROLE.NAME`."""
    manifest = voice.manifest
    session = _load(voice, role)
    check_fits(session, voice.graph(role), step, manifest.frame_size)
    noise = {name: np.zeros((1, *shape), np.float32) for name, shape in session.noise.items()}
    table = Controls(manifest.controls).table
    state = session.zero_state()
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for t in range(manifest.parity.frames):
        if role == "resynthesise":
            noise = {name: vectors[f"noise.{name}"][t : t + 1] for name in session.noise}
        frame = vectors["frame"][t : t + 1]
        state, outputs = session.run(state, noise, table, frame, characters_at(session, vectors, t))
        for name in names:
            output = name.removeprefix(f"{role}.")
            if output not in outputs:
                where = voice.path / manifest.parity.file
                raise VoiceError(f"{where}: the {role} graph has no output for {name}; export the voice again")
            found[name].append(outputs[output][0])
    return {name: np.stack(values) for name, values in found.items()}


def _generated(step: GraphSession) -> dict[str, tuple[int, ...]]:
    """Return the outputs of a step graph that the vectors contain, and their shapes without T."""
    read: dict[str, tuple[int, ...]] = {POSITION: (), ATTENTION: (step.window,)}
    return {"frame": step.frame_shape} | (read if step.window else {})


def _load(voice: Voice, role: str) -> GraphSession:
    return GraphSession(voice.path, voice.graph(role), voice.manifest.controls, "cpu")


def _check_shapes(voice: Voice, step: GraphSession, vectors: Arrays) -> None:
    """Raise `VoiceError` if a vector of the step graph is missing or has the wrong shape."""
    manifest = voice.manifest
    shapes: dict[str, tuple[int, ...]] = {f"noise.{name}": shape for name, shape in step.noise.items()}
    shapes |= _generated(step)
    if step.window:
        shapes[CHARACTERS] = (step.window,)
    if manifest.has("resynthesise"):
        shapes[f"resynthesise.{OWN_FRAME}"] = step.frame_shape
    for name, shape in shapes.items():
        wanted = (manifest.parity.frames, *shape)
        if name not in vectors or vectors[name].shape != wanted:
            where = voice.path / manifest.parity.file
            raise VoiceError(f"{where}: needs an array {name} of shape {list(wanted)}; export the voice again")
