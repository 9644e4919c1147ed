"""Checks numbers of frames, of rows and of seconds."""

import math
import numbers
import operator
from typing import Any

from vrnn_engine.errors import StreamError


def frame_count(value: int, label: str, what: str = "frames") -> int:
    """Return a number of frames, or of something else, as a plain int.

    Parameters
    ----------
    value : int
        The number; any type with `__index__`, e.g. an integer of numpy.
    label : str
        Name of the number in the error message.
    what : str
        What is counted.

    Raises
    ------
    StreamError
        `value` is not an integer, or is negative.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < 0:
        raise StreamError(f"{label}: {value!r} is not a whole number of {what}, 0 or more")
    return number


def row_count(rows: int) -> int:
    """Return a number of rows as a plain int.

    Parameters
    ----------
    rows : int
        The number; any type with `__index__`.

    Raises
    ------
    StreamError
        `rows` is not a positive integer.
    """
    try:
        number = 0 if isinstance(rows, bool) else operator.index(rows)
    except TypeError:
        number = 0
    if number < 1:
        raise StreamError(f"rows={rows!r} is not a positive integer: an engine steps at least one stream")
    return number


def check_seconds(value: Any, label: str) -> None:
    """Raise `StreamError` unless a value is a number of seconds.

    Parameters
    ----------
    value : float
        The number; any real number, e.g. a float of numpy. NaN is not a number of seconds.
    label : str
        Name of the number in the error message.

    Raises
    ------
    StreamError
        `value` is not a number.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or math.isnan(value):
        raise StreamError(f"{label}={value!r:.60} is not a number of seconds")
