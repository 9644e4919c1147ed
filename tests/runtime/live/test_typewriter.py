"""Typing: words reach the stream when they are complete, and can be taken back until they are written."""

import time
from pathlib import Path

import pytest

from vrnn_engine import Engine
from vrnn_engine.runtime.live.control.typewriter import END_OF_INPUT, Typewriter
from vrnn_engine.runtime.live.letters.letter import Letter
from vrnn_engine.runtime.live.letters.plain_text import PlainText
from vrnn_engine.runtime.stream import Stream


@pytest.fixture(scope="module")
def engine(text_voice: Path) -> Engine:
    return Engine.load(text_voice, device="cpu")


@pytest.fixture
def stream(engine: Engine) -> Stream:
    return engine.stream(seed=1)


@pytest.fixture
def typewriter(engine: Engine, stream: Stream) -> Typewriter:
    return Typewriter(stream, PlainText(engine.voice.manifest.text, typed=True))


def press(typewriter: Typewriter, keys: str) -> None:
    for key in keys:
        typewriter.press(key)


def test_a_word_is_written_when_it_is_complete(typewriter: Typewriter, stream: Stream) -> None:
    press(typewriter, "hello")
    assert stream.pending == 0
    press(typewriter, " ")
    assert stream.pending == len("hello ")
    press(typewriter, "you\r")
    assert stream.pending == len("hello you\n")


def test_backspace_erases_the_word_and_what_is_not_written_yet(typewriter: Typewriter, stream: Stream) -> None:
    press(typewriter, "one two\b\b")
    assert typewriter.line(80).startswith("one t_ ")
    press(typewriter, "\x7f\x7f")  # also the space, which takes the word before it back
    assert (stream.pending, typewriter.line(80).partition("_")[0]) == (0, "one")
    press(typewriter, "\x7f\x7f\x7f\x7f")
    assert typewriter.line(80).startswith("_ ")
    press(typewriter, "four ")
    assert stream.pending == len("four ")


def test_a_word_that_is_being_written_is_not_erased(typewriter: Typewriter, stream: Stream) -> None:
    press(typewriter, "one two ")
    stream.read(1)
    press(typewriter, "\b" * 20)
    assert stream.written + stream.pending == len("one ")


def test_typographic_and_unknown_characters(typewriter: Typewriter, stream: Stream) -> None:
    press(typewriter, "it’s ü")
    assert stream.pending == len("it's ")
    assert typewriter.message == "the voice cannot write 'ü'; the nearest that it can is 'u'"
    assert typewriter.line(79) == f"it's _   {typewriter.message}"
    typewriter.press("x")
    assert typewriter.message == ""
    typewriter.press("up")
    assert typewriter.line(80).startswith("it's x_ ")


def test_ctrl_d_writes_the_last_word_and_ends_the_letter(typewriter: Typewriter, stream: Stream) -> None:
    letter = Letter(stream, stream, typewriter)
    assert letter.read(3).tolist() == [[0, 0, 1]] * 3  # the pen rests before the first word
    press(typewriter, "one two")
    assert not typewriter.press(END_OF_INPUT)
    press(typewriter, "more ")
    while len(letter.read(10)) == 10:
        pass
    assert (stream.written, stream.pending) == (len("one two"), 0)


def test_a_pen_that_rests_before_and_after_a_word_takes_its_time(typewriter: Typewriter, stream: Stream) -> None:
    letter, frames = Letter(stream, stream, typewriter), 20

    def seconds_of_rest() -> float:
        began = time.monotonic()
        assert letter.read(frames).tolist() == [[0, 0, 1]] * frames
        return time.monotonic() - began

    least = 0.9 * frames / stream.voice.manifest.frames_per_second
    assert seconds_of_rest() >= least
    press(typewriter, "one ")
    while stream.pending:
        letter.read(1)
    assert seconds_of_rest() >= least


def test_the_line_below_the_ink_fits_the_terminal(typewriter: Typewriter) -> None:
    assert typewriter.line(79) == f"_   {Typewriter.HELP}"
    press(typewriter, "a longer word than")
    assert typewriter.line(79) == f"a longer word than_   {Typewriter.HELP}"
    press(typewriter, "words " * 50)
    assert len(typewriter.line(60)) == 60
    assert typewriter.line(60).partition("_")[0].endswith("words ")
