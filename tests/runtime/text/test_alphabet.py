"""What a voice can write, and how an error names what it cannot."""

import pytest

from vrnn_engine import StreamError
from vrnn_engine.runtime.text.alphabet import Alphabet
from vrnn_engine.runtime.voice.text import Text

CHARACTERS = " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,'\"-():;?!/"
TEXT = Text(
    alphabet=("", *CHARACTERS, "\n"), window=22, position="p", first_position=-0.5, restart=("p",), line_height=11.0
)
ALPHABET = Alphabet(TEXT)


@pytest.mark.parametrize(
    ("character", "nearest"),
    [("é", "e"), ("É", "E"), ("ñ", "n"), ("ß", "s"), ("“", '"'), ("’", "'"), ("–", "-"), ("…", "."), ("\t", " "),
     ("\u00a0", " "), ("ﬁ", "f"), ("①", "1"), ("漢", None), ("\0", None)],
)  # fmt: skip
def test_nearest_character_is_what_a_person_would_write(character: str, nearest: str | None) -> None:
    assert ALPHABET.nearest(character) == nearest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "Café",
            "the voice cannot write 'é' (line 1, character 4); the nearest that it can is 'e'",
        ),
        (
            "a\nb “c”",
            "the voice cannot write '“' (line 2, character 3); the nearest that it can is '\"'",
        ),
        ("漢", "the voice cannot write '漢' (line 1, character 1); leave it out"),
        ("a\x07", "the voice cannot write U+0007 (line 1, character 2); leave it out"),
        (r"a\b", r"the voice cannot write '\' (line 1, character 2); the nearest that it can is '/'"),
        (
            r"one\ntwo",
            r"the voice cannot write '\' (line 1, character 4); a new line is a real line end, as in a file, not \n",
        ),
        ("", "the text is empty; give at least one character"),
    ],
)
def test_text_that_cannot_be_written_is_one_line(text: str, message: str) -> None:
    with pytest.raises(StreamError) as error:
        ALPHABET.clean(text)
    assert str(error.value) == message


def test_bytes_are_no_text() -> None:
    with pytest.raises(StreamError, match="a text is a string, not bytes"):
        ALPHABET.clean(b"a")  # type: ignore[arg-type]


def test_line_ends_of_all_systems_are_read() -> None:
    assert ALPHABET.clean("a\r\nb\rc\nd") == "a\nb\nc\nd"


def test_indices_are_places_in_the_alphabet() -> None:
    assert ALPHABET.indices(" a\n", 5).tolist() == [1, 2, len(CHARACTERS) + 1, 0, 0]
