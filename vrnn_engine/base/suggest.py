"""Suggests known names in the error message about an unknown name."""

from collections.abc import Iterable


def suggest(wanted: str, known: Iterable[str], label: str) -> str:
    """Return the end of an error message about an unknown name.

    Parameters
    ----------
    wanted : str
        The unknown name.
    known : iterable of str
        The names that exist.
    label : str
        Words that introduce the list of known names, e.g. `voices here`.

    Returns
    -------
    str
        `; did you mean 'X'? LABEL: A, B, X`, or `; LABEL: A, B, X` if no known name resembles `wanted`.

    Examples
    --------
    >>> suggest("blizard", ["handwriting", "blizzard"], "voices here")
    "; did you mean 'blizzard'? voices here: blizzard, handwriting"
    """
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(wanted, names, n=3)
    meant = f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else ";"
    return f"{meant} {label}: {', '.join(names) or 'none'}"
