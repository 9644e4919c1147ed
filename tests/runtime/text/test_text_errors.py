"""Errors of streams about their text are one line each and leave the stream as it was."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vrnn_engine import Engine, StreamError
from vrnn_engine.errors import NotFiniteError


@pytest.fixture(scope="module")
def engine(text_voice: Path) -> Engine:
    return Engine.load(text_voice, "cpu", rows=2)


def test_text_needs_a_voice_that_reads_one(toy_pen: Path) -> None:
    engine = Engine.load(toy_pen, "cpu")
    stream = engine.stream(1)
    message = r"^voice 'toy-pen' writes no text; load a voice that does, for example 'handwriting'$"
    for call in (
        lambda: engine.stream(1, text="a"),
        lambda: engine.stream(1, width=100.0),
        lambda: stream.write("a"),
        lambda: stream.erase(1),
        lambda: stream.read_text(),
        lambda: stream.pending,
        lambda: stream.written,
        lambda: stream.prime(np.zeros((4, 3), np.float32), text="a"),
    ):
        with pytest.raises(StreamError, match=message):
            call()
    assert engine.streams == [stream]


def test_bad_text_changes_nothing(engine: Engine) -> None:
    stream = engine.stream(7, text="one")
    state = stream.state
    for text in ("", "Café", "a\n\tb"):
        with pytest.raises(StreamError):
            stream.write(text)
        with pytest.raises(StreamError):
            engine.stream(7, text=text)
    assert stream.state is state


def test_a_text_is_a_string(engine: Engine) -> None:
    stream = engine.stream(7)
    for text, kind in ((None, "NoneType"), (b"one", "bytes")):
        with pytest.raises(StreamError, match=f"^a text is a string, not {kind}; decode bytes first$"):
            stream.write(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [0, -1.0, float("nan"), float("inf"), "100", True])
def test_width_is_a_positive_number(engine: Engine, width: object) -> None:
    with pytest.raises(StreamError, match="is not a positive number"):
        engine.stream(7, width=width)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [-1, 1.5, "1"])
def test_count_to_erase_is_a_whole_number(engine: Engine, count: object) -> None:
    with pytest.raises(StreamError, match=rf"^erase: {count!r} is not a whole number of characters, 0 or more$"):
        engine.stream(7, text="one").erase(count)  # type: ignore[arg-type]


def test_closed_stream_takes_no_text(engine: Engine) -> None:
    stream = engine.stream(7, text="one")
    stream.close()
    for call in (lambda: stream.write("a"), lambda: stream.erase(1), stream.read_text):
        with pytest.raises(StreamError, match="this stream is closed"):
            call()


def test_frame_that_is_not_finite_stops_all_streams_of_the_batch(engine: Engine) -> None:
    good, bad = engine.stream(1, text="one two"), engine.stream(2, text="one two")
    bad.state = replace(bad.state, arrays={**bad.state.arrays, "latent": bad.state.arrays["latent"] + np.nan})
    states = good.state, bad.state
    with pytest.raises(NotFiniteError, match="voice 'text' with seed 2 generated a frame that is not finite"):
        engine.read(5, [good, bad])
    assert (good.state, bad.state) == states
    assert np.array_equal(good.read(20), engine.stream(1, text="one two").read(20))


def test_snapshot_with_an_impossible_text_is_refused(engine: Engine) -> None:
    stream, other = engine.stream(7, text="one"), engine.stream(7, text="one")
    state = stream.state
    for change in ({"done": 4}, {"offset": -1}, {"text": "Café"}, {"ready": np.zeros((2, 2), np.float32)}):
        other.state = replace(state, text=state.writing().changed(**change))
        with pytest.raises(StreamError):
            stream.restore(other.snapshot())
    assert stream.state is state


def test_write_waits_for_a_read_in_progress(engine: Engine) -> None:
    stream = engine.stream(7, text="one")
    with stream.lock:  # as a read holds it
        thread = threading.Thread(target=stream.write, args=[" two"])
        thread.start()
        thread.join(0.05)
        assert stream.pending == 3
    thread.join()
    assert stream.pending == 7


def test_voices_without_text_start_without_the_modules_that_write(toy_pen: Path) -> None:
    """They would make each start slower."""
    code = f"""
import sys; from vrnn_engine import Engine
Engine.load({str(toy_pen)!r}, "cpu").stream(1).read(2)
print(*(name for name in sys.modules if ".runtime.writing" in name or ".runtime.text." in name))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split() == []
