"""Pauses Python's garbage collector while a command starts: modules, functions and classes are no garbage."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Collect no garbage in a block, and never search for it in what exists at the end of the block."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # or the next collection would go through all that was imported
        if was_enabled:
            gc.enable()
