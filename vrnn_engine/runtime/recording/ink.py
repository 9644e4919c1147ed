"""Reads ink: an array, or an .npz or .jsonl file."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vrnn_engine.base.reading.arrays import read_npz
from vrnn_engine.base.reading.decoding import one_line
from vrnn_engine.base.reading.limits import MOST_ARRAYS
from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.errors import RecordingError
from vrnn_engine.runtime.recording.fit_ink import fit_to_voice
from vrnn_engine.runtime.voice.manifest import Manifest

LATEST = 1e12
"""Times of points above this, in seconds, are not used."""
_DAMAGED = (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)
"""What reading a damaged file, or one of another kind, raises."""
EVEN = 2e-6
"""Largest deviation in seconds of evenly spaced times that were rounded to microseconds."""


class InkFrames:
    """Frames of ink.

    Parameters
    ----------
    blocks : iterator of float32 arrays [n, 3]
        dx, dy and pen_up in the unit and at the rate of the voice.
    label : str
        Name of the recording in messages.
    length : int, optional
        Number of points, if it is known.
    conversions : tuple of str
        How the ink was converted, one line for each conversion.
    """

    def __init__(
        self,
        blocks: Iterator[np.ndarray],
        label: str,
        length: int | None = None,
        conversions: tuple[str, ...] = (),
    ) -> None:
        self.label = label
        self.length = length
        self.conversions = conversions
        self._blocks = blocks

    @classmethod
    def of(cls, points: Any, unit: str | None, rate: float | None, manifest: Manifest, label: str) -> "InkFrames":
        """Return the frames of an array [T, 3], converted to the unit and the rate of a voice."""
        fitted, conversions = fit_to_voice(check_points(points, label), unit, rate, manifest, label)
        return cls(iter([fitted]), label, len(fitted), conversions)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the points in blocks, float32 [n, 3]."""
        return self._blocks

    def interrupt(self) -> None:
        """Do nothing: no point has to be waited for."""

    def close(self) -> None:
        """Do nothing: the file is closed."""


def read_ink_file(path: Path) -> tuple[np.ndarray, str | None, float | None]:
    """Return the points of a file, and its unit and rate if the file states them.

    Parameters
    ----------
    path : Path
        .npz or .jsonl, with dx, dy and pen_up.

    Returns
    -------
    array [T, 3], str or None, float or None
        Points, unit, points per second.

    Raises
    ------
    RecordingError
        The file cannot be read, or is not ink.
    """
    try:
        if path.suffix.lower() == ".npz":
            arrays = read_npz(path, MOST_ARRAYS)
            if missing := [name for name in ("dx", "dy", "pen_up") if name not in arrays]:
                raise RecordingError(_describe_missing(path, missing, set(arrays)))
            points = np.stack([arrays[name] for name in ("dx", "dy", "pen_up")], axis=1)
            unit = str(arrays["unit"]) if "unit" in arrays else None
            return points, unit, float(arrays["rate"].item()) if "rate" in arrays else None
        if path.suffix.lower() == ".jsonl":
            lines = [json.loads(line) for line in _text(path).splitlines() if line.strip()]
            found = [line for line in lines if "dx" in line]
            rows = [(line["dx"], line["dy"], line["pen_up"]) for line in found]
            if (count := sum("dx" not in line and ("text" in line or "id" in line) for line in lines)) > 1:
                raise RecordingError(f"{path}: has {count} lines of writing; give a file of one line")
            units = {str(line["unit"]) for line in lines if "unit" in line}
            if len(units) > 1:
                raise RecordingError(f"{path}: is ink in several units: {', '.join(sorted(units))}; give one")
            unit = units.pop() if units else None
            return np.array(rows, np.float64).reshape(-1, 3), unit, points_per_second([line.get("t") for line in found])
    except _DAMAGED as error:
        raise unreadable(str(path), error) from None
    raise RecordingError(
        f"{path}: ink is read from .npz or .jsonl files with dx, dy and pen_up; convert SVG, InkML, CSV "
        f"or stroke-3 with vrnn-engine ink convert {path} ink.npz"
    )


def text_of_ink(path: Path) -> str | None:
    """Return what a file says that its ink is, or None if it does not say it.

    Parameters
    ----------
    path : Path
        A .jsonl with a header that has `text`, or an .npz of one line with `texts`.  A file that cannot be read has no
        text; `read_ink_file` says why.
    """
    try:
        if path.suffix.lower() == ".npz":
            arrays = read_npz(path, MOST_ARRAYS, ("texts",))
            texts = arrays["texts"].tolist() if "texts" in arrays else []
        elif path.suffix.lower() == ".jsonl":
            rows = (json.loads(line) for line in _text(path).splitlines() if '"text"' in line)
            texts = [row["text"] for row in rows if "text" in row]
        else:
            return None
    except _DAMAGED:
        return None
    return str(texts[0]) if len(texts) == 1 and texts[0] else None


def _text(path: Path) -> str:
    return read_text_bytes(path).decode()


def points_per_second(times: Sequence[float | None]) -> float | None:
    """Return the rate of points at evenly spaced times, or None if they are not, or not known.

    Parameters
    ----------
    times : sequence of float
        Times of the points in seconds; None for a point without a time.
    """
    if len(times) < 2 or not all(isinstance(time, int | float) and abs(time) < LATEST for time in times):
        return None
    steps = np.diff(np.array(times, np.float64))
    step = float(steps.mean())
    if not (step > 0 and (np.abs(steps - step) <= EVEN).all()):
        return None
    rate = 1 / step
    if not math.isfinite(rate):
        return None
    return float(round(rate)) if abs(rate - round(rate)) <= EVEN * rate**2 else rate


def unreadable(where: str, error: Exception) -> RecordingError:
    """Return the error for ink that cannot be read.

    Parameters
    ----------
    where : str
        The file, or the line of a pipe.
    error : Exception
        What decoding it raised.
    """
    reason = f"no {error}" if isinstance(error, KeyError) else one_line(error)
    return RecordingError(f"{where}: cannot be read as ink with dx, dy and pen_up: {reason}")


def _describe_missing(path: Path, missing: list[str], present: set[str]) -> str:
    wanted = "the arrays dx, dy and pen_up, one value for each point"
    if {"dxy", "offsets"} <= present:  # a prepared corpus, in the units of the tablets that recorded it
        return (
            f"{path}: is a corpus of many lines; save one line, in the voice's unit and rate, as an .npz with {wanted}"
        )
    return f"{path}: an .npz of ink has {wanted}; this one lacks {', '.join(missing)}"


def check_points(source: Any, where: str) -> np.ndarray:
    """Return points as float32 [T, 3]; raise `RecordingError` if they are not ink."""
    try:
        if np.iscomplexobj(source):
            raise TypeError
        with np.errstate(over="ignore"):  # infinity is refused below
            points = np.asarray(source, np.float32)
    except (TypeError, ValueError, OverflowError):
        raise RecordingError(f"{where}: ink must be an array of numbers [T, 3]: dx, dy, pen_up") from None
    if points.size == 0:
        raise RecordingError(f"{where}: is empty, it has no points")
    if points.ndim != 2 or points.shape[1] != 3:
        raise RecordingError(f"{where}: ink must have shape [T, 3]: dx, dy, pen_up; not {list(points.shape)}")
    if not np.isfinite(points).all():
        raise RecordingError(f"{where}: some points are NaN or infinite")
    if not np.isin(points[:, 2], (0.0, 1.0)).all():
        raise RecordingError(f"{where}: pen_up, the third column, must be 0 or 1")
    return np.ascontiguousarray(points)
