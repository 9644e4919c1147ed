"""The benchmark of adaptation: which lines are trained on, and which are held out."""

import sys
from pathlib import Path

import numpy as np
import pytest
from support import text_models
from support.command import ROOT

from vrnn_engine.data.batches import split_by_hash
from vrnn_engine.data.pen_files import load_npz
from vrnn_engine.evaluation.legibility.texts import texts_to_write

sys.path.insert(0, str(ROOT / "benchmarks"))
import adaptation


@pytest.fixture
def table(tmp_path: Path) -> adaptation.Table:
    """Eight forms of four lines, and others."""
    ink = dict(np.load(text_models.write_ink(tmp_path / "ink.npz", lines=40)))
    return ink | {"ids": np.array([f"form-{k // 4}-{k % 4}" for k in range(40)])}


def test_a_fifth_of_the_lines_of_a_session_is_held_out() -> None:
    ids = np.array([*(f"one#{k}" for k in range(200)), *(f"two#{k}" for k in range(50))])
    known, held_out = adaptation.lines_of_session({"ids": ids}, "one")
    assert sorted(known + held_out) == list(range(200))
    assert 25 < len(held_out) < 55
    assert known != sorted(known)
    assert known == adaptation.lines_of_session({"ids": ids}, "one")[0]
    usual = {place for place in range(200) if split_by_hash(str(ids[place])) == "test"}
    assert usual <= set(held_out)
    with pytest.raises(SystemExit, match="no line is of the session three"):
        adaptation.lines_of_session({"ids": ids}, "three")


def test_the_texts_are_short_and_of_all_kinds() -> None:
    texts = adaptation.short_texts(60)
    assert len(set(texts)) == 60
    assert max(map(len, texts)) <= adaptation.LONGEST
    kinds = {kind for kind, known in texts_to_write().items() if set(known) & set(texts)}
    assert kinds >= {"names", "dates", "sums", "capitals", "sentences", "signs"}


def test_chosen_lines_are_a_corpus_with_splits(table: adaptation.Table, tmp_path: Path) -> None:
    picked = adaptation.chosen(table, [5, 3, 8, 9], [20, 21], "me")
    np.savez(tmp_path / "mine.npz", **picked)
    found = load_npz(tmp_path / "mine.npz")
    assert found["ids"].tolist() == [f"form-{k // 4}-{k % 4}" for k in (5, 3, 8, 9, 20, 21)]
    assert found["split"].tolist() == ["valid", "train", "train", "train", "test", "test"]
    assert set(found["contributor"]) == {"me"}
    line = slice(*table["offsets"][3:5])
    assert np.array_equal(found["dxy"][slice(*found["offsets"][1:3])], table["dxy"][line])
