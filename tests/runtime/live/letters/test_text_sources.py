"""Texts from bytes: encodings, line ends, replaced characters, and the place of what cannot be written."""

import logging
import os
import threading
from pathlib import Path

import pytest

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.live.letters.decoder import TextDecoder
from vrnn_engine.runtime.live.letters.plain_text import PlainText
from vrnn_engine.runtime.live.letters.sources import PIECE, TextReader, check_text, given_text, open_text
from vrnn_engine.runtime.recording.pipe import Pipe
from vrnn_engine.runtime.voice.text import Text


def text_of(characters: str) -> Text:
    return Text(
        alphabet=("", *characters, "\n"),
        window=22,
        position="position",
        first_position=-0.5,
        restart=("position",),
        line_height=11.0,
    )


LETTERS = text_of(" abcdefghijklmnopqrstuvwxyzAEO'\"-.,")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that are logged."""
    lines: list[str] = []
    monkeypatch.setattr(logging.getLogger("vrnn_engine"), "info", lambda line, *given: lines.append(line % given))
    return lines


def read_all(reader: TextReader) -> list[str]:
    pieces = []
    while (piece := reader.read()) is not None:
        pieces.append(piece)
    return pieces


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_bytes_in_pieces_of_any_size_give_the_same_lines(size: int) -> None:
    data = "\ufeffone\r\ntwo\rthree\n\néß€𝄞\r\n".encode()
    decoder = TextDecoder("here")
    pieces = [decoder.decode(data[at : at + size]) for at in range(0, len(data), size)]
    assert "".join([*pieces, decoder.decode(b"")]) == "one\ntwo\nthree\n\néß€𝄞\n"


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("data", "offset"),
    [(b"abc\xff", 3), (b"\xff\xfea\0", 0), ("\ufeffaé".encode() + b"\x80", 6), ("ab€".encode()[:-1], 2)],
    ids=["latin-1", "utf-16", "after a byte order mark", "cut off"],
)
def test_invalid_utf8_is_refused_with_its_offset(data: bytes, offset: int, size: int) -> None:
    decoder = TextDecoder("letter.txt")
    with pytest.raises(StreamError, match=rf"^letter.txt: byte {offset} \(0x{data[offset]:02X}\) is not UTF-8; save"):
        for at in range(0, len(data) + size, size):
            decoder.decode(data[at : at + size])


def test_typographic_characters_become_plain_ones_which_is_said_once(log: list[str]) -> None:
    plain = PlainText(LETTERS)
    assert plain.convert("it’s a “test”…\n") == 'it\'s a "test"...\n'
    assert plain.convert("so – and\u00a0so\ta\u200bb\u2028c") == "so - and so ab\nc"
    assert log == ["typographic characters are written as plain ones, such as ’ as '"]


def test_characters_of_the_alphabet_are_not_replaced() -> None:
    assert PlainText(text_of("a’\t")).convert("a’\ta") == "a’\ta"


@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_character_that_the_voice_does_not_have_is_named_with_its_place(size: int) -> None:
    text = "one\ntwo…\nthr ë\n"
    plain = PlainText(LETTERS)
    with pytest.raises(StreamError, match=r"'ë' \(line 3, character 5\); the nearest .* is 'e'$"):
        for at in range(0, len(text), size):
            plain.convert(text[at : at + size])


def test_the_nearest_character_is_written_if_that_is_asked_for(log: list[str]) -> None:
    plain = PlainText(LETTERS, nearest=True)
    assert plain.convert("Ärä ë") == "Ara e"
    assert plain.convert("ë") == "e"
    assert log == ["Ä is written as A", "ä is written as a", "ë is written as e"]
    with pytest.raises(StreamError, match="'☃'"):
        plain.convert("☃")


def test_a_letter_and_its_accent_are_one_character(log: list[str]) -> None:
    text = "cafe\u0301 " * 1000 + "\n"
    assert PlainText(text_of(" acfé")).convert(text) == "café " * 1000 + "\n"
    for size in (PIECE - 1, PIECE, PIECE + 1):
        lines = "\n" * (size - 4)
        reader = given_text(f"{lines}cafe\u0301\n", PlainText(LETTERS, nearest=True))
        assert "".join(read_all(reader)) == f"{lines}cafe\n"
    assert set(log) == {"é is written as e"}


def test_a_quiet_reader_logs_nothing(log: list[str]) -> None:
    checked = check_text(given_text("it’s ë", PlainText(LETTERS, nearest=True, quiet=True)))
    assert checked.characters == 6
    assert not log


@pytest.mark.parametrize("text", ["", "\n\n", " \n\t"])
def test_a_text_without_characters_is_refused(text: str) -> None:
    with pytest.raises(StreamError, match="the text has no characters to write"):
        read_all(given_text(text, PlainText(LETTERS)))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match=r"nothing\.txt: cannot be read: No such file"):
        open_text(tmp_path / "nothing.txt", PlainText(LETTERS))
    with pytest.raises(StreamError, match="is a folder, not a text"):
        open_text(tmp_path, PlainText(LETTERS))


def test_pieces_end_with_a_line_or_are_long(tmp_path: Path) -> None:
    text = "words and words\n" * 1000 + "a long line " * 2000
    (tmp_path / "letter.txt").write_text(text)
    with open_text(tmp_path / "letter.txt", PlainText(LETTERS)) as reader:
        pieces = read_all(reader)
    assert "".join(pieces) == text
    assert len(pieces) > 5
    assert all(piece.endswith("\n") or len(piece) >= PIECE for piece in pieces[:-1])
    assert max(map(len, pieces)) <= 2 * PIECE


def test_lines_of_a_pipe_are_read_as_they_arrive_and_waiting_can_be_interrupted() -> None:
    out, into = os.pipe()
    reader = TextReader(Pipe(out, "stdin", owned=True), PlainText(LETTERS))
    os.write(into, b"one\ntw")
    assert reader.read() == "one\n"
    os.write(into, b"o\n")
    assert reader.read() == "two\n"
    os.write(into, "é".encode()[:1])
    threading.Timer(0.1, reader.interrupt).start()
    assert reader.read() is None
    os.close(into)
    reader.close()
