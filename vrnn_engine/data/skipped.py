"""One warning about all files of a corpus that could not be read."""

import logging
from collections.abc import Sequence
from pathlib import Path

from vrnn_engine.errors import DataError

NAMED = 5
"""Largest number of files that a warning names."""

_log = logging.getLogger(__name__)


def warn_of_skipped(folder: Path, skipped: Sequence[str], count: int, what: str) -> None:
    """Log one warning that names the files left out.

    Parameters
    ----------
    folder : Path
        The corpus.
    skipped : sequence of str
        For each skipped file, its path and the reason.
    count : int
        Number of all files, the skipped ones included.
    what : str
        Plural noun for the files, e.g. `recordings`.

    Raises
    ------
    DataError
        All files were skipped.
    """
    if not skipped:
        return
    if len(skipped) == count:
        raise DataError(f"{folder}: none of its {count:,} {what} can be read; the first: {skipped[0]}")
    more = len(skipped) - NAMED
    named = "; ".join([*skipped[:NAMED], *([f"and {more:,} more"] if more > 0 else [])])
    _log.warning("%s: skipped %d of %s %s: %s", folder, len(skipped), f"{count:,}", what, named)
