"""Random graphs that pass the checks keep what these promise.  benchmarks/graph_checks.py tries many more."""

import sys
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from support.fuzz.compared_graphs import Comparison, accepted
from support.fuzz.random_graphs import random_graph
from support.small_graphs import small_model

from vrnn_engine.runtime.voice.graph_file import check
from vrnn_engine.runtime.voice.graph_file.rules.operators import LISTED
from vrnn_engine.runtime.voice.graph_file.values import ROWS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs glibc, to fill unused memory")
GRAPHS = 200


@pytest.fixture(scope="module")
def comparison() -> Iterator[Comparison]:
    with Comparison() as opened:
        yield opened


def test_random_graphs_that_pass_keep_their_rows_apart(comparison: Comparison) -> None:
    findings = []
    for number in range(GRAPHS):
        graph = random_graph(Random(number), 1, accepted)
        if graph is not None:
            findings.append((number, comparison.compare(graph)))
    assert [found for found in findings if found[1].is_fault] == []
    assert sum(found.kind == "equal" for _, found in findings) > GRAPHS / 2


COUNT = helper.make_node("Shape", ["x"], ["count"], end=1)
FAULTS: dict[str, tuple[str, dict[str, Any], list[onnx.NodeProto], dict[str, Any]]] = {
    "rows": ("ReduceMean", {"rows": None}, [helper.make_node("ReduceMean", ["x", "first"], ["y"])], {"first": [0]}),
    "rows, their place": (
        "TopK",
        {"rows": None, "sizes": (1,)},
        [COUNT, helper.make_node("TopK", ["k", "count"], ["y", "at"], axis=0)],
        {"k": np.arange(50, dtype=np.float32)},
    ),
    "rows, their number": (
        "Add",
        {"sizes": (1,)},
        [COUNT, helper.make_node("Cast", ["count"], ["n"], to=1), helper.make_node("Add", ["x", "n"], ["y"])],
        {},
    ),
    "memory": (
        "MatMul",
        {"rule": lambda call: ([(ROWS,)], 0)},
        [
            helper.make_node("Slice", ["x", "first", "first", "second"], ["none"]),
            helper.make_node("MatMul", ["none", "k"], ["y"]),
        ],
        {"first": [0], "second": [1], "k": np.ones(0, np.float32)},
    ),
    "shape": ("Tanh", {"rule": lambda call: ([(ROWS, 5)], 0)}, [helper.make_node("Tanh", ["x"], ["y"])], {}),
}
"""What a comparison finds -> an operator, what the checks then know wrongly of it, and a graph."""


@pytest.mark.parametrize("found", FAULTS)
def test_a_check_that_is_wrong_is_found(comparison: Comparison, monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    operator, wrong, nodes, constants = FAULTS[found]
    model = small_model(*nodes, row=4, **constants)
    model.graph.input[0].name = "b"
    for node in model.graph.node:
        node.input[:] = ["b" if name == "x" else name for name in node.input]
    if found != "shape":
        assert not accepted(model)
    monkeypatch.setitem(LISTED[""], operator, LISTED[""][operator]._replace(**wrong))
    assert accepted(model)
    assert comparison.compare(model).kind == found.partition(",")[0]


def test_an_end_of_the_process_is_found(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    least = {"least": np.array([-(2**31)], np.int32), "minus": np.array([-1], np.int32)}
    model = small_model(helper.make_node("Div", ["least", "minus"], ["y"]), **least)
    assert not accepted(model)
    monkeypatch.setattr(check, "risky_division", lambda graph: None)
    assert accepted(model)
    assert comparison.compare(model).kind == "ended"
