"""Ink that a simple font of strokes draws, and corpora of it, for tests of the recogniser."""

from pathlib import Path

import numpy as np

FONT = {
    "a": [[(0, 0), (3, 0), (3, 5), (0, 5), (0, 0)]],
    "b": [[(0, 10), (0, 0), (4, 0)]],
    "c": [[(4, 5), (0, 5), (0, 0), (4, 0)]],
    "d": [[(0, 0), (2, 10), (4, 0)]],
    "A": [[(0, 0), (5, 10)], [(5, 10), (5, 0)]],
    "B": [[(0, 10), (5, 0)], [(0, 0), (5, 10)]],
    "1": [[(2, 10), (2, 0)]],
    "2": [[(0, 10), (5, 10), (0, 0), (5, 0)]],
    ".": [[(1, 0)]],
}
"""Strokes of each character; y grows upwards."""
ALPHABET = " " + "".join(FONT)
WIDE = 8
"""Distance from one character to the next."""


def draw(text: str, rng: np.random.Generator | None = None, unit: float = 1.0) -> np.ndarray:
    """Return a line [n, 3] of dx, dy (y grows downwards) and pen-up, with some noise if there is a generator."""
    points, lifted = [], []
    for place, character in enumerate(text):
        for stroke in FONT.get(character, []):
            corners = np.array(stroke, float)
            count = 4 * (len(corners) - 1) + 1
            path = np.column_stack(
                [np.interp(np.arange(count) / 4, np.arange(len(corners)), corners[:, k]) for k in (0, 1)]
            )
            points.append(path * [1, -1] + [place * WIDE, 0])
            lifted += [0.0] * (count - 1) + [1.0]
    path = np.concatenate(points)
    if rng is not None:
        path = path + rng.normal(0, 0.2, path.shape)
    return np.column_stack([np.diff(path * unit, axis=0, prepend=path[:1] * unit), lifted]).astype(np.float32)


def random_text(rng: np.random.Generator, least: int = 3, most: int = 8) -> str:
    """Return some characters of the font."""
    return "".join(rng.choice(list(FONT), rng.integers(least, most)))


def write_corpus(path: Path, ids: list[str], seed: int = 0, contributor: str | None = "abc") -> Path:
    """Write an .npz of lines of random texts in tablet units of 1/200 inch, 60 points per second."""
    rng = np.random.default_rng(seed)
    texts = [random_text(rng) for _ in ids]
    lines = [np.rint(draw(text, rng, 10.0)) for text in texts]
    np.savez(
        path,
        dxy=np.concatenate(lines)[:, :2].astype(np.int16),
        eos=np.concatenate(lines)[:, 2].astype(np.uint8),
        offsets=np.cumsum([0, *map(len, lines)]).astype(np.int32),
        ids=np.array(ids),
        texts=np.array(texts),
        points_per_inch=np.full(len(ids), 200, np.float32),
        points_per_second=np.full(len(ids), 60, np.float32),
        **({} if contributor is None else {"contributor": np.array([contributor] * len(ids))}),
    )
    return path
