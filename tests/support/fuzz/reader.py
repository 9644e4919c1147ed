"""What a reader of damaged input is, and the verdict on one input: refused in one line, accepted, or a fault."""

import contextlib
import logging
import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from support.fuzz.damage import damage_bytes
from support.memory import begin_peak, peak_bytes
from vrnn_engine.errors import VRNNEngineError

LONGEST_LINE = 2000
"""Largest number of characters of an error."""
MOST_SECONDS = 20
"""Time after which reading one input is a hang."""
MOST_BYTES = 500 << 20
"""Memory that reading one input may take."""
MOST_ADDRESSES = 6 << 30
"""Address space in bytes above which an allocation fails; see `confine`."""


@dataclass(frozen=True)
class Reader:
    """A reader, and a maker of damaged input for it.

    Attributes
    ----------
    valid : any
        An input that is valid.
    damaged : callable
        Makes a damaged input from a generator of random numbers.
    read : callable
        Reads an input; returns what it holds, as a value that can be compared.
    errors : tuple of type
        The errors that may be raised; their text is one line.
    """

    valid: Any
    damaged: Callable[[Random], Any]
    read: Callable[[Any], Any]
    errors: tuple[type[Exception], ...] = (VRNNEngineError,)

    @classmethod
    def of_bytes(
        cls, valid: bytes, read: Callable[[bytes], Any], damaged: Callable[[Random], bytes] | None = None
    ) -> "Reader":
        """Return a reader of bytes, any of which are damaged by default."""
        return cls(valid, damaged or (lambda rng: damage_bytes(valid, rng)), read)

    @classmethod
    def of_file(
        cls, path: Path, valid: bytes, read: Callable[[Path], Any], damaged: Callable[[Random], bytes] | None = None
    ) -> "Reader":
        """Return a reader of a file, any bytes of which are damaged by default."""

        def read_file(given: bytes) -> Any:
            path.write_bytes(given)
            return read(path)

        return cls.of_bytes(valid, read_file, damaged)


@dataclass(frozen=True)
class Verdict:
    """What became of one input.

    Attributes
    ----------
    kind : str
        `refused`, `equal` (accepted, and it holds what the valid input holds), `other` (accepted, and it holds
        something else), `traceback`, `hang` or `memory`.
    detail : str
        The error, or the traceback.
    """

    kind: str
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether the reader has failed."""
        return self.kind in ("traceback", "hang", "memory")


def confine() -> None:
    """Limit the memory of this process, so that a bomb cannot end the machine, and print no expected warnings."""
    import resource  # not on Windows

    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    logging.getLogger("vrnn_engine").addHandler(logging.NullHandler())


def move_homes(home: Path) -> None:
    """Let all folders of a user be in one folder."""
    for variable in ("VOICES", "CACHE", "MOMENTS", "HANDS", "CONFIG"):
        os.environ[f"VRNN_ENGINE_{variable}"] = str(home / variable.lower())


class _TooLong(BaseException):
    """Reading has taken too long."""


def judge(reader: Reader, given: Any, expected: Any) -> Verdict:
    """Read one input and return the verdict.

    Parameters
    ----------
    reader : Reader
    given : any
        The input.
    expected : any
        What `reader.read` returns for the valid input.
    """
    before, started = begin_peak(), time.monotonic()
    try:
        with _time_limit(), warnings.catch_warnings():
            warnings.simplefilter("error")  # a warning is printed on several lines
            found = reader.read(given)
        verdict = Verdict("equal" if found == expected else "other")
    except reader.errors as error:
        line = str(error)
        one_line = len(line.splitlines()) == 1 and len(line) <= LONGEST_LINE
        verdict = Verdict("refused", line) if one_line else Verdict("traceback", f"not one line: {line!r:.300}")
    except _TooLong:
        return Verdict("hang", traceback.format_exc())
    except Exception:  # noqa: BLE001 - this is what is looked for
        verdict = Verdict("traceback", traceback.format_exc())
    if (more := peak_bytes() - before) > MOST_BYTES:
        return Verdict("memory", f"{more >> 20} MiB; {verdict.detail}")
    if (seconds := time.monotonic() - started) > MOST_SECONDS:
        return Verdict("hang", f"{seconds:.1f} s; {verdict.detail}")
    return verdict


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """Raise `_TooLong` in this thread if the block takes too long."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
