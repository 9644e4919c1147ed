"""Limits of the rates that files state: a wrong rate would turn a small file into more than the memory holds."""

import numbers
from typing import Any

from vrnn_engine.errors import VRNNEngineError

RATES = 1, 10_000_000
"""Slowest and fastest rate of a recording, in samples or points per second; catches wrong units and typos."""
PEN_RATES = 1, 10_000
"""Slowest and fastest rate of the pens of a corpus: ink is smoothed over as many points as the rate is too high."""
MOST_RATIO = 1000
"""Largest ratio of the wanted rate to that of a recording: soxr makes about 800 samples at a time for each."""


def check_rate(rate: Any, where: str, error_class: type[VRNNEngineError]) -> None:
    """Raise an error unless a rate is a number within `RATES`, or None.

    Parameters
    ----------
    rate : object
        Samples or points per second.
    where : str
        The recording, for the message.
    error_class : type
        Class of the error.
    """
    slowest, fastest = RATES
    is_number = isinstance(rate, numbers.Real) and not isinstance(rate, bool)
    if rate is not None and not (is_number and slowest <= rate <= fastest):
        raise error_class(
            f"{where}: rate={rate!r:.40} is not a number from {slowest} to {fastest}, in samples or points per second"
        )


def check_ratio(given: float, wanted: float, where: str, error_class: type[VRNNEngineError]) -> None:
    """Raise an error if a recording is too slow to be converted to another rate.

    Parameters
    ----------
    given : float
        Rate of the recording, in samples or points per second.
    wanted : float
        Rate of the result.
    where, error_class
        As for `check_rate`.

    Raises
    ------
    VRNNEngineError
        Of class `error_class`: `given` is not within `RATES`, or `wanted` is more than `MOST_RATIO` times as fast.
    """
    check_rate(given, where, error_class)
    if wanted > MOST_RATIO * float(given):  # an integer of numpy may overflow
        raise error_class(
            f"{where}: its rate, {given:g}, is less than 1/{MOST_RATIO} of the wanted {wanted:g}; give its real rate"
        )
