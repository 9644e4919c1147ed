"""Reads ink: an array, an .npz or .jsonl file, or JSON lines from a pipe."""

import codecs
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.errors import RecordingError
from vrnn_engine.runtime.recording.fit_ink import fit_to_voice
from vrnn_engine.runtime.recording.pipe import Pipe
from vrnn_engine.runtime.voice.manifest import Manifest

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
    pipe : Pipe, optional
        The pipe that the points come from.
    """

    def __init__(
        self,
        blocks: Iterator[np.ndarray],
        label: str,
        length: int | None = None,
        conversions: tuple[str, ...] = (),
        pipe: Pipe | None = None,
    ) -> None:
        self.label = label
        self.length = length
        self.conversions = conversions
        self._blocks = blocks
        self._pipe = pipe

    @classmethod
    def of(cls, points: Any, unit: str | None, rate: float | None, manifest: Manifest, label: str) -> "InkFrames":
        """Return the frames of an array [T, 3], converted to the unit and the rate of a voice."""
        fitted, conversions = fit_to_voice(check_points(points, label), unit, rate, manifest, label)
        return cls(iter([fitted]), label, len(fitted), conversions)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the points in blocks, float32 [n, 3]."""
        seen = 0
        for block in self._blocks:
            yield block
            seen += len(block)
        if not seen:
            raise RecordingError(f"{self.label}: ends before its first point")

    def interrupt(self) -> None:
        """Make an iterator that waits for a pipe end."""
        if self._pipe is not None:
            self._pipe.interrupt()

    def close(self) -> None:
        """Close the pipe."""
        if self._pipe is not None:
            self._pipe.close()


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
            with np.load(path, allow_pickle=False) as arrays:
                if missing := [name for name in ("dx", "dy", "pen_up") if name not in arrays]:
                    raise RecordingError(_describe_missing(path, missing, set(arrays)))
                points = np.stack([arrays[name] for name in ("dx", "dy", "pen_up")], axis=1)
                unit = str(arrays["unit"]) if "unit" in arrays else None
                return points, unit, float(arrays["rate"]) if "rate" in arrays else None
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
            return np.array(rows, np.float64).reshape(-1, 3), unit, _rate([line.get("t") for line in found])
    except (OSError, ValueError, TypeError, LookupError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(str(path), error) from None
    raise RecordingError(
        f"{path}: ink is read from .npz or .jsonl files with dx, dy and pen_up; convert SVG, InkML, CSV "
        f"or stroke-3 with vrnn-engine ink convert {path} ink.npz"
    )


def ink_of_pipe(pipe: Pipe, manifest: Manifest) -> Iterator[np.ndarray]:
    """Yield the points of JSON lines from a pipe as they arrive, [1, 3] each, in the unit of the voice.

    Raises
    ------
    RecordingError
        A line is not a point, or the times of the first two points are not at the voice's rate.
    """
    unit: str | None = None
    times: list[float | None] = []
    for number, line in enumerate(pipe.lines()):
        try:
            found = (
                json.loads((line if number else line.removeprefix(codecs.BOM_UTF8)).decode()) if line.strip() else {}
            )
            unit = found.get("unit", unit)
            if "dx" not in found:
                continue
            points = np.array([(found["dx"], found["dy"], found["pen_up"])], np.float32)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise _unreadable(f"{pipe.label}: line {number + 1}", error) from None
        if len(times) < 2:
            times.append(found.get("t"))
            rate = _rate(times)
            if rate is not None and rate != manifest.rate:
                raise RecordingError(
                    f"{pipe.label}: ink at {rate:g} points a second cannot be resampled as it arrives; write a file, "
                    f"or give it at the voice's {manifest.rate}"
                )
        yield fit_to_voice(check_points(points, pipe.label), unit, None, manifest, pipe.label)[0]


def _text(path: Path) -> str:
    return read_text_bytes(path).decode()


def _rate(times: list[float | None]) -> float | None:
    """Return the points per second of points at evenly spaced times, or None if they are not, or not known."""
    if len(times) < 2 or None in times:
        return None
    steps = np.diff(np.array(times, np.float64))
    step = float(steps.mean())
    if not (step > 0 and (np.abs(steps - step) <= EVEN).all()):
        return None
    rate = 1 / step
    return float(round(rate)) if abs(rate - round(rate)) <= EVEN * rate**2 else rate


def _unreadable(where: str, error: Exception) -> RecordingError:
    reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
    return RecordingError(f"{where}: cannot be read as ink with dx, dy and pen_up: {reason:.200}")


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
