"""Reads text files that a person or another program wrote, and converts paths to printable text."""

import codecs
import os
from pathlib import Path


def read_text_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a text file without its byte order mark, which editors on Windows write.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    bytes
        The content; in a valid file, it is UTF-8.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    return Path(path).read_bytes().removeprefix(codecs.BOM_UTF8)


def printable(path: str | os.PathLike[str]) -> str:
    """Return a path as text that every library can encode; bytes that are not UTF-8 become U+FFFD.

    Parameters
    ----------
    path : str or path
        The path.
    """
    return os.fspath(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
