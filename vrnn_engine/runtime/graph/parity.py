"""Replays a voice's parity vectors: does this machine compute what PyTorch computed?"""

from dataclasses import dataclass

import numpy as np

from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.voice.voice import Voice

MOST_IN_FEW_BITS = 0.15
"""Root mean square of what a step's frames in another precision may be apart, over that of the frames."""


@dataclass(frozen=True)
class ParityReport:
    """What `verify` found.

    Attributes
    ----------
    voice : str
    frames : int
        Frames replayed.
    tolerance : float
        As the manifest gives it.
    differences : dict of str to float
        Array -> largest difference over the largest magnitude of the array.
    """

    voice: str
    frames: int
    tolerance: float
    differences: dict[str, float]


def verify(voice: Voice) -> ParityReport:
    """Replay the parity vectors through the voice's graphs on the CPU, and hold its other precisions against them.

    Raises
    ------
    VoiceError
        A vector is missing or of another shape, or the graphs differ past the manifest's tolerance.
    """
    manifest, vectors = voice.manifest, voice.parity()
    frames, where = manifest.parity.frames, str(voice.path / manifest.parity.file)
    step = GraphSession(voice.path, voice.graph("step"), manifest.controls, "cpu")
    shapes = {"frame": (manifest.frame_size,), **{f"noise.{name}": shape for name, shape in step.noise.items()}}
    for name, shape in shapes.items():
        if name not in vectors or vectors[name].shape != (frames, *shape):
            raise VoiceError(f"{where}: needs an array {name} of shape {[frames, *shape]}")
    table = Controls(manifest.controls).table

    others = [graph for graph in manifest.graphs if graph.role == "step"][1:]
    few = {graph.precision: GraphSession(voice.path, graph, manifest.controls, "cpu") for graph in others}
    state, made = step.zero_state(), []
    of_few: dict[str, list[np.ndarray]] = {precision: [] for precision in few}
    for t in range(frames):
        noise = {name: vectors[f"noise.{name}"][t : t + 1] for name in step.noise}
        for precision, session in few.items():
            of_few[precision].append(session.run(state, noise, table)[1]["frame"][0])
        state, outputs = step.run(state, noise, table)
        made.append(outputs["frame"][0])
    for name, frames_of in of_few.items():
        apart = frames_apart(np.stack(frames_of), np.stack(made))
        if not apart <= MOST_IN_FEW_BITS:
            raise VoiceError(
                f"{voice.path}: frames in {name} are {apart:.2g} of their size from those in fp32, "
                f"more than {MOST_IN_FEW_BITS:g}; stream with --precision fp32, and report this machine"
            )
    differences = {"frame": relative_difference("frame", np.stack(made), vectors["frame"])}

    observed = [name for name in vectors if name.startswith("observe.")]
    if observed:
        observe = GraphSession(voice.path, voice.graph("observe"), manifest.controls, "cpu")
        silence = {name: np.zeros((1, *shape), np.float32) for name, shape in observe.noise.items()}
        state = observe.zero_state()
        seen: dict[str, list[np.ndarray]] = {name: [] for name in observed}
        for t in range(frames):
            state, outputs = observe.run(state, silence, table, vectors["frame"][t : t + 1])
            for name in observed:
                if name.removeprefix("observe.") not in outputs:
                    raise VoiceError(f"{where}: {name} is no output of the observe graph")
                seen[name].append(outputs[name.removeprefix("observe.")][0])
        differences |= {name: relative_difference(name, np.stack(seen[name]), vectors[name]) for name in observed}

    report = ParityReport(voice.name, frames, manifest.parity.tolerance, differences)
    worst = max(differences, key=lambda name: differences[name])
    if not differences[worst] <= report.tolerance:
        raise VoiceError(
            f"{voice.path}: {worst} differs from PyTorch's by {differences[worst]:.2g} of its largest value, "
            f"more than {report.tolerance:g}; export the voice again, or report this machine"
        )
    return report


def frames_apart(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the root mean square of the difference over that of what is expected."""
    return float(np.sqrt(np.mean(np.square(found - expected)) / max(np.mean(np.square(expected)), 1e-30)))


def relative_difference(name: str, found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference over the largest magnitude expected; infinite where it is no number.

    What counts in nats (`kl`, `log_likelihood`) is held against one nat at least: a KL of nearly zero is
    a difference of large numbers, and its last bits mean nothing.
    """
    if found.shape != expected.shape:
        return float("inf")
    if not np.isfinite(found).all():
        return float("inf")
    in_nats = name.endswith(("kl", "log_likelihood"))
    scale = max(float(np.abs(expected).max()), 1.0 if in_nats else 0.0) or 1.0
    difference = float(np.abs(found.astype(np.float64) - expected).max()) / scale
    return difference if np.isfinite(difference) else float("inf")
