"""benchmarks/reproduction.py: equal sizes; finished cells are not run again, interrupted ones are resumed."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import reproduction
from reproduction_table import FAMILIES, PAPER, write_table


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Folder with one small corpus, into which results are written."""
    rng = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        folder = tmp_path / "data" / "timit" / split
        folder.mkdir(parents=True)
        soundfile.write(folder / "noise.wav", 0.1 * rng.standard_normal(16000 * 9), 16000)
    monkeypatch.setattr(reproduction, "DOCS", tmp_path)
    monkeypatch.setattr(reproduction, "RESULTS", tmp_path / "reproduction.jsonl")
    return tmp_path


def run(monkeypatch, here, *words):
    words = ["--data", str(here / "data"), "--runs", str(here / "runs"), "--seeds", "1", "--updates", "2", *words]
    monkeypatch.setattr(sys, "argv", ["reproduction.py", *words])
    reproduction.main()


def test_cells_of_a_basis_have_equal_weights_and_cover_the_paper():
    cells = list(reproduction.cells([1, 2]))
    assert len(set(cells)) == len(cells)
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)
    assert {cell.corpus for cell in cells} == set(PAPER)
    for basis in ("samples", "mdct", "source-filter", "points"):
        sizes = {
            cell: reproduction.parameters(reproduction.recipe_of(cell, 10).model)
            for cell in cells
            if cell.basis == basis and cell.corpus in ("timit", "iamondb") and cell.seed == 1
        }
        assert max(sizes.values()) < 1.01 * min(sizes.values())
        of_mixtures = {"rnn-gmm", "vrnn-gmm"} if basis == "source-filter" else set()
        assert {cell.family for cell in sizes} == set(FAMILIES) - of_mixtures


def test_interrupted_cell_is_resumed_and_finished_cell_is_not_run_again(here, monkeypatch):
    only = ("--only", "timit/vrnn-gauss/mdct")
    measure, calls = reproduction.likelihood, []
    monkeypatch.setattr(reproduction, "likelihood", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, here, *only)
    assert reproduction.results() == []

    train = reproduction.train
    monkeypatch.setattr(reproduction, "likelihood", measure)
    monkeypatch.setattr(reproduction, "train", lambda *a, **k: calls.append(k["resume"]) or train(*a, **k))
    run(monkeypatch, here, *only)
    assert calls == [True]
    (row,) = reproduction.results()
    assert row["importance_weighted"] >= row["elbo"]
    assert row["test_sequences"] == 16
    page = (here / "reproduction.md").read_text()
    assert f"| VRNN-Gauss | ≥ 28805 ~ 30235¹ | {row['elbo']:,.0f} ~ {row['importance_weighted']:,.0f} |" in page
    assert "| RNN-Gauss | -1900 | - |" in page
    reproduction.write_page(3)  # no cell has three updates
    assert "VRNN-Gauss" not in (here / "reproduction.md").read_text()

    run(monkeypatch, here, *only)
    assert calls == [True]
    assert len(reproduction.results()) == 1


def test_page_counts_the_seeds_that_confirm_the_paper_order(tmp_path):
    about = {
        "corpus": "timit",
        "basis": "samples",
        "updates": 5,
        "parameters": 10,
        "kl": 1.0,
        "frames_per_sequence": 40,
    }
    rows = [
        about
        | {
            "family": family,
            "seed": seed,
            "elbo": elbo,
            "test_sequences": 7,
            "paths": 1 if family.startswith("rnn") else 5,
            "importance_weighted": elbo + 2,
        }
        for family, elbos in {"vrnn-gauss": (3.0, 5.0), "vrnn-i-gauss": (4.0, 4.0), "rnn-gauss": (1.0, 1.0)}.items()
        for seed, elbo in enumerate(elbos)
    ]
    write_table(rows, tmp_path / "page.md", 4, 10)
    page = (tmp_path / "page.md").read_text()
    assert "6 of 10 runs are finished" in page
    assert "VRNN-Gauss above VRNN-I-Gauss: samples 1 of 2 seeds" in page
    assert "VRNN-I-Gauss above RNN-Gauss: samples 2 of 2 seeds" in page
    assert "| VRNN-Gauss | ≥ 28805 ~ 30235¹ | 4 ± 1 ~ 6 | 1 |" in page
    assert "| RNN-Gauss | -1900 | 1 ± 0 | 1 |" in page
    assert "importance-weighted bound (K = 5)" in page
    assert page.rstrip().count("Seeds: 2.") == 1
    other = [row | {"basis": "mdct"} for row in rows[:3]] + [row | {"corpus": "accent"} for row in rows]
    write_table(rows + other, tmp_path / "page.md", 4, 10)
    page = (tmp_path / "page.md").read_text()
    assert "Seeds: samples 2, MDCT 1 to 2." in page
    assert page.count("| | the paper | samples") == page.count("| | the paper¹ | samples") == 1
