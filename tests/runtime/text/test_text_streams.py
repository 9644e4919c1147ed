"""Streams that write a text: what they yield depends neither on blocks nor on batches, processes or rewinds."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vrnn_engine import Engine, Stream, StreamError
from vrnn_engine.runtime.text.line import SPACE, Line

TEXT = "Dear Anna, thank you\nfor 12 letters.\n\n  Yours,\nBo"
REST = np.array([0, 0, 1], np.float32)


@pytest.fixture(scope="module")
def engine(text_voice: Path) -> Engine:
    return Engine.load(text_voice, "cpu", rows=4)


def read(stream: Stream, *counts: int) -> np.ndarray:
    """Return the frames of several reads, one after the other."""
    return np.concatenate([stream.read(count) for count in counts])


def expected(engine: Engine, frames: int, seed: int = 7, text: str = TEXT) -> np.ndarray:
    """Return frames of a stream that is alone, read at once."""
    return engine.stream(seed, text=text).read(frames)


def test_block_sizes_change_no_bit(engine: Engine) -> None:
    whole = expected(engine, 90)
    assert np.array_equal(read(engine.stream(7, text=TEXT), *[1] * 90), whole)
    assert np.array_equal(read(engine.stream(7, text=TEXT), 3, 0, 50, 7, 29, 1), whole)
    narrow = engine.stream(7, text=TEXT, width=25.0).read(90)
    assert np.array_equal(read(engine.stream(7, text=TEXT, width=25.0), *[1] * 90), narrow)
    assert not np.array_equal(narrow, whole)


def test_read_text_yields_what_read_yields(engine: Engine) -> None:
    stream = engine.stream(7, text=TEXT)
    page = stream.read_text()
    assert (stream.written, stream.pending) == (len(TEXT), 0)
    assert len(page) > 60
    assert np.array_equal(page, expected(engine, len(page)))
    assert len(stream.read_text()) == 0


@pytest.mark.parametrize("text", ["Dear", "Dear Anna,"])
def test_spaces_behind_a_text_have_no_ink(engine: Engine, text: str) -> None:
    stream = engine.stream(7, text=f"{text}  ")
    assert np.array_equal(stream.read_text(), engine.stream(7, text=text).read_text())
    assert stream.written == len(text) + 2


def test_pen_rests_when_all_is_written(engine: Engine) -> None:
    stream = engine.stream(7, text=TEXT)
    frames = len(stream.read_text())
    state = stream.state
    assert np.array_equal(stream.read(5), np.tile(REST, (5, 1)))
    assert stream.frame == frames + 5
    assert stream.state.arrays is state.arrays
    assert stream.state.steps == state.steps


def test_batches_change_no_bit(engine: Engine) -> None:
    texts = {3: "one two three", 7: TEXT, 8: None, 9: "a", 11: "Six streams, four rows.", 12: "x\n\n\ny"}
    alone = {seed: engine.stream(seed, text=text).read(100) for seed, text in texts.items()}
    streams = [engine.stream(seed, text=text) for seed, text in texts.items()]
    blocks = [engine.read(count, streams) for count in (1, 30, 0, 5, 64)]
    for stream, *parts in zip(streams, *blocks, strict=True):
        assert np.array_equal(np.concatenate(parts), alone[stream.seed])


def test_streams_join_and_leave_a_batch_at_any_frame(engine: Engine) -> None:
    first, second, third = (engine.stream(seed, text=TEXT) for seed in (1, 2, 3))
    got = [engine.read(11, [first, second]), engine.read(17, [third, first]), engine.read(9, [second, third, first])]
    assert np.array_equal(np.concatenate([got[0][0], got[1][1], got[2][2]]), expected(engine, 37, 1))
    assert np.array_equal(np.concatenate([got[0][1], got[2][0]]), expected(engine, 20, 2))
    assert np.array_equal(np.concatenate([got[1][0], got[2][1]]), expected(engine, 26, 3))


def test_snapshot_continues_in_another_process(engine: Engine, text_voice: Path, tmp_path: Path) -> None:
    stream = engine.stream(7, text=TEXT, width=25.0)
    stream.controls["output.temperature"] = 0.8
    stream.read(13)
    assert len(stream.state.writing().ready) > 0  # in the middle of a word
    (tmp_path / "saved").write_bytes(stream.snapshot())
    code = f"""
import sys; from pathlib import Path; from vrnn_engine import Engine
stream = Engine.load({str(text_voice)!r}, "cpu").stream(0)
stream.restore(Path({str(tmp_path / "saved")!r}).read_bytes())
print(stream.written, stream.pending)
sys.stdout.flush(); sys.stdout.buffer.write(stream.read(80).tobytes())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    counts, _, frames = done.stdout.partition(b"\n")
    assert counts.decode().split() == [str(stream.written), str(stream.pending)]
    assert np.array_equal(np.frombuffer(frames, np.float32).reshape(-1, 3), stream.read(80))


def test_restore_rewinds_text_and_ink(engine: Engine) -> None:
    stream = engine.stream(7, text=TEXT)
    stream.read(20)
    saved, counts = stream.snapshot(), (stream.written, stream.pending)
    after = stream.read(40)
    stream.write(" and more")
    stream.restore(saved)
    assert (stream.written, stream.pending) == counts
    assert np.array_equal(stream.read(40), after)


def test_fork_has_its_own_text(engine: Engine) -> None:
    stream = engine.stream(7, text=TEXT)
    stream.read(20)
    child, other = stream.fork(7), stream.fork(8)
    child_only = child.fork(7)
    child_only.write("\nP.S.")
    after = stream.read(60)
    assert np.array_equal(child.read(60), after)
    assert not np.array_equal(other.read(60), after)
    assert stream.pending + 5 == child_only.pending + child_only.written - stream.written
    assert len(child_only.read_text()) > len(child.read_text())


def test_text_written_later_equals_text_written_at_once_if_the_window_shows_the_same(engine: Engine) -> None:
    """The window reaches about twelve characters ahead, so a later write need not change the words before."""
    text = "aaaa bbbb cccc dddd eeee ffff gggg"
    whole = engine.stream(7, text=text)
    parts = engine.stream(7, text=text[:25])
    first = parts.read(3)
    parts.write(text[25:])
    assert np.array_equal(np.concatenate([first, parts.read_text()]), whole.read_text())


def test_another_thread_writes_between_reads(engine: Engine) -> None:
    stream, twin = engine.stream(7, text="one two three "), engine.stream(7, text="one two three ")
    blocks = [stream.read(10)]
    thread = threading.Thread(
        target=stream.write,
        args=[
            "four five",
        ],
    )
    thread.start()
    thread.join()
    blocks.append(stream.read_text())
    first = twin.read(10)
    twin.write("four five")
    assert np.array_equal(np.concatenate(blocks), np.concatenate([first, twin.read_text()]))
    assert stream.written == len("one two three four five")


def test_reader_and_writers_do_not_lose_characters(engine: Engine) -> None:
    stream = engine.stream(7, text="go ")
    threads = [threading.Thread(target=lambda: [stream.write("ab ") for _ in range(20)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        stream.read(5)
    for thread in threads:
        thread.join()
    stream.read_text()
    assert (stream.written, stream.pending) == (3 + 3 * 20 * 3, 0)


def test_line_returns_are_in_the_first_point_of_a_line(engine: Engine) -> None:
    """The pen moves to where the last line began, below the mean of its ink, and from there as the model says."""
    height = engine.stepper.require_script().text.line_height
    line = engine.stream(7, text="abc\n").read_text()
    page, loose = (engine.stream(7, text=text).read_text() for text in ("abc\nde", "abc\n\nde"))
    assert len(page) == len(loose)
    assert np.array_equal(page[: len(line)], line)
    assert (loose - page)[len(line)] == pytest.approx([0, height, 0], abs=1e-5)
    page[len(line), 1] = loose[len(line), 1] = 0
    assert np.array_equal(page, loose)
    single = engine.stream(7, text="abc")
    single.read_text()
    single.state = replace(single.state, text=single.state.writing().changed(line=Line()))
    single.write("de")
    first = single.read(1)[0, :2]  # the same step, with the pen at the beginning of an empty line
    path = np.cumsum(line[:, :2], axis=0, dtype=np.float64)
    back = [-path[-1, 0], path[:, 1].mean() + height - path[-1, 1]]
    page = engine.stream(7, text="abc\nde").read_text()
    assert page[len(line), :2] == pytest.approx(first + back, abs=1e-4)


def test_new_text_continues_on_the_line_or_below(engine: Engine) -> None:
    height = engine.stepper.require_script().text.line_height
    for text, more, lines in (("abc", "de", 0), ("abc\n", "de", 1), ("abc", "\nde", 1), ("abc\n", "\n\nde", 3)):
        stream = engine.stream(7, text=text)
        line = np.cumsum(stream.read_text()[:, :2], axis=0, dtype=np.float64)
        stream.write(more)
        word = line[-1] + np.cumsum(stream.read_text()[:, :2], axis=0, dtype=np.float64)
        if lines:
            assert np.abs(word[0] - [0, line[:, 1].mean() + lines * height]).max() < height / 2
        else:
            assert word[:, 1].mean() == pytest.approx(line[:, 1].mean(), abs=1e-4)
            assert word[:, 0].min() == pytest.approx(line[:, 0].max() + SPACE * height, abs=1e-4)


def test_words_that_do_not_fit_begin_a_line(engine: Engine) -> None:
    stream = engine.stream(7, text="some words that go on and on, over three lines", width=22.0)
    page = stream.read_text()
    assert (stream.written, stream.pending) == (46, 0)
    path = np.cumsum(page[:, :2], axis=0, dtype=np.float64)
    assert path[:, 0].max() <= 22.0
    returns = np.flatnonzero(page[:, 1] > 6.0)
    assert len(returns) == 2
    assert (page[returns, 0] < 0).all()
    assert np.cumsum(engine.stream(7, text="some words that go on and on").read_text()[:, 0]).max() > 22.0


def test_word_wider_than_the_line_is_named(engine: Engine) -> None:
    word = "incomprehensibilities" * 2
    stream = engine.stream(7, text=f"a {word}", width=20.0)
    stream.read(2)
    state = stream.state
    with pytest.raises(StreamError, match=rf"^the word '{word}' is \d+ mm wide, but a line has only 20; "):
        stream.read(200)
    assert stream.state is state


def test_memory_does_not_grow_with_the_text(engine: Engine) -> None:
    stream = engine.stream(7, text="start")
    stream.read_text()
    sizes = set()
    for _ in range(8):
        stream.write(" word" * 250)
        stream.read_text()
        sizes.add(len(stream.snapshot()))
    assert stream.written == 5 + 8 * 1250
    assert max(sizes) - min(sizes) < 40
    assert len(stream.state.writing().text) < 5000


def test_erase_removes_what_is_not_being_written(engine: Engine) -> None:
    stream = engine.stream(7, text="one two three")
    stream.read(2)
    assert stream.erase(6) == 6
    assert (stream.written, stream.pending) == (0, 7)
    assert stream.erase(100) == 4
    assert stream.pending == 3
    stream.read_text()
    assert (stream.written, stream.pending) == (3, 0)
    assert stream.erase(1) == 0


def test_stream_without_a_text_begins_new_lines(engine: Engine) -> None:
    stream = engine.stream(7)
    block = stream.read(400)
    assert (stream.written, stream.pending, len(stream.read_text())) == (0, 0, 0)
    assert (block[:, 1] > 8.0).sum() >= 3
    assert np.array_equal(read(engine.stream(7), 1, 99, 300), block)


def test_control_takes_effect_in_the_next_word(engine: Engine) -> None:
    stream, plain = engine.stream(7, text=TEXT), engine.stream(7, text=TEXT)
    first = stream.read(1)
    rest = len(stream.state.writing().ready)
    stream.controls["output.temperature"] = 0.1
    changed, whole = stream.read(60), plain.read(61)
    assert np.array_equal(np.concatenate([first, changed])[: rest + 1], whole[: rest + 1])
    assert not np.array_equal(changed[rest:], whole[rest + 1 :])


def test_the_state_has_the_prior_of_the_word_that_was_generated_last(engine: Engine) -> None:
    streams = [engine.stream(seed, text="one two") for seed in range(2)]
    assert streams[0].state.prior is None
    engine.read(5, streams)
    for stream in streams:
        mean, std = stream.state.prior
        assert np.array_equal(mean, np.zeros_like(stream.latent))  # the latent of a hand is drawn once, from N(0, 1)
        assert np.array_equal(std, np.ones_like(stream.latent))
