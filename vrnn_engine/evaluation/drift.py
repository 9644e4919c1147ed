"""Measures how long generated sound changes over time: whether it turns into silence, hum or noise."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.errors import DataError
from vrnn_engine.evaluation.sound import describe


@dataclass(frozen=True)
class Drift:
    """Statistics of the worst piece of a take, and the change from its first piece to its last.

    See Also
    --------
    vrnn_engine.evaluation.sound.SoundStatistics : the statistics of one piece.
    """

    level: float
    """Largest difference of a piece's level from the mean level of all pieces, dB; large for silence or swelling."""
    depth: float
    """Smallest sd of the short-term level, dB; small for steady noise or hum."""
    syllabic: float
    """Smallest modulation index at syllable rate."""
    voiced: float
    """Smallest share of the loud stretches that have a pitch; small for noise."""
    high: float
    """Share of the power above 4 kHz in the last piece minus that in the first, dB."""

    def to_dict(self) -> dict[str, float]:
        """Return the values by name."""
        return asdict(self)


def drift(samples: NDArray[np.floating], rate: int, piece: float = 60.0) -> Drift:
    """Measure how a take changes from piece to piece.

    Parameters
    ----------
    samples : array [N]
        The take, full scale +-1.
    rate : int
        Sampling rate, Hz; at least 8000.
    piece : float
        Length of a piece in seconds, at least 4.  An incomplete last piece is ignored.

    Raises
    ------
    DataError
        The take is shorter than two pieces, or a piece is too short or its rate too low for `describe`.
    """
    length = round(piece * rate)
    count = len(samples) // length
    if count < 2:
        raise DataError(f"{len(samples) / rate:.1f} s of sound are too short: drift needs two pieces of {piece:g} s")
    found = [describe(part, rate) for part in np.asarray(samples)[: count * length].reshape(count, length)]
    level = np.array([one.level for one in found])
    return Drift(
        level=float(np.abs(level - level.mean()).max()),
        depth=min(one.depth for one in found),
        syllabic=min(one.syllabic for one in found),
        voiced=min(one.voiced for one in found),
        high=found[-1].high - found[0].high,
    )
