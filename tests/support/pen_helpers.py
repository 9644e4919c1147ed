"""Ink for tests, and readers of pages that share nothing with what writes them."""

import re
from pathlib import Path

import numpy as np

from vrnn_engine.runtime.sinks import Format

PEN = Format("pen", 100, 3, "mm", "toy")

Strokes = list[np.ndarray]


def words(count: int, climb: float = 0.0) -> np.ndarray:
    """Return words of zigzags 16 mm wide, 5 mm apart, on a line that climbs by `climb` mm a word."""
    word = [(5, -climb, 0), *[(1, 2, 0), (1, -2, 0)] * 7, (1, 2, 0), (1, -2, 1)]
    return np.array(word * count, np.float32)


def writing(points: int, seed: int = 0) -> np.ndarray:
    """Return ink as a person's might be, with strokes of 1 to 40 points, dots, and leaps of all sizes."""
    rng = np.random.default_rng(seed)
    moves = rng.normal([0.3, 0], 0.8, (points, 2))
    up = rng.random(points) < rng.choice([0.02, 0.1, 0.5], points)
    moves[np.roll(up, 1)] += rng.normal([1.5, 0], [2, 1], (up.sum(), 2))
    return np.column_stack([moves, up]).astype(np.float32)


def shapes(points: np.ndarray) -> Strokes:
    """Return the strokes of points [n, 3], each from its own beginning on."""
    places = np.cumsum(points[:, :2].astype(float), axis=0)
    ends = np.flatnonzero(points[:, 2] > 0.5) + 1
    return [stroke - stroke[0] for stroke in np.split(places, ends) if len(stroke)]


def read_hpgl(path: Path | str) -> list[Strokes]:
    """Return the strokes in mm of each page, y upwards."""
    text = Path(path).read_text() if isinstance(path, Path) else path
    pages: list[Strokes] = [[]]
    here, stroke, ready = (0, 0), [], False
    for name, numbers in re.findall(r"([A-Z]{2})([-\d,.]*);", text):
        values = [int(number) for number in numbers.split(",") if number]
        moves = list(zip(values[::2], values[1::2], strict=True)) if name in ("PU", "PD") else []
        if name == "IN":
            ready = True
        elif name == "PG":
            pages.append([])
        elif name == "PD":
            assert ready
            stroke = stroke or [here]
            stroke += moves
        elif name == "PU":
            if stroke:
                pages[-1].append(np.array(stroke) / 40)
            stroke = []
        here = moves[-1] if moves else here
    assert not stroke, "the pen was left down"
    assert here == (0, 0)
    return pages


def read_gcode(path: Path) -> list[Strokes]:
    """Return the strokes in mm of each page, y upwards, as M3 and M5 have the pen down and up."""
    pages: list[Strokes] = [[]]
    here, stroke, down = (0.0, 0.0), [], False
    for line in path.read_text().splitlines():
        words = dict(re.findall(r"([A-Z])(-?[\d.]+)", line))
        if "M" in words and words["M"] == "0":
            pages.append([])
        elif "M" in words:
            if down and words["M"] == "5":
                pages[-1].append(np.array(stroke))
            down = words["M"] == "3"
            stroke = [here] if down else []
        elif "X" in words:
            assert words["G"] == ("1" if down else "0")
            assert not down or float(words["F"]) > 0
            here = float(words["X"]), float(words["Y"])
            stroke += [here] if down else []
    assert not down
    assert here == (0, 0)
    return pages
