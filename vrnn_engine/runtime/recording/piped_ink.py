"""Reads ink from a pipe, as JSON lines, and converts it while it arrives."""

import codecs
import itertools
import json
from collections.abc import Iterator

import numpy as np

from vrnn_engine.base.reading.rates import check_ratio
from vrnn_engine.base.strokes import StrokeResampler
from vrnn_engine.errors import RecordingError
from vrnn_engine.runtime.recording.fit_ink import fit_to_voice
from vrnn_engine.runtime.recording.ink import EVEN, LATEST, check_points, points_per_second, unreadable
from vrnn_engine.runtime.recording.pipe import Pipe
from vrnn_engine.runtime.voice.manifest import Manifest

LONGEST_STROKE = 100_000
"""Largest number of points of a stroke that is resampled as it arrives: it is kept until the pen is lifted."""
TimedPoint = tuple[np.ndarray, float | None]
"""A point, float32 [1, 3], and its time in seconds, if the line states it."""


class PipedInk:
    """Frames of ink from a pipe.

    The times of the first two points tell the rate. Ink at the voice's rate is passed on point by point, ink at another
    rate stroke by stroke, as it is resampled.

    Parameters
    ----------
    pipe : Pipe
        Gives JSON lines with dx, dy and pen_up, and maybe with unit and t.
    manifest : Manifest
        Manifest of the voice.

    Attributes
    ----------
    label : str
        Name of the pipe in messages.
    length : None
        The number of points is not known before the end.
    """

    def __init__(self, pipe: Pipe, manifest: Manifest) -> None:
        self.label = pipe.label
        self.length: int | None = None
        self._pipe = pipe
        self._manifest = manifest
        self._unit: str | None = None
        self._conversions: dict[str, None] = {}  # in order, each once

    @property
    def conversions(self) -> tuple[str, ...]:
        """How the ink was converted, one line for each conversion; complete once all points are read."""
        return tuple(self._conversions)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the points in blocks, float32 [n, 3].

        Raises
        ------
        RecordingError
            A line is not a point, there is none, the rate is not plausible, or points at another rate have times that
            are not even, or a stroke of more than `LONGEST_STROKE` points.
        """
        points = self._points()
        first = next(points, None)
        if first is None:
            raise RecordingError(f"{self.label}: ends before its first point")
        # Only if the first point has a time, the second can tell the rate, and is waited for.
        second = next(points, None) if first[1] is not None else None
        begin = [first] if second is None else [first, second]
        rate = points_per_second([time for _, time in begin])
        if rate is not None:
            check_ratio(rate, self._manifest.rate, self.label, RecordingError)
        arriving = itertools.chain(begin, points)
        if rate is None or rate == self._manifest.rate:
            yield from (point for point, _ in arriving)
        else:
            self._conversions[f"{rate:g} to {self._manifest.rate} points a second"] = None
            yield from self._resampled(arriving, rate)

    def interrupt(self) -> None:
        """Make an iterator that waits for a point end."""
        self._pipe.interrupt()

    def close(self) -> None:
        """Close the pipe."""
        self._pipe.close()

    def _points(self) -> Iterator[TimedPoint]:
        """Yield each point as it arrives, in the unit of the voice."""
        unit: str | None = None
        for number, line in enumerate(self._pipe.lines()):
            text = line if number else line.removeprefix(codecs.BOM_UTF8)
            try:
                found = json.loads(text.decode()) if text.strip() else {}
                unit = found.get("unit", unit)
                if not isinstance(unit, str | None):
                    raise TypeError("the unit is not a string")
                if "dx" not in found:
                    continue
                point = np.array([(found["dx"], found["dy"], found["pen_up"])], np.float64)
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
                raise unreadable(f"{self.label}: line {number + 1}", error) from None
            fitted, conversions = fit_to_voice(check_points(point, self.label), unit, None, self._manifest, self.label)
            self._conversions |= dict.fromkeys(conversions)
            time = found.get("t")
            yield fitted, float(time) if isinstance(time, int | float) and abs(time) < LATEST else None

    def _resampled(self, points: Iterator[TimedPoint], rate: float) -> Iterator[np.ndarray]:
        """Yield the strokes of points at another rate than the voice's, each as soon as it is complete."""
        resampler = StrokeResampler(self._manifest.rate / rate)
        before: float | None = None
        for point, time in points:
            if before is not None and (time is None or abs(time - before - 1 / rate) > 2 * EVEN):
                raise RecordingError(
                    f"{self.label}: begins at {rate:g} points a second and then has other times, so it cannot be "
                    f"resampled as it arrives; write a file, or give it at the voice's {self._manifest.rate}"
                )
            before = time
            if len(stroke := resampler.push(point)):
                yield stroke
            if resampler.waiting > LONGEST_STROKE:
                raise RecordingError(
                    f"{self.label}: a stroke has more than {LONGEST_STROKE} points, so it cannot be resampled as it "
                    f"arrives; write a file, or give it at the voice's {self._manifest.rate}"
                )
        if len(stroke := resampler.finish()):
            yield stroke
