"""Run the graphs of an exported voice on random inputs, and compare the outputs."""

import numpy as np

from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.voice.manifest import Provenance

TOLERANCE = 1e-4

MADE_UP = Provenance(data="made up", source="a test", licence="none", command="none")


def sessions(voice, roles=("step", "observe")):
    return [GraphSession(voice.path, voice.graph(role), voice.manifest.controls, "cpu") for role in roles]


def inputs_for(shapes, rows, rng):
    """Return random inputs of a graph, within the ranges that it needs."""
    values = {name: rng.standard_normal((rows, *shape)).astype(np.float32) for name, shape in shapes.items()}
    for name in values:
        if name == "state.pending":
            values[name] = (values[name] > 0).astype(np.float32)
        elif name.endswith(("temperature", "hold")):
            values[name] = rng.uniform(0, 1, values[name].shape).astype(np.float32)
    if "frame" in values and shapes["frame"] == (3,):
        values["frame"][:, 2] = values["frame"][:, 2] > 0
    return values


def run(session, values):
    groups = [
        {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
        for prefix in ("state.", "noise.", "control.")
    ]
    state, outputs = session.run(*groups, values.get("frame"))
    return {f"next.{name}": value for name, value in state.items()} | outputs


def difference(found, expected):
    return np.abs(found - expected).max() / (np.abs(expected).max() or 1)
