"""Lines of digits, capitals and signs for the recogniser, pieced together from real lines, which have few of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from vrnn_engine.data.text.glyphs import Glyph, Glyphs, can_be_pieced, piece_together
from vrnn_engine.data.text.made_texts import MOST, make_text
from vrnn_engine.data.text.prepared import TextLine

FEW = 12
"""Fewer glyphs of a character than this are too few."""
RARE = 0.01
"""A sign is rare if at most this share of the lines has it."""


def few_glyphs(glyphs: Glyphs, alphabet: str) -> set[str]:
    """Return the characters of an alphabet that have fewer than `FEW` glyphs.

    Parameters
    ----------
    glyphs : dict
        Glyphs by character.
    alphabet : str
        The characters; the space has none.
    """
    return {character for character in alphabet if character != " " and len(glyphs.get(character, [])) < FEW}


def made_texts(lines: Sequence[TextLine], glyphs: Glyphs, count: int, rng: np.random.Generator) -> list[str]:
    """Return texts that can be pieced together: sums, dates, prices, codes, capitals and signs.

    Parameters
    ----------
    lines : sequence of TextLine
        Lines whose words the texts have, and which say what signs are rare.
    glyphs : dict
        Glyphs by character.
    count : int
        Number of texts.
    rng : Generator
        Draws the texts.
    """
    having = Counter(character for line in lines for character in set(line.text))
    rare = "".join(c for c in sorted(glyphs) if not c.isalnum() and having[c] <= RARE * len(lines))
    words = sorted({w for line in lines for w in line.text.split() if w.isalpha() and 2 <= len(w) <= 9})
    texts: list[str] = []
    while len(texts) < count:
        text = make_text(rng, rare, words)
        if len(text) <= MOST and can_be_pieced(text, glyphs):
            texts.append(text)
    return texts


def pieced_lines(texts: Iterable[str], glyphs: Glyphs, rng: np.random.Generator) -> Iterator[TextLine]:
    """Yield a line of each text that can be pieced together.

    Parameters
    ----------
    texts : iterable of str
        The texts.
    glyphs : dict
        Glyphs by character.
    rng : Generator
        Draws sessions, glyphs and distances.
    """
    every = [glyph for found in glyphs.values() for glyph in found]
    for place, text in enumerate(texts):
        if can_be_pieced(text, glyphs):
            like = _session_like(text, glyphs, every, rng)
            yield TextLine(f"pieced {place}", piece_together(text, glyphs, like, rng), text, f"pieced {place}", "")


def _session_like(text: str, glyphs: Glyphs, every: Sequence[Glyph], rng: np.random.Generator) -> Glyph:
    """Return a glyph of a character of the text: its session is likely to have others of its characters as well."""
    character = text[rng.integers(len(text))]
    found = glyphs.get(character) or every
    return found[int(rng.integers(len(found)))]
