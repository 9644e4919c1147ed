"""Reads text files that a person or another program wrote, and makes paths and other text fit to be printed."""

import codecs
import os
import re
import unicodedata

from vrnn_engine.base.reading.limits import MOST_TEXT, read_file

_PLAIN = re.compile(r"[ -~]*")
_KEPT = {"\u200c", "\u200d"}
"""Joiners, which are of category Cf but which Arabic, Indic scripts and emoji need."""


def read_text_bytes(path: str | os.PathLike[str], most: int = MOST_TEXT) -> bytes:
    """Return the content of a text file without its byte order mark, which editors on Windows write.

    Parameters
    ----------
    path : str or path
        The file, or a pipe that a shell has opened for `<(...)`.
    most : int
        Largest size in bytes.

    Returns
    -------
    bytes
        The content; in a valid file, it is UTF-8.

    Raises
    ------
    OSError
        The file cannot be read, or is larger.
    """
    return read_file(path, most, piped=True).removeprefix(codecs.BOM_UTF8)


def printable(path: str | os.PathLike[str]) -> str:
    """Return a path as text that every library can encode; bytes that are not UTF-8 become U+FFFD.

    Parameters
    ----------
    path : str or path
        The path.
    """
    return os.fspath(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def visible(text: str, keep: str = "") -> str:
    r"""Return a text with each character that is not printed replaced by its JSON escape, e.g. `\u001b`.

    These are the control characters C0 and C1 (ESC, CR, LF, BEL ...), the controls of bidirectional text, other format
    characters, and line and paragraph separators. JSON stays valid and keeps its meaning, because it has such
    characters only in strings. Surrogates stay: they stand for the bytes of a file name that is not UTF-8.

    Parameters
    ----------
    text : str
        The text.
    keep : str
        Characters that stay as they are, e.g. the newlines of a text of several lines.
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(_escape(one) if _is_hidden(one) and one not in keep else one for one in text)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") and character not in _KEPT


def _escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
