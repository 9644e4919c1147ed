"""Which limits on what a voice may do are lifted, because the user trusts the author of the voice."""

import os
from collections.abc import Iterable

from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import VoiceError

OPERATORS, SIZE = "operators", "size"
LIMITS = {
    OPERATORS: "which operators a graph may have",
    SIZE: "how many nodes a graph may have, how much memory and work a step may take, and that no row reads another",
}
"""The limits that can be lifted, and what each is about."""

VARIABLE = "VRNN_ENGINE_TRUST"
"""Environment variable that lifts limits for all voices that a process loads: names with commas between them."""


def lifted_limits(trust: str | Iterable[str] | None = ()) -> tuple[str, ...]:
    """Return the limits that are lifted, by the caller or by the environment.

    Parameters
    ----------
    trust : str or iterable of str
        Names of limits; a string may have several, with commas between them; None for no limit.

    Raises
    ------
    VoiceError
        There is no limit of a name.
    """
    given = trust.split(",") if isinstance(trust, str) else trust or ()
    names = {str(name).strip() for name in (*given, *os.environ.get(VARIABLE, "").split(","))} - {""}
    for name in sorted(names - LIMITS.keys()):
        raise VoiceError(f"trust: there is no limit {name!r}{suggest(name, LIMITS, 'limits that can be lifted')}")
    return tuple(sorted(names))
