"""Fixtures of the tests of the web page and the server."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from support import browser as browsers
from support import toy_voice
from support.served import Served, serve

from vrnn_engine.runtime.engine import Engine


@pytest.fixture(scope="session")
def browser() -> Iterator[browsers.Browser]:
    """One Chromium for all tests of this process; each opens a page of its own."""
    reason = browsers.missing()
    if reason:
        pytest.skip(reason)
    with browsers.open_browser() as running:
        yield running


HOTTEST = 1e9
"""Largest value that the manifest of a voice may allow for a control."""


def _heat(graph: onnx.GraphProto) -> None:
    """Make a temperature t from t * (1 + 3.4e29 * (t / 1e9)**32): that is 3.4e38 for 1e9, and t itself for small t."""
    for name, value in (("per.hottest", 1 / HOTTEST), ("heat", 3.4e29), ("one", 1.0)):
        graph.initializer.append(onnx.numpy_helper.from_array(np.float32([value]), f"hot.{name}"))
    asked, powers = "control.latent.temperature", [f"hot.{2**n}" for n in range(6)]
    nodes = [onnx.helper.make_node("Mul", [asked, "hot.per.hottest"], [powers[0]])]
    nodes += [onnx.helper.make_node("Mul", [a, a], [b]) for a, b in itertools.pairwise(powers)]
    nodes.append(onnx.helper.make_node("Mul", [powers[-1], "hot.heat"], ["hot.more"]))
    nodes.append(onnx.helper.make_node("Add", ["hot.more", "hot.one"], ["hot.times"]))
    nodes.append(onnx.helper.make_node("Mul", [asked, "hot.times"], ["hot.temperature"]))
    for node in graph.node:
        node.input[:] = ["hot.temperature" if name == asked else name for name in node.input]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])


def _allow_high_temperatures(manifest: dict) -> None:
    for control in manifest["controls"]:
        if control["name"].endswith(".temperature"):
            control["maximum"] = HOTTEST


@pytest.fixture(scope="session")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a toy voice whose frames are not finite for long at a latent temperature of 1e9.

    At an output temperature of 1000 they are 34 dB too loud.
    """
    folder = toy_voice.build(tmp_path_factory.mktemp("voices") / "toy-audio", edit_step=_heat)
    toy_voice.change(folder, _allow_high_temperatures)
    return folder


def _amplify(graph: onnx.GraphProto) -> None:
    """Multiply the frame by the eighth power of the output temperature: by 1 at its default, by 256 at its end."""
    names = ["control.output.temperature", "loud.2", "loud.4", "loud.8"]
    for node in graph.node:
        for names_of in (node.input, node.output):  # the state follows from the frame before it is amplified
            names_of[:] = ["quiet.frame" if name == "frame" else name for name in names_of]
    graph.node.extend(onnx.helper.make_node("Mul", [a, a], [b]) for a, b in itertools.pairwise(names))
    graph.node.append(onnx.helper.make_node("Mul", ["quiet.frame", "loud.8"], ["frame"]))


@pytest.fixture(scope="session")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a toy voice that is far too loud at an output temperature of 2."""
    return toy_voice.build(tmp_path_factory.mktemp("voices") / "toy-loud", edit_step=_amplify)


@pytest.fixture(scope="module")
def engine(fragile: Path) -> Engine:
    """The same voice without a server."""
    return Engine.load(fragile, "cpu")


@pytest.fixture(scope="module")
def served(fragile: Path) -> Iterator[Served]:
    """A server of that voice."""
    with serve(str(fragile)) as server:
        yield server
        server.wait_until_empty("toy-audio")  # no test has left a session behind
