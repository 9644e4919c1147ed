"""How a long take of sound changes: into silence, hum or noise, minute by minute."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.errors import DataError
from vrnn_engine.evaluation.sound import describe


@dataclass(frozen=True)
class Drift:
    """The worst minute of a take, and the change from first to last; `SoundStatistics` says what is measured."""

    level: float
    """Largest difference of a minute's level from the mean level of all of them, dB: silence, or a swelling."""
    depth: float
    """Least sd of the short-term level, dB: steady noise or hum."""
    syllabic: float
    """Least modulation index at syllable rate."""
    voiced: float
    """Least share of loud stretches that have a pitch: noise."""
    high: float
    """Share of the power above 4 kHz in the last minute less that in the first, dB."""

    def to_dict(self) -> dict[str, float]:
        """Return the values by name."""
        return asdict(self)


def drift(samples: NDArray[np.floating], rate: int, piece: float = 60.0) -> Drift:
    """Measure how a take changes.

    Parameters
    ----------
    samples : array
        [N], full scale +-1.
    rate : int
        Hz, at least 8 kHz.
    piece : float
        Seconds of a piece, at least 4: a minute.  What is left after the last whole one is not looked at.

    Raises
    ------
    DataError
        Shorter than two pieces, or what `describe` refuses.
    """
    length = round(piece * rate)
    count = len(samples) // length
    if count < 2:
        raise DataError(f"{len(samples) / rate:.1f} s of sound: drift needs two pieces of {piece:g} s")
    found = [describe(part, rate) for part in np.asarray(samples)[: count * length].reshape(count, length)]
    level = np.array([one.level for one in found])
    return Drift(
        level=float(np.abs(level - level.mean()).max()),
        depth=min(one.depth for one in found),
        syllabic=min(one.syllabic for one in found),
        voiced=min(one.voiced for one in found),
        high=found[-1].high - found[0].high,
    )
