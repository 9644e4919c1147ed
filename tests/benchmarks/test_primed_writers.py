"""The benchmark of primed writers: how often ink counts as near to its own writer, and which lines are read."""

import sys
from pathlib import Path

import numpy as np
import pytest
from support import text_models
from support.command import ROOT

from vrnn_engine.data.options import PenData

sys.path.insert(0, str(ROOT / "benchmarks"))
import primed_writers

WRITERS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 1.0], [10.0, 1.0]])


def test_ink_of_its_own_writer_is_nearest() -> None:
    found = primed_writers.count_nearest(WRITERS + [1, 0.1], WRITERS, range(4))
    assert found == (4, 1.0, 4)


def test_each_value_counts_in_its_own_sd() -> None:
    """In the plain distance, the sample would be nearest to the third writer."""
    sample = np.array([[2.0, 0.9]])
    assert primed_writers.count_nearest(sample, WRITERS, [2]) == (1, 1.0, 1)
    assert primed_writers.count_nearest(sample, WRITERS, [0]) == (0, pytest.approx(1 / 3), 1)


def test_other_writers_that_are_as_near_are_not_farther() -> None:
    sample = np.array([[5.0, 0.5]])
    assert primed_writers.count_nearest(sample, WRITERS, [1]) == (0, 0.0, 1)


def test_samples_of_one_writer_are_counted_one_by_one() -> None:
    samples = np.array([[1.0, 0.0], [9.0, 0.0], [1.0, 0.2]])
    found = primed_writers.count_nearest(samples, WRITERS, [0, 0, 0])
    assert (found.nearest, found.samples) == (2, 3)


def test_the_line_that_primes_is_not_compared_with_itself(tmp_path: Path) -> None:
    table = dict(np.load(text_models.write_ink(tmp_path / "ink.npz", lines=40)))
    table["ids"] = np.array([f"{'ab'[k % 2]}0{k % 4}-00{k % 4}z-{k}" for k in range(40)])
    table["texts"] = np.array([f"{text} and twenty more letters" for text in table["texts"]])
    options = PenData(rows=1, chunk=1, rate=30, resample=True, height_mm=1.8)
    people = primed_writers.read_writers(table, options, set("abcdefghijklmnopqrstuvwxyz "), 20)
    assert [first.id for first, _ in people] == ["a00-000z-0", "a02-002z-2"]
    for first, others in people:
        assert len(others) == 9
        assert first.id not in {line.id for line in others}
        assert {line.id.rpartition("-")[0] for line in others} == {first.id.rpartition("-")[0]}
