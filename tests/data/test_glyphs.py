"""Glyphs: which characters are cut out of a line, and how lines are pieced together from them."""

import numpy as np
import pytest

from vrnn_engine.data.text.glyphs import (
    Glyph,
    can_be_pieced,
    contributor_of,
    piece_together,
    single_characters,
    usual_glyphs,
)
from vrnn_engine.data.text.made_texts import make_text


def ink_of(strokes) -> np.ndarray:
    """Return (dx, dy, pen-up) of strokes, each a list of points (x, y)."""
    points = np.array([point for stroke in strokes for point in stroke], np.float64)
    up = np.concatenate([[0] * (len(stroke) - 1) + [1] for stroke in strokes])
    return np.column_stack([np.diff(points, axis=0, prepend=points[:1]), up]).astype(np.float32)


STROKES = [[(0, 0), (1, 4)], [(3, 2), (5, 2)], [(4, 1), (4, 3)], [(8, 0), (9, 4)]]
"""An a, a + of two strokes, and a b, on a level line."""
OWNERS = [0, 2, 2, 4]
"""Characters of `a + b` that the strokes draw."""


def weights(owners) -> np.ndarray:
    """Return the attention of two points per stroke: 0.8 on its character, 0.2 on the space before or behind it."""
    attention = np.zeros((2 * len(owners), 5), np.float32)
    for stroke, owner in enumerate(owners):
        attention[2 * stroke : 2 * stroke + 2, owner] = 0.8
        attention[2 * stroke : 2 * stroke + 2, 1 if owner < 2 else 3] = 0.2
    return attention


def test_strokes_that_draw_one_character_become_its_glyph():
    found = {name: points for name, points, _ in single_characters(ink_of(STROKES), "a + b", weights(OWNERS))}
    assert list(found) == ["a", "+", "b"]
    assert found["+"][:, 0].tolist() == [0, 2, 1, 1]  # from its left edge, 3
    assert found["+"][:, 2].tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(np.diff(found["+"][:, 1]), [0, -1, 2], atol=0.5)  # but for the slope of the line


def test_a_stroke_that_draws_two_characters_is_in_no_glyph():
    attention = weights(OWNERS)
    attention[6:8] = [0, 0, 0.4, 0.2, 0.4]  # the stroke of b is as much of the +
    found = [name for name, *_ in single_characters(ink_of(STROKES), "a + b", attention)]
    assert found == ["a"]


def test_a_pieced_line_has_its_glyphs_in_order_with_wider_spaces():
    bar = np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 1.0]])
    plus = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 1.0], [1.0, -1.0, 0.0], [1.0, 1.0, 1.0]])
    glyphs = {"a": [Glyph(bar, 1.0, "s", "c")], "+": [Glyph(plus, 1.0, "t", "d")]}
    ink = piece_together("aa +", glyphs, glyphs["a"][0], np.random.default_rng(0))
    x, y = np.cumsum(ink[:, :2], axis=0, dtype=np.float64).T
    assert ink[:, 2].tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    np.testing.assert_allclose(y - y[0], np.array([-1, 1, -1, 1, 0, 0, -1, 1]) + 1, atol=1e-6)
    assert 0 < x[2] - x[1] < x[4] - x[3]


def test_glyphs_of_the_same_session_are_preferred():
    own, other = (np.array([[0.0, 0.0, 0.0], [width, 0.0, 1.0]]) for width in (1.0, 7.0))
    glyphs = {"a": [Glyph(other, 1.0, "t", "c"), Glyph(own, 1.0, "s", "c"), Glyph(other, 1.0, "u", "d")]}
    for seed in range(5):
        ink = piece_together("a", glyphs, glyphs["a"][1], np.random.default_rng(seed))
        assert ink[1, 0] == 1.0


def test_a_character_whose_stroke_was_added_late_is_no_glyph():
    """The bar of a t, written while the attention is at the next character."""
    stem, bar, other = [(1, 0), (1, 4)], [(0.4, 1), (1.8, 1)], [(4, 0), (5, 4)]
    attention = np.zeros((6, 2), np.float32)
    attention[:2, 0], attention[2:, 1] = 1, 1
    assert not single_characters(ink_of([stem, bar, other]), "tb", attention)
    away = [(2.4, 1), (3.8, 1)]
    found = [name for name, *_ in single_characters(ink_of([stem, away, other]), "tb", attention)]
    assert found == ["t", "b"]


def test_glyphs_of_unusual_size_are_left_out():
    def glyph(height, clear):
        return Glyph(np.array([[0.0, 0.0, 0.0], [1.0, height, 1.0]]), clear, "s", "c")

    glyphs = [glyph(4.0, 0.7 + k / 1000) for k in range(40)] + [glyph(12.0, 0.9), glyph(4.0, 0.6)]
    found = usual_glyphs(glyphs, share=1)
    assert len(found) == 41
    assert len(usual_glyphs(glyphs)) == 29  # the clearest 30 without the large one
    assert min(one.clear for one in usual_glyphs(glyphs)) > 0.7


@pytest.mark.parametrize(
    ("session", "contributor"), [("data/8/lex/lex0/ehrls1.dat", "data/8/lex"), ("a01-001w", "a01-001w")]
)
def test_the_contributor_of_a_session(session, contributor):
    assert contributor_of(session) == contributor


def test_a_text_needs_a_glyph_of_each_character():
    glyphs = {"a": [Glyph(np.zeros((1, 3)), 1.0, "s", "c")], "b": []}
    assert can_be_pieced("a a", glyphs)
    assert not can_be_pieced("ab", glyphs)
    assert not can_be_pieced("ac", glyphs)


def test_made_texts_have_all_rare_signs():
    rng = np.random.default_rng(0)
    rare = "#$%&*+<=>@[]{}"
    texts = [make_text(rng, rare, ["word", "letter"]) for _ in range(600)]
    assert set(rare) <= set("".join(texts))
