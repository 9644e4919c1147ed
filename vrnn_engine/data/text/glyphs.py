"""Glyphs: characters cut out of lines of ink, and new lines pieced together from them."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.batches import Floats

OWN = 0.6
"""Smallest share of a stroke's attention on its character, and of a character's attention from its strokes; spaces do
not count."""
OVERLAP = 0.3
"""Largest overlap, across, of a glyph and a stroke that is not part of it, as a share of the narrower of the two: else
the stroke may be a part that the writer added late, such as the bar of an H or the cross of a t."""
NARROW = 0.6
"""Smallest width in mm of a stroke or a glyph in the calculation of this share."""
ENOUGH = 30
"""Of a character with more glyphs, only the clearest quarter is used, but at least this many."""
GAP, GAP_SPREAD = 1.1, 0.45
"""Distance of two glyphs in mm: median, and sd of its logarithm."""
SPACE, SPACE_SPREAD = 4.2, 0.3
"""The same for two words."""


class Glyph(NamedTuple):
    """The strokes of a character: points (x, y, pen-up) in mm, x from its left edge, y from the middle of its line.

    `clear` is the smaller of the shares that `OWN` limits.
    """

    points: NDArray[np.float64]
    clear: float
    session: str
    contributor: str


Glyphs = dict[str, list[Glyph]]
"""Glyphs by character."""


def contributor_of(session: str) -> str:
    """Return the contributor of a session of UNIPEN: its first three folders; other names are returned as they are.

    Parameters
    ----------
    session : str
        Name of a session, such as `data/8/lex/lex0/ehrls1.dat`.
    """
    return "/".join(session.split("/")[:3])


def single_characters(
    ink: Floats, text: str, weight: NDArray[np.float32]
) -> list[tuple[str, NDArray[np.float64], float]]:
    """Return the characters of a line whose strokes draw nothing else.

    Parameters
    ----------
    ink : array [n, 3]
        dx, dy, pen-up.
    text : str
        Text of the line, of u characters.
    weight : array [n, u]
        How much each point belongs to each character: the attention of a text voice before that point.

    Returns
    -------
    list of tuples
        Each character with its points, and how clear it is; see `Glyph`.
    """
    path = np.cumsum(ink[:, :2], axis=0, dtype=np.float64)
    slope, middle = np.polyfit(path[:, 0], path[:, 1], 1)
    ends = np.flatnonzero(ink[:, 2] > 0.5) + 1
    bounds = [(a, b) for a, b in itertools.pairwise([0, *ends.tolist()]) if b > a]
    drawn = np.array([character != " " for character in text])
    spent = np.array([weight[a:b].sum(0) for a, b in bounds]) * drawn  # [strokes, characters]
    owner = spent.argmax(1)
    share = spent.max(1) / np.maximum(spent.sum(1), 1e-9)
    found = []
    for place, character in enumerate(text):
        mine = np.flatnonzero(owner == place)
        if not drawn[place] or not len(mine) or mine[-1] - mine[0] + 1 != len(mine):
            continue
        clear = min(share[mine].min(), spent[mine, place].sum() / spent[:, place].sum())
        if clear < OWN:
            continue
        if _overlaps([path[a:b, 0] for a, b in bounds], mine):
            continue
        a, b = bounds[mine[0]][0], bounds[mine[-1]][1]
        x, y = path[a:b, 0], path[a:b, 1]
        up = ink[a:b, 2].astype(np.float64)
        up[-1] = 1
        found.append((character, np.column_stack([x - x.min(), y - middle - slope * x, up]), float(clear)))
    return found


def _overlaps(strokes: Sequence[NDArray[np.float64]], mine: NDArray[np.int64]) -> bool:
    """Return whether strokes, given by their x, overlap with others of their line by more than `OVERLAP`."""
    left, right = (np.array([edge(x) for x in strokes]) for edge in (np.min, np.max))
    first, last = left[mine].min(), right[mine].max()
    others = np.setdiff1d(np.arange(len(strokes)), mine)
    shared = np.minimum(right[others], last) - np.maximum(left[others], first)
    narrower = np.minimum(np.maximum(right[others] - left[others], NARROW), max(last - first, NARROW))
    # A narrow stroke inside the other has no width to share, but NARROW counts as its width.
    inside = (left[others] >= first) & (right[others] <= last) | (left[others] <= first) & (right[others] >= last)
    return bool((inside | (shared > OVERLAP * narrower)).any())


def usual_glyphs(glyphs: Sequence[Glyph], share: float = 0.25) -> list[Glyph]:
    """Return the clearest glyphs of a character, without those of unusual height, width or place.

    Parameters
    ----------
    glyphs : sequence of Glyph
        At least one.
    share : float
        Share of the glyphs that are clear enough; `ENOUGH` always are.
    """
    clearest = sorted(glyphs, key=lambda glyph: -glyph.clear)[: max(ENOUGH, round(share * len(glyphs)))]
    boxes = np.array([[*np.ptp(g.points[:, :2], axis=0), g.points[:, 1].mean()] for g in clearest])
    low, high = np.quantile(boxes, 0.1, axis=0) - 1.0, np.quantile(boxes, 0.9, axis=0) + 1.0
    return [g for g, box in zip(clearest, boxes, strict=True) if ((box >= low) & (box <= high)).all()]


def can_be_pieced(text: str, glyphs: Mapping[str, Sequence[Glyph]]) -> bool:
    """Return whether each character of a text has a glyph, or is a space.

    Parameters
    ----------
    text : str
        The text.
    glyphs : mapping of str to sequence of Glyph
        Glyphs by character.
    """
    return all(character == " " or glyphs.get(character) for character in text)


def piece_together(text: str, glyphs: Mapping[str, Sequence[Glyph]], like: Glyph, rng: np.random.Generator) -> Floats:
    """Return the ink of a text, with glyphs of one session where it has them, else of its contributor, else of any.

    Parameters
    ----------
    text : str
        Characters that have glyphs, and spaces.
    glyphs : mapping of str to sequence of Glyph
        Glyphs by character.
    like : Glyph
        Names the session and the contributor.
    rng : Generator
        Draws glyphs and distances.

    Returns
    -------
    array [n, 3]
        dx, dy in mm, and pen-up.
    """
    parts: list[NDArray[np.float64]] = []
    right, space = 0.0, False
    wide = float(np.exp(0.15 * rng.standard_normal()))
    for character in text:
        if character == " ":
            space = True
            continue
        every = glyphs[character]
        near = [g for g in every if g.session == like.session]
        near = near or [g for g in every if g.contributor == like.contributor] or list(every)
        points = near[rng.integers(len(near))].points.copy()
        middle, spread = (SPACE, SPACE_SPREAD) if space else (GAP, GAP_SPREAD)
        points[:, 0] += right + (wide * middle * np.exp(spread * rng.standard_normal()) if parts else 0.0)
        right, space = points[:, 0].max(), False
        parts.append(points)
    whole = np.concatenate(parts)
    whole[:, :2] = np.diff(whole[:, :2], axis=0, prepend=whole[:1, :2])
    return whole.astype(np.float32)
