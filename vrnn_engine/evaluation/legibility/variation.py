"""Varies lines of ink in the training of the recogniser, and draws its batches."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.batches import Floats
from vrnn_engine.data.strokes import ink_height
from vrnn_engine.data.text.lines import join_lines, random_gap
from vrnn_engine.data.text.prepared import TextLine
from vrnn_engine.evaluation.legibility.features import features

SLANT, STRETCH, TURN, SIZE = 0.2, 0.15, 0.03, 0.1
"""Sds of the slant (across over down), of the logarithm of width over height, of a rotation in radians, and of the
logarithm of the size."""
NOISE, WAVE = 0.03, 0.15
"""Sds of the noise of the points, and of the amplitude of a wave of the baseline, in heights of the ink."""
JOINED = 0.15
"""Share of the examples for which a second line is drawn; the two are joined if their text is not too long."""
LONGEST = 90
"""Most characters of a joined line."""
ROUND = 16
"""Number of batches drawn at once, among which lines are sorted by length."""

Example = tuple[NDArray[np.float32], str]
"""Features [n, F] of a line, and its text."""


def varied(ink: Floats, rng: np.random.Generator) -> Floats:
    """Return a line with another slant, width, rotation and baseline, and with noise.

    Parameters
    ----------
    ink : array [n, 3]
        dx, dy, pen-up.
    rng : Generator
        Draws the variation.
    """
    slant, stretch, turn, wave = rng.standard_normal(4) * (SLANT, STRETCH, TURN, WAVE)
    height = ink_height(ink) or 1.0
    path = np.cumsum(ink[:, :2], axis=0, dtype=np.float64)
    noise = np.repeat(rng.standard_normal((len(path) // 2 + 1, 2)), 2, axis=0)[: len(path)]
    path += NOISE * height * noise
    path[:, 1] += wave * height * np.sin(path[:, 0] / (height * rng.uniform(4, 20)) + rng.uniform(0, 2 * np.pi))
    x, y = path.T
    x, y = np.exp(stretch) * (x + slant * y), y
    path = np.column_stack([np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y])
    return np.column_stack([np.diff(path, axis=0, prepend=path[:1]), ink[:, 2]]).astype(np.float32)


def batches(
    lines: Sequence[TextLine], weights: NDArray[np.float64], rows: int, seed: int, done: int
) -> Iterator[list[Example]]:
    """Yield batches of varied lines, of similar lengths in each, without end.

    Parameters
    ----------
    lines : sequence of TextLine
        The training lines.
    weights : array [lines]
        How often each is drawn, relative to the others.
    rows : int
        Lines of a batch.
    seed : int
        Seed of the whole training.
    done : int
        Number of batches already used; the first batch is the one after them.
    """
    while True:
        rng = np.random.default_rng([seed, done // ROUND])
        places = rng.choice(len(lines), ROUND * rows, p=weights / weights.sum())
        examples = sorted((_example(lines, place, rng) for place in places), key=lambda example: len(example[0]))
        order = rng.permutation(ROUND)
        for place in order[done % ROUND :]:
            yield examples[place * rows : (place + 1) * rows]
            done += 1


def line_weights(texts: Sequence[str], common: float = 0.02, most: float = 6.0) -> NDArray[np.float64]:
    """Return a weight for each text: larger for one with a character that few texts have, or with few small letters.

    Else the recogniser would expect the small letters of running text everywhere.

    Parameters
    ----------
    texts : sequence of str
        The texts.
    common : float
        Share of the texts from which on a character is not rare.
    most : float
        The weight of a rare character, and that of a text without small letters, are at most this; the two are
        multiplied.
    """
    having = Counter(character for text in texts for character in set(text))
    rarest = np.array([min(having[character] for character in text) for text in texts])
    small = np.array([sum(character.islower() or character == " " for character in text) for text in texts])
    other = 1 - small / np.array([len(text) for text in texts])
    return np.clip(common * len(texts) / rarest, 1, most) * (1 + (most - 1) * other)


def group_weights(groups: Sequence[Sequence[str]], shares: Sequence[float]) -> NDArray[np.float64]:
    """Return a weight for each text of all groups, such that each group has its share of the lines that are drawn.

    Parameters
    ----------
    groups : sequence of sequences of str
        Texts of each group; within it they are weighted by `line_weights`.
    shares : sequence of float
        Share of each group; those of empty groups fall to the others.
    """
    weights = line_weights([text for group in groups for text in group])
    ends = np.cumsum([len(group) for group in groups])[:-1]
    split = zip(shares, np.split(weights, ends), strict=True)
    parts = [share * part / part.sum() for share, part in split if len(part)]
    return np.concatenate(parts) / sum(map(np.sum, parts))


def _example(lines: Sequence[TextLine], place: int, rng: np.random.Generator) -> Example:
    """Return the features of a line, varied and perhaps joined with another one, and its text."""
    ink, text = lines[place].ink, lines[place].text
    if rng.random() < JOINED:
        other = lines[int(rng.integers(len(lines)))]
        if len(text) + len(other.text) < LONGEST:
            left, right = (_unit_height(part) for part in (ink, other.ink))
            ink = join_lines(left, right, random_gap(rng))
            text = f"{text} {other.text}"
    return features(varied(ink, rng), float(np.exp(SIZE * rng.standard_normal()))), text


def _unit_height(ink: Floats) -> Floats:
    """Return a line whose ink has the height 1."""
    ink = ink.copy()
    ink[:, :2] /= ink_height(ink) or 1.0
    return ink
