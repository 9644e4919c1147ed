"""Replaces typographic characters with plain ones, and refuses those that a voice cannot write."""

import logging

from vrnn_engine.runtime.text.alphabet import Alphabet
from vrnn_engine.runtime.voice.text import END, Text

_log = logging.getLogger("vrnn_engine")

_PLAIN = {
    **dict.fromkeys("‘’‚‛′", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    "…": "...",
    "ﬀ": "ff",
    "ﬁ": "fi",
    "ﬂ": "fl",
    "ﬃ": "ffi",
    "ﬄ": "ffl",
}
_SPACES = dict.fromkeys(
    "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "
)
_INVISIBLE = dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", "")
_LINE_ENDS = dict.fromkeys("\v\f\u0085\u2028\u2029", END)
_SILENT = {**_SPACES, **_INVISIBLE, **_LINE_ENDS}


class PlainText:
    """Turns the pieces of a text into characters of a voice's alphabet.

    A letter and an accent after it become the accented letter.  Quotation marks, dashes, ellipses and ligatures become
    plain ones, which is logged once; all kinds of spaces become spaces, and invisible characters are left out.

    Parameters
    ----------
    text : Text
        The voice's entry in its manifest.
    nearest : bool
        Whether the nearest character replaces one that the voice cannot write, which is logged once for each; otherwise
        such a character is an error.
    quiet : bool
        Whether nothing is logged.
    typed : bool
        Whether the text is typed, and may be erased: an error then gives no line and column.
    """

    def __init__(self, text: Text, nearest: bool = False, quiet: bool = False, typed: bool = False) -> None:
        self._alphabet = Alphabet(text)
        self._known = frozenset(text.alphabet)
        self._plain = {one: other for one, other in (_PLAIN | _SILENT).items() if one not in self._known}
        self._nearest, self._quiet, self._typed = nearest, quiet, typed
        self._told = False
        self._line = self._column = 1

    def convert(self, text: str) -> str:
        """Return the next piece of the text, in characters of the alphabet.

        Parameters
        ----------
        text : str

        Raises
        ------
        StreamError
            The voice cannot write a character; the message gives its line, its column, and the nearest character.
        """
        if not text.isascii():
            import unicodedata

            text = unicodedata.normalize("NFC", text)
        found = set(text) - self._known
        for character in sorted(found - self._plain.keys(), key=text.index):
            self._replace_or_refuse(character, text)
        replaced = min(found & _PLAIN.keys(), default="", key=text.index)
        if replaced and not self._told:
            self._told = True
            self._log("typographic characters are written as plain ones, such as %s as %s", replaced, _PLAIN[replaced])
        self._move_on(text)
        return text.translate({ord(one): self._plain[one] for one in found}) if found else text

    def _replace_or_refuse(self, character: str, text: str) -> None:
        other = self._alphabet.nearest(character) if self._nearest else None
        if other is None:
            before = text[: text.index(character)]
            rest = text[len(before) :]
            if self._typed:
                raise self._alphabet.refusal(rest)
            line = self._line + before.count(END)
            column = len(before) - before.rfind(END) if END in before else self._column + len(before)
            raise self._alphabet.refusal(rest, line, column)
        self._log("%s is written as %s", character, other)
        self._plain[character] = other

    def _move_on(self, text: str) -> None:
        self._line += text.count(END)
        self._column = len(text) - text.rfind(END) if END in text else self._column + len(text)

    def _log(self, message: str, *values: str) -> None:
        if not self._quiet:
            _log.info(message, *values)
