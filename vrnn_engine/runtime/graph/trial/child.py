"""The process that tries a voice: loads each of its graphs on the CPU, and takes one step with it."""

import contextlib
import signal
from pathlib import Path

import numpy as np

from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.voice.manifest import Graph, Manifest, read_manifest


def main(folder: str, seconds: str) -> None:
    """Try the voice in a folder.  A signal ends this process soon after the limit, even if nobody waits for it.

    Parameters
    ----------
    folder : str
        The voice's folder; its files have been checked.
    seconds : str
        The limit, a whole number of seconds.
    """
    if hasattr(signal, "alarm"):
        signal.alarm(int(seconds) + 5)  # without a handler: the system ends the process, whatever onnxruntime does
    manifest = read_manifest(Path(folder))
    for graph in manifest.graphs:
        with contextlib.suppress(Exception):  # a process that loads this graph meets the same error, and reports it
            _try(Path(folder), graph, manifest)


def _try(folder: Path, graph: Graph, manifest: Manifest) -> None:
    table = Controls(manifest.controls).table
    session = GraphSession(folder, graph, manifest.controls, "cpu")
    noise = {name: np.zeros((1, *shape), np.float32) for name, shape in session.noise.items()}
    frame = np.zeros((1, manifest.frame_size), np.float32) if graph.role != "step" else None
    characters = np.zeros((1, session.window), np.float32) if session.window else None
    session.run(session.zero_state(), noise, table, frame, characters)
