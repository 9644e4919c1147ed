"""benchmarks/piece_lines.py: cuts single characters out of lines, and pieces new lines together from them."""

import sys
from pathlib import Path

import numpy as np
from support import text_models

from vrnn_engine.data.options import PenData, TextLines
from vrnn_engine.data.pen_files import load_npz
from vrnn_engine.data.text.corpus import TextCorpus

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import piece_lines
from piece_lines import Glyph


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
    found = {
        name: points for name, points, _ in piece_lines.single_characters(ink_of(STROKES), "a + b", weights(OWNERS))
    }
    assert list(found) == ["a", "+", "b"]
    assert found["+"][:, 0].tolist() == [0, 2, 1, 1]  # from its left edge, 3
    assert found["+"][:, 2].tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(np.diff(found["+"][:, 1]), [0, -1, 2], atol=0.5)  # but for the slope of the line


def test_a_stroke_that_draws_two_characters_is_in_no_glyph():
    attention = weights(OWNERS)
    attention[6:8] = [0, 0, 0.4, 0.2, 0.4]  # the stroke of b is as much of the +
    found = [name for name, *_ in piece_lines.single_characters(ink_of(STROKES), "a + b", attention)]
    assert found == ["a"]


def test_a_pieced_line_has_its_glyphs_in_order_with_wider_spaces():
    bar = np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 1.0]])
    plus = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 1.0], [1.0, -1.0, 0.0], [1.0, 1.0, 1.0]])
    glyphs = {"a": [Glyph(bar, 1.0, "s", "c")], "+": [Glyph(plus, 1.0, "t", "d")]}
    ink = piece_lines.write("aa +", glyphs, glyphs["a"][0], np.random.default_rng(0))
    x, y = np.cumsum(ink[:, :2], axis=0, dtype=np.float64).T
    assert ink[:, 2].tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    np.testing.assert_allclose(y - y[0], np.array([-1, 1, -1, 1, 0, 0, -1, 1]) + 1, atol=1e-6)
    assert 0 < x[2] - x[1] < x[4] - x[3]


def test_glyphs_of_the_same_session_are_preferred():
    own, other = (np.array([[0.0, 0.0, 0.0], [width, 0.0, 1.0]]) for width in (1.0, 7.0))
    glyphs = {"a": [Glyph(other, 1.0, "t", "c"), Glyph(own, 1.0, "s", "c"), Glyph(other, 1.0, "u", "d")]}
    for seed in range(5):
        ink = piece_lines.write("a", glyphs, glyphs["a"][1], np.random.default_rng(seed))
        assert ink[1, 0] == 1.0


def test_saved_lines_join_the_train_split_and_keep_the_others_where_they_were(tmp_path):
    options = PenData(
        rows=8,
        chunk=100,
        rate=50,
        resample=True,
        height_mm=1.8,
        text=TextLines(min_points=1, max_points=60, max_characters=30),
    )
    path = text_models.write_ink(tmp_path / "ink.npz")
    before = TextCorpus(path, text_models.ALPHABET, options)
    lines = [ink_of(STROKES) * [2, 2, 1]] * 3
    piece_lines.save(tmp_path / "more.npz", load_npz(path), ["a b"] * 3, lines, 50)
    after = TextCorpus(tmp_path / "more.npz", text_models.ALPHABET, options)
    assert after.texts["train"] == before.texts["train"] + ["a b"] * 3
    assert after.texts["valid"] == before.texts["valid"] and after.texts["test"] == before.texts["test"]
    written = after.lines["train"][-1]
    np.testing.assert_allclose(written[1:, 0] / written[1, 0], lines[0][1:, 0] / lines[0][1, 0], rtol=0.01)


def test_made_texts_have_all_rare_signs():
    rng = np.random.default_rng(0)
    rare = "#$%&*+<=>@[]{}"
    texts = [piece_lines.make_text(rng, rare, ["word", "letter"]) for _ in range(600)]
    assert set(rare) <= set("".join(texts))
