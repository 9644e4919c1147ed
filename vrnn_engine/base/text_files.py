"""Reads text files that a person or another program wrote."""

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
        UTF-8, if the file is what it should be.

    Raises
    ------
    OSError
        It cannot be read.
    """
    return Path(path).read_bytes().removeprefix(codecs.BOM_UTF8)
