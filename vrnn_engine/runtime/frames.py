"""Checks a number of frames."""

import operator

from vrnn_engine.errors import StreamError


def frame_count(value: int, label: str) -> int:
    """Return a number of frames as a plain int.

    Parameters
    ----------
    value : int
        The number; any type with `__index__`, e.g. an integer of numpy.
    label : str
        Name of the number in the error message.

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
        raise StreamError(f"{label}: {value!r} is not a whole number of frames, 0 or more")
    return number
