"""Says which of the known names a person may have meant."""

import operator
from collections.abc import Iterable

from vrnn_engine.errors import StreamError


def suggest(wanted: str, known: Iterable[str], what: str) -> str:
    """Return `; did you mean X? (WHAT: A, B, C)`, to end the message about an unknown name."""
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    meant = f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else ";"
    return f"{meant} {what}: {', '.join(names) or 'none'}"


def count(value: int, what: str) -> int:
    """Return a number of frames as a plain int; raise `StreamError` unless it is one, 0 or more."""
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < 0:
        raise StreamError(f"{what}: {value!r} is not a whole number of frames, 0 or more")
    return number
