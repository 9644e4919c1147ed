"""benchmarks/piece_lines.py: adds new lines to a corpus, and leaves out sessions."""

import sys
from pathlib import Path

import numpy as np
from support import text_models

from vrnn_engine.data.options import PenData, TextLines
from vrnn_engine.data.pen_files import load_npz
from vrnn_engine.data.text.corpus import TextCorpus

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import piece_lines


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
    strokes = np.array([[0, 0, 0], [1, 4, 1], [2, -2, 0], [2, 0, 1], [-1, -1, 0], [0, 2, 1], [4, -3, 0], [1, 4, 1]])
    lines = [(strokes * [2, 2, 1]).astype(np.float32)] * 3
    piece_lines.save(tmp_path / "more.npz", load_npz(path), ["a b"] * 3, lines, 50)
    after = TextCorpus(tmp_path / "more.npz", text_models.ALPHABET, options)
    assert after.texts["train"] == before.texts["train"] + ["a b"] * 3
    assert after.texts["valid"] == before.texts["valid"] and after.texts["test"] == before.texts["test"]
    written = after.lines["train"][-1]
    np.testing.assert_allclose(written[1:, 0] / written[1, 0], lines[0][1:, 0] / lines[0][1, 0], rtol=0.01)
