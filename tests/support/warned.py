"""Collects what the package warns of."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def warnings_logged() -> Iterator[list[str]]:
    """Yield a list that gets a line for each warning that is logged in the block."""
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("vrnn_engine").addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger("vrnn_engine").removeHandler(handler)
