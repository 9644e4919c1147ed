"""Stepping many sessions: a session that fails is found, and the others get the same frames as without it."""

import asyncio
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from support import toy_voice

from vrnn_engine.errors import NotFiniteError, ProviderError, StreamError, VRNNEngineError
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.serve.codec import pack_frames
from vrnn_engine.serve.protocol import End
from vrnn_engine.serve.sessions.outbox import DropFrames, Outbox
from vrnn_engine.serve.sessions.stepping import step


class Row:
    """The part of a session that `step` uses."""

    def __init__(self, stream) -> None:
        self.stream = stream


@pytest.mark.parametrize("bad", [(), (0,), (6,), (2, 3), (0, 1, 2, 3, 4, 5, 6)], ids=str)
def test_the_rows_that_fail_are_found_and_the_others_step(engine: Engine, bad) -> None:
    rows = [Row(engine.stream(seed=seed)) for seed in range(7)]
    for index in bad:
        rows[index].stream.controls["latent.temperature"] = 1e9
        rows[index].stream.controls["latent.hold"] = 0.0
    found = dict(step(engine, 8, rows))
    assert list(found) == rows
    for seed, row in enumerate(rows):
        if seed in bad:
            assert isinstance(found[row], NotFiniteError)
            assert row.stream.frame == 0
        else:
            assert np.array_equal(found[row], engine.stream(seed=seed).read(8))


def test_a_word_that_is_too_wide_stops_only_its_own_row() -> None:
    engine = Engine.load("handwriting", "cpu")
    wide = Row(engine.stream(seed=1, text="incomprehensibilities", width=5.0))
    fine = Row(engine.stream(seed=2, text="a", width=50.0))
    found = dict(step(engine, 2, [wide, fine]))
    assert isinstance(found[wide], StreamError)
    assert "wide" in str(found[wide])
    assert np.array_equal(found[fine], engine.stream(seed=2, text="a", width=50.0).read(2))


def looking_up(graph: onnx.GraphProto) -> None:
    """Add an element of a table to the frame; a control gives its index, which may be out of the table."""
    last = next(one for one in graph.node if one.output[0] == "frame")
    last.output[0] = "alone"
    for one in graph.node:
        one.input[:] = ["alone" if name == "frame" else name for name in one.input]
    for name, value in (("table", np.zeros(9, np.float32)), ("last.axis", np.array([1]))):
        graph.initializer.append(numpy_helper.from_array(value, name))
    graph.node.append(helper.make_node("ReduceSum", ["control.latent.shift", "last.axis"], ["index"], keepdims=1))
    graph.node.append(helper.make_node("Cast", ["index"], ["whole"], to=onnx.TensorProto.INT64))
    graph.node.append(helper.make_node("Gather", ["table", "whole"], ["found"]))
    graph.node.append(helper.make_node("Add", ["alone", "found"], ["frame"]))


@pytest.fixture
def fragile_engine(tmp_path: Path) -> Engine:
    return Engine.load(toy_voice.build(tmp_path / "voice", edit_step=looking_up), "cpu")


@pytest.mark.parametrize("count", [1, 4])
def test_an_error_of_onnxruntime_that_a_control_causes_ends_its_own_session(fragile_engine: Engine, count: int) -> None:
    rows = [Row(fragile_engine.stream(seed=seed)) for seed in range(count)]
    rows[0].stream.controls["latent.shift"] = 3.0
    found = dict(step(fragile_engine, 2, rows))
    assert isinstance(found[rows[0]], ProviderError)
    for seed, row in enumerate(rows[1:], 1):
        assert np.array_equal(found[row], fragile_engine.stream(seed=seed).read(2))
    assert fragile_engine.streams == [row.stream for row in rows]


def test_a_device_that_fails_is_an_error_of_no_session(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ProviderError("the device is gone")

    rows = [Row(engine.stream(seed=seed)) for seed in range(3)]
    monkeypatch.setattr(engine.stepper, "advance", fail)
    with pytest.raises(ProviderError, match="the device is gone"):
        list(step(engine, 2, rows))


def test_a_stream_that_is_closed_fails_alone(engine: Engine) -> None:
    rows = [Row(engine.stream(seed=seed)) for seed in range(3)]
    rows[1].stream.close()
    found = dict(step(engine, 2, rows))
    assert isinstance(found[rows[1]], VRNNEngineError)
    assert np.array_equal(found[rows[2]], engine.stream(seed=2).read(2))


def test_frames_before_a_clear_are_dropped_and_everything_else_is_sent() -> None:
    async def sent() -> tuple[int, int, list[object]]:
        outbox, end = Outbox(frame_bytes=4), End(code=1000, reason="done")
        one, two, three = (pack_frames(0, bytes(4 * count)) for count in (1, 2, 3))
        outbox.put([two, "first", one])
        dropped = outbox.put([three, DropFrames(), "cleared", two, end])
        assert outbox.ending.is_set()
        return dropped, outbox.sent, [await outbox.take() for _ in range(4)][:3]

    assert asyncio.run(sent()) == (6, 6, ["first", "cleared", pack_frames(0, bytes(8))])


def test_a_client_that_does_not_read_is_not_read_either() -> None:
    async def blocked() -> tuple[bool, bool]:
        outbox = Outbox(frame_bytes=1)
        outbox.put(["message"] * 101)
        waiting = asyncio.create_task(outbox.has_room())
        await asyncio.sleep(0)
        before = waiting.done()
        await outbox.take()
        await asyncio.wait_for(waiting, 5)
        return before, waiting.done()

    assert asyncio.run(blocked()) == (False, True)
