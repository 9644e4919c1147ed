"""Voices whose graphs read some inputs on the CPU, and a sequence of reads of two streams."""

import numpy as np
import onnx
import pytest
from onnx import helper

import vrnn_engine as vrnn
from support import toy_voice
from vrnn_engine.runtime.graph.session import GraphSession


def step_graph(engine: vrnn.Engine) -> GraphSession:
    """Return the step graph that an engine runs."""
    return engine.stepper.graphs.step


def read_on_cpu(*names: str) -> toy_voice.Edit:
    """Make the graph read inputs through a node that onnxruntime runs only on the CPU."""

    def edit(graph: onnx.GraphProto) -> None:
        for node in graph.node:
            for index, name in enumerate(node.input):
                if name in names:
                    node.input[index] = f"{name}.read"
        for name in names:
            graph.node.insert(0, helper.make_node("Asinh", [name], [f"{name}.read"]))

    return edit


READ_ON_CPU = [
    pytest.param((), id="nothing"),
    pytest.param(("noise.latent", "noise.output"), id="noise"),
    pytest.param(("control.latent.shift", "control.output.temperature"), id="controls"),
    pytest.param(("state.h", "state.tail"), id="state"),
    pytest.param(("noise.output", "control.latent.shift", "state.h"), id="some of all"),
]


def read_duet(engine: vrnn.Engine) -> np.ndarray:
    """Read two streams together and apart, and set their controls in between."""
    one, two = engine.stream(1), engine.stream(2)
    blocks = engine.read(3)
    one.controls["latent.shift"] = 0.5
    blocks += engine.read(4)
    two.controls["output.temperature"] = 0.2
    blocks += [one.read(1), two.read(5)]
    one.restore(one.snapshot())
    two.controls["latent.shift"] = -0.5
    blocks += engine.read(20)
    return np.concatenate([block.reshape(-1) for block in blocks])
