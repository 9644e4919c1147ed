"""What a corpus left out because it could not be read: said in one line."""

import logging
from collections.abc import Sequence
from pathlib import Path

from vrnn_engine.errors import DataError

NAMED = 5
"""Files that a warning names."""

_log = logging.getLogger(__name__)


def warn_of_skipped(folder: Path, skipped: Sequence[str], count: int, what: str) -> None:
    """Log a warning of files left out, of `count`; raise `DataError` if those are all."""
    if not skipped:
        return
    if len(skipped) == count:
        raise DataError(f"{folder}: none of its {count:,} {what} can be read; the first: {skipped[0]}")
    more = len(skipped) - NAMED
    named = "; ".join([*skipped[:NAMED], *([f"and {more:,} more"] if more > 0 else [])])
    _log.warning("%s: skipped %d of %s %s: %s", folder, len(skipped), f"{count:,}", what, named)
