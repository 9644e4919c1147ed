"""Typing while a served voice writes: words wait here until the server needs them, and can be erased until then."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.served import Served, serve
from support.typist import typing

from vrnn_engine.client import connect
from vrnn_engine.client.performance import RemoteLetter, RemotePerformance
from vrnn_engine.client.stream import RemoteStream
from vrnn_engine.client.typed_text import AHEAD, TypedSource, TypedText
from vrnn_engine.runtime.live.control.typewriter import END_OF_INPUT, Typewriter
from vrnn_engine.runtime.live.letters.plain_text import PlainText

REST = [0, 0, 1]


@pytest.fixture(scope="module")
def written(text_voice: Path) -> Iterator[Served]:
    """A server of a voice that reads a text."""
    with serve(str(text_voice)) as server:
        yield server


@pytest.fixture
def remote(written: Served) -> Iterator[RemoteStream]:
    with connect(written.url("text"), seed=1) as opened:
        yield opened


@pytest.fixture
def typed(remote: RemoteStream) -> TypedText:
    return TypedText(remote)


@pytest.fixture
def typewriter(remote: RemoteStream, typed: TypedText) -> Typewriter:
    return Typewriter(typed, PlainText(remote.require_text()))


@pytest.fixture
def letter(remote: RemoteStream, typewriter: Typewriter, typed: TypedText) -> RemoteLetter:
    return RemoteLetter(RemotePerformance(remote), TypedSource(typewriter, typed))


def press(typewriter: Typewriter, keys: str) -> None:
    for key in keys:
        typewriter.press(key)


def test_the_pen_rests_before_the_first_word_and_writes_all_that_is_typed(letter, typewriter, remote) -> None:
    assert letter.read(2).tolist() == [REST, REST]
    press(typewriter, "ix\bs")
    assert letter.read(1).tolist() == [REST]  # no word is complete
    press(typewriter, " it" + END_OF_INPUT)
    while len(letter.read(10)) == 10:
        pass
    assert (remote.written, remote.pending) == (len("is it"), 0)


def test_a_letter_without_a_word_ends(letter, typewriter) -> None:
    press(typewriter, END_OF_INPUT)
    assert len(letter.read(5)) == 0


def test_words_that_the_server_does_not_need_yet_are_erased(letter, typewriter, typed, remote) -> None:
    press(typewriter, "a be see dee ee eff gee ")
    letter.read(1)
    given = remote.written + remote.pending
    assert len("a be see ") <= given <= AHEAD + len("a be see ")
    assert given + typed.kept == len("a be see dee ee eff gee ")
    press(typewriter, 100 * "\b")
    assert typed.kept == 0
    press(typewriter, "x" + END_OF_INPUT)
    while len(letter.read(10)) == 10:
        pass
    assert remote.written == given + len("x")


def test_what_is_typed_is_written_in_the_terminal(written: Served, tmp_path: Path) -> None:
    with typing(written.url("text"), tmp_path) as typist:
        typist.type("an ox")
        typist.wait_for("ox_   ")
        typist.type("\x7fr\nI\x04")
    assert f"{len('an or') + 1 + len('I')} characters, 2 lines, 1 page, " in typist.seen
