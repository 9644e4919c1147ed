"""Converts ink to the unit and the rate of a voice, and rejects implausible ink."""

import numpy as np

from vrnn_engine.base.reading.rates import check_ratio
from vrnn_engine.base.strokes import MILLIMETRES, resample_strokes
from vrnn_engine.errors import RecordingError
from vrnn_engine.runtime.voice.manifest import Manifest

JUMP = 1000
"""Largest move, in standard deviations of the moves that the voice was trained on."""
LIKE = 5
"""A message warns of ink whose rms move differs from the voice's by more than this factor."""
MOST_POINTS = 4_000_000
"""Largest number of points of ink that is converted to another rate, before and after: a day of writing."""
ENOUGH = 20
"""Smallest number of points for which the rms move is compared."""


def fit_to_voice(
    points: np.ndarray, unit: str | None, rate: float | None, manifest: Manifest, where: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Convert points to the unit and the rate of a voice.

    Parameters
    ----------
    points : float32 array [T, 3]
        dx, dy, pen-up.
    unit : str, optional
        Unit of dx and dy, if the recording states it.
    rate : float, optional
        Points per second, if the recording states them.
    manifest : Manifest
        Manifest of the voice.
    where : str
        The recording, for error messages.

    Returns
    -------
    float32 array [T, 3], tuple of str
        The points, and one line for each conversion.

    Raises
    ------
    RecordingError
        A unit cannot be converted to the voice's, the rate is not plausible, the result has more than `MOST_POINTS`
        points, or a move is impossibly long.
    """
    conversions = []
    if unit is not None and unit != manifest.unit:
        if not {unit, manifest.unit} <= set(MILLIMETRES):
            raise RecordingError(
                f"{where}: is ink in {unit!r}, and the voice's unit is {manifest.unit!r}; convert it with "
                "vrnn-engine ink convert --scale"
            )
        scale = MILLIMETRES[unit] / MILLIMETRES[manifest.unit]
        with np.errstate(over="ignore"):  # an infinite move is too long
            points = points * np.array([scale, scale, 1], np.float32)
        conversions.append(f"{unit} to {manifest.unit}")
    if rate is not None and rate != manifest.rate:
        check_ratio(rate, manifest.rate, where, RecordingError)
        ratio = manifest.rate / rate
        if len(points) * max(1, ratio) > MOST_POINTS:
            raise RecordingError(
                f"{where}: would have more than {MOST_POINTS} points at {manifest.rate} a second; is its rate right?"
            )
        points = resample_strokes(points, ratio)
        conversions.append(f"{rate:g} to {manifest.rate} points a second")
    usual = float(np.sqrt(np.mean(np.square(manifest.normalisation.std))))
    sizes = np.abs(points[:, :2]).max(axis=1)
    if sizes.max() > JUMP * usual:
        raise RecordingError(
            f"{where}: point {int(sizes.argmax()) + 1} moves by {sizes.max():.4g} {manifest.unit}, over {JUMP} times "
            "the usual move of the voice's ink; mend it, or convert the ink to the voice's unit"
        )
    larger = float(np.sqrt(np.mean(np.square(points[:, :2])))) / usual
    if len(points) >= ENOUGH and not 1 / LIKE <= larger <= LIKE:
        conversions.append(f"taken as {manifest.unit}, though its moves are {larger:.2g} times as long as the voice's")
    return np.ascontiguousarray(points, np.float32), tuple(conversions)
