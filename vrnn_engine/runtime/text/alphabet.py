"""The characters that a voice can write, and the errors about all others."""

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.voice.text import END, NONE, Text

LOOK_ALIKES = {
    "‘": "'", "’": "'", "‚": "'", "′": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
    "″": '"', "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "…": ".", "·": ".", "•": "*", "×": "x", "÷": "/",
    "\t": " ", "¿": "?", "¡": "!", "|": "/", "\\": "/", "~": "-", "_": "-", "ß": "s", "æ": "a", "Æ": "A", "œ": "o",
    "Œ": "O", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "€": "E", "£": "L",
}  # fmt: skip
"""Characters that resemble another one, besides those whose Unicode decomposition begins with it."""


class Alphabet:
    """The characters of a voice.

    Parameters
    ----------
    text : Text
        The entry of the manifest.
    """

    def __init__(self, text: Text) -> None:
        self._index = {character: index for index, character in enumerate(text.alphabet) if character != NONE}

    def clean(self, text: str) -> str:
        r"""Return a text whose lines end with ``\n`` alone.

        Parameters
        ----------
        text : str
            A text whose lines end with ``\n``, ``\r\n`` or ``\r``.

        Raises
        ------
        StreamError
            The text is empty or not a string, or a character is not in the alphabet.
        """
        if not isinstance(text, str):
            raise StreamError(f"a text is a string, not {type(text).__name__}; decode bytes first")
        if not text:
            raise StreamError("the text is empty; give at least one character")
        text = text.replace("\r\n", END).replace("\r", END)
        self.check(text)
        return text

    def check(self, text: str) -> None:
        """Raise `StreamError` if a character is not in the alphabet.

        Parameters
        ----------
        text : str
        """
        unknown = set(text) - self._index.keys()
        if unknown:
            place = min(text.index(character) for character in unknown)
            before = text[:place]
            raise self.refusal(text[place:], before.count(END) + 1, place - before.rfind(END))

    def indices(self, characters: str, count: int) -> np.ndarray:
        """Return the indices of characters as a graph takes them, float32 [count]; 0 behind the last one.

        Parameters
        ----------
        characters : str
            At most `count` characters of the alphabet.
        count : int
        """
        found = np.zeros(count, np.float32)
        found[: len(characters)] = [self._index[character] for character in characters]
        return found

    def nearest(self, character: str) -> str | None:
        """Return the character of the alphabet that resembles another character most; None if none does.

        Parameters
        ----------
        character : str
            One character.
        """
        import unicodedata

        base = unicodedata.normalize("NFKD", character)[0]
        alike = LOOK_ALIKES.get(character, LOOK_ALIKES.get(base, base))
        choices = (alike, alike.lower(), alike.upper(), " " if character.isspace() else alike)
        return next((one for one in choices if one in self._index), None)

    def refusal(self, text: str, line: int = 0, column: int = 0) -> StreamError:
        r"""Return the error about a character that is not in the alphabet.

        Parameters
        ----------
        text : str
            The text from this character on.
        line, column : int
            Its place in the whole text; both begin at 1.  0: the error names no place.
        """
        character = text[0]
        shown = repr(character) if character.isprintable() else f"U+{ord(character):04X}"
        nearest = self.nearest(character)
        advice = f"the nearest that it can is {nearest!r}" if nearest else "leave it out"
        if character == "\\":
            shown = "'\\'"  # repr doubles it
            if text.startswith(r"\n"):
                advice = r"a new line is a real line end, as in a file, not \n"
        place = f" (line {line}, character {column})" if line else ""
        return StreamError(f"the voice cannot write {shown}{place}; {advice}")
