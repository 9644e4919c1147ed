"""Every reader of the package, with valid input and a maker of damaged input, for tests and benchmarks/mutations.py."""

from collections.abc import Callable
from pathlib import Path

from support.fuzz import messages, pens, sounds, states, training, voices
from support.fuzz.reader import Reader

READERS: dict[str, Callable[[Path], Reader]] = {
    **voices.READERS,
    **states.READERS,
    **pens.READERS,
    **sounds.READERS,
    **training.READERS,
    **messages.READERS,
}
"""Name of a reader -> makes it, with a folder in which it may write."""
