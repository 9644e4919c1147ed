"""What benchmarks/soak.py measures in each window of a long run, and how far it may change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vrnn_engine.evaluation.ink import PIECE_SECONDS, describe_ink
from vrnn_engine.evaluation.legibility.measure import rows_of, without_rests
from vrnn_engine.evaluation.sound import SoundStatistics, describe, third_octave_centres
from vrnn_engine.runtime.voice.manifest import Manifest

PIECE = 60.0
"""Longest piece of sound that is described at once, in seconds; a longer one would take memory that hides a leak."""
QUIET = 40.0
"""A third octave that is this far below the loudest one, in dB, is not compared."""
STEADY = 1e-3
"""Sd below which a latent counts as constant."""

Row = dict[str, float]
"""Values of a window by name; those of third octaves are `band_..._hz_db`, those of latents `mean_N` and `sd_N`."""


@dataclass(frozen=True)
class Limit:
    """How far a value may be from that of the first window."""

    name: str
    kind: Literal["difference", "growth", "rise", "ratio", "count"]
    """`growth`: only an increase counts.  `rise`: the value over the first.  `ratio`: the larger value over the
    smaller.  `count`: the value itself."""
    most: float
    unit: str = ""

    def change(self, first: Row, row: Row) -> float:
        """Return how far the value of a window is from that of the first one; 0 if neither has it.

        Parameters
        ----------
        first, row : Row
            Values of the first and of another window.
        """
        before, now = first.get(self.name, np.nan), row.get(self.name, np.nan)
        if np.isnan(before) and np.isnan(now):
            return 0.0
        match self.kind:
            case "count":
                return now
            case "growth":
                return now - before
            case "rise":
                return now / max(before, 1e-9)
            case "difference":
                return abs(now - before)
            case "ratio":
                low, high = sorted((abs(before), abs(now)))
                return high / max(low, 1e-9) if high > 0 else 1.0


LIMITS = (
    Limit("memory", "growth", 5.0, "MiB"),
    Limit("p99", "rise", 2.0),
    Limit("not_finite", "count", 0.0),
    Limit("recoveries", "count", 0.0),
    Limit("faults", "count", 0.0),
    Limit("level", "difference", 3.0, "dB"),
    Limit("spectrum", "growth", 6.0, "dB"),
    Limit("latent_shift", "growth", 1.0, "sd"),
    Limit("latent_sd", "ratio", 1.5),
    Limit("stroke_length", "ratio", 1.3),
    Limit("curvature", "ratio", 1.3),
    Limit("strokes", "ratio", 1.3),
    Limit("slant", "difference", 5.0, "degrees"),
    Limit("size", "ratio", 1.2),
)
"""Limits of what each window prints."""


class Latents:
    """Mean and sd of each latent of a window."""

    def __init__(self) -> None:
        self._count, self._sum, self._squares = 0, np.zeros(1), np.zeros(1)

    def add(self, latent: np.ndarray) -> None:
        """Count the latent [Z] of a frame."""
        self._count += 1
        self._sum = self._sum + latent
        self._squares = self._squares + np.square(latent, dtype=np.float64)

    def row(self) -> Row:
        """Return the mean and sd of each latent, and the mean of both over all latents; of the sd at least `STEADY`."""
        mean = self._sum / self._count
        sd = np.sqrt(np.maximum(self._squares / self._count - mean**2, 0))
        each = {f"mean_{k}": float(value) for k, value in enumerate(mean)}
        each |= {f"sd_{k}": float(value) for k, value in enumerate(sd)}
        return {"latent_mean": float(mean.mean()), "latent_sd": max(STEADY, float(sd.mean())), **each}


class Sound:
    """Level and spectrum of a window of sound, which is described in pieces.

    Parameters
    ----------
    manifest : Manifest
        Manifest of the voice.
    seconds : float
        Length of the window, at least 4.
    """

    def __init__(self, manifest: Manifest, seconds: float) -> None:
        self._rate = manifest.rate
        self._length = round(seconds / max(1, round(seconds / PIECE)) * self._rate)
        self._blocks: list[np.ndarray] = []
        self._found: list[SoundStatistics] = []

    def add(self, block: np.ndarray) -> None:
        """Add the samples of a frame, [n] or [n, 2]."""
        self._blocks.append(block if block.ndim == 1 else block.mean(axis=1))
        if len(self._blocks) * len(block) >= self._length:
            self._describe()

    def row(self) -> Row:
        """Return the values of the window."""
        power = _power([one.level for one in self._found])
        bands = _power([one.bands for one in self._found])
        centres = third_octave_centres(self._rate)
        row = {f"band_{centre:.0f}_hz_db": float(level) for centre, level in zip(centres, bands, strict=True)}
        return {"level": float(power), "voiced": float(np.mean([one.voiced for one in self._found])), **row}

    def _describe(self) -> None:
        self._found.append(describe(np.concatenate(self._blocks), self._rate))
        self._blocks.clear()


class Ink:
    """Strokes, slant and size of a window of ink.

    Parameters
    ----------
    manifest : Manifest
        Manifest of the voice.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._piece = round(PIECE_SECONDS * manifest.rate)
        self._line_height = None if manifest.text is None else manifest.text.line_height
        self._points: list[np.ndarray] = []

    def add(self, block: np.ndarray) -> None:
        """Add points [n, 3]."""
        self._points.append(block)

    def row(self) -> Row:
        """Return the values of the window; the words of a text are measured row by row."""
        ink = np.concatenate(self._points)
        lines = [ink] if self._line_height is None else rows_of(without_rests(ink), self._line_height)
        found = describe_ink(lines, self._piece)
        medians = {"stroke_length": found.length.median, "curvature": found.curvature.median}
        medians |= {"slant": found.slant.median, "size": found.size.median}
        return {**medians, "strokes": found.lifted}


def compare(first: Row, row: Row) -> Row:
    """Return the values of a window that need the first one.

    Parameters
    ----------
    first, row : Row
        Values of the first and of another window.

    Returns
    -------
    Row
        `spectrum`: the largest change of a third octave, dB; only for sound.  `latent_shift`: the root mean square
        over all latents of the change of the mean, in sds of the first window.
    """
    bands = [name for name in first if name.startswith("band_")]
    found: Row = {}
    if bands:
        loudest = max(first[name] for name in bands)
        heard = [name for name in bands if max(first[name], row[name]) > loudest - QUIET]
        found["spectrum"] = max(abs(row[name] - first[name]) for name in heard)
    count = sum(name.startswith("sd_") for name in first)
    shifts = [(row[f"mean_{k}"] - first[f"mean_{k}"]) / max(STEADY, first[f"sd_{k}"]) for k in range(count)]
    return {**found, "latent_shift": float(np.sqrt(np.mean(np.square(shifts))))}


def drifted(rows: Sequence[Row]) -> list[str]:
    """Return what a run has changed by more than its limit, a phrase each; the windows are counted from 1.

    Parameters
    ----------
    rows : sequence of Row
        Values of the windows of one run, in order.
    """
    found = []
    for limit in LIMITS:
        changes = [limit.change(rows[0], row) for row in rows]
        worst = int(np.argmax(changes))  # of several NaN the first
        if not changes[worst] <= limit.most:
            sign = "" if limit.kind == "count" else "times " if limit.kind in ("ratio", "rise") else "by "
            unit = f" {limit.unit}" if limit.unit else ""
            found.append(f"{limit.name} {sign}{changes[worst]:.3g}{unit} in window {worst + 1} (limit {limit.most:g})")
    return found


def _power(levels: Sequence[float] | Sequence[tuple[float, ...]]) -> np.ndarray:
    """Return the level of the mean power of levels in dB."""
    return np.asarray(10 * np.log10(np.mean(10 ** (np.asarray(levels) / 10), axis=0)))
