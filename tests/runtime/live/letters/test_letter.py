"""A letter gives its stream the text as needed; what is written does not depend on how the text arrives."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vrnn_engine import Engine
from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.live.events import Erase, Rewind
from vrnn_engine.runtime.live.letters.letter import AHEAD, Letter
from vrnn_engine.runtime.live.letters.plain_text import PlainText
from vrnn_engine.runtime.live.letters.sources import given_text
from vrnn_engine.runtime.live.performance import Performance

TEXT = "Dear Anna,\nthank you\n\nfor the letter.\n"


class Pieces:
    """A source of text that counts the pieces that were asked for."""

    def __init__(self, *pieces: str) -> None:
        self.pieces: Iterator[str] = iter(pieces)
        self.asked = 0

    def read(self) -> str | None:
        self.asked += 1
        return next(self.pieces, None)

    def interrupt(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@pytest.fixture(scope="module")
def engine(text_voice: Path) -> Engine:
    return Engine.load(text_voice, device="cpu")


@pytest.fixture(scope="module")
def expected(engine: Engine) -> np.ndarray:
    return engine.stream(seed=5, text=TEXT).read_text()


def read_all(letter: Letter, block: int = 20) -> np.ndarray:
    blocks = []
    while True:
        blocks.append(letter.read(block))
        if len(blocks[-1]) < block:
            return np.concatenate(blocks)


def without_rests(ink: np.ndarray) -> np.ndarray:
    return ink[~(ink == [0, 0, 1]).all(axis=1)]


@pytest.mark.parametrize("block", [1, 20, 1000])
def test_a_letter_is_what_the_stream_writes(engine: Engine, expected: np.ndarray, block: int) -> None:
    stream = engine.stream(seed=5)
    source = given_text(TEXT, PlainText(engine.voice.manifest.text))
    found = read_all(Letter(stream, stream, source), block)
    assert np.array_equal(without_rests(found), expected)
    assert (stream.written, stream.pending) == (len(TEXT), 0)


def test_the_ink_does_not_depend_on_the_pieces_of_the_text(engine: Engine, expected: np.ndarray) -> None:
    for pieces in ([TEXT], TEXT.splitlines(keepends=True), ["Dear An", "na,\nthank you\n\n", "for the lett", "er.\n"]):
        stream = engine.stream(seed=5)
        found = read_all(Letter(Performance(stream), stream, Pieces(*pieces)))
        assert np.array_equal(without_rests(found), expected)


@pytest.mark.parametrize("seconds", [0.1, 0.7, 60.0])
def test_a_rewind_loses_no_text(engine: Engine, seconds: float) -> None:
    lines = TEXT.splitlines(keepends=True)
    for after in (len(lines[0]), len(TEXT) - 1):
        stream = engine.stream(seed=5)
        performance = Performance(stream)
        letter = Letter(performance, stream, Pieces(*lines))
        while stream.written < after:
            letter.read(1)
        letter.read(1)  # the next line is given
        performance.send(Rewind(seconds=seconds))
        read_all(letter)
        assert (stream.written, stream.pending) == (len(TEXT), 0)


def test_an_erased_text_is_not_given_again(engine: Engine) -> None:
    stream = engine.stream(seed=5)
    performance = Performance(stream)
    letter = Letter(performance, stream, Pieces("Dear Anna,\n", "thank you"))
    letter.read(1)
    performance.send(Erase(count=len("Anna,\n")))
    read_all(letter)
    assert stream.written == len("Dear thank you")


def test_a_recorded_letter_replays_bit_for_bit(engine: Engine) -> None:
    stream, log = engine.stream(seed=5), []
    performance = Performance(stream, record=log.append)
    letter = Letter(performance, stream, Pieces(*TEXT.splitlines(keepends=True)))
    frames = [letter.read(20)]
    performance.send(Rewind(seconds=0.4))
    frames.append(read_all(letter))
    again = Performance(engine.stream(seed=5), log).read(performance.frame)
    assert np.array_equal(again, np.concatenate(frames))


def test_text_is_asked_for_when_it_is_needed(engine: Engine) -> None:
    stream = engine.stream(seed=5)
    source = Pieces(*["a line\n"] * 100)
    letter = Letter(stream, stream, source)
    while stream.written < 3 * len("a line\n"):
        letter.read(1)
        assert source.asked <= stream.written // len("a line\n") + 2
    within = Pieces(*["words " * 100] * 10)
    stream = engine.stream(seed=5)
    Letter(stream, stream, within).read(5)
    assert within.asked == -(-AHEAD // 600)


def test_the_pen_rests_while_a_source_that_does_not_wait_has_no_text(engine: Engine, expected: np.ndarray) -> None:
    stream = engine.stream(seed=5)
    letter = Letter(stream, stream, Pieces("", "", TEXT, *[""] * 5))
    assert letter.read(1).tolist() == [[0, 0, 1]]  # a stream that never got a text would write freely
    assert np.array_equal(without_rests(read_all(letter)), expected)


def test_an_interrupted_letter_ends(engine: Engine) -> None:
    stream = engine.stream(seed=5)
    letter = Letter(stream, stream, Pieces(TEXT))
    assert len(letter.read(10)) == 10
    letter.interrupt()
    assert letter.read(10).shape == (0, 3)


def test_an_error_of_the_text_is_raised(engine: Engine) -> None:
    stream = engine.stream(seed=5)
    letter = Letter(stream, stream, given_text("", PlainText(engine.voice.manifest.text)))
    with pytest.raises(StreamError, match="no characters"):
        letter.read(1)
