"""The comparison of two checkouts: each measurement runs, and a slower checkout has a ratio above 1."""

import sys
from pathlib import Path

import pytest
from support.command import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import compare


def test_every_measurement_gives_a_positive_number() -> None:
    found = {name: measure(ROOT) for name, measure in compare.measurements(reads=2).items()}
    assert len(found) == 8
    assert all(value > 0 for value in found.values())


def test_ratios_are_of_the_second_checkout_to_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([1.0, 2.0, 6.0, 2.0, 1.0, 4.0])  # the second round begins with the second checkout
    monkeypatch.setattr(compare, "measurements", lambda reads: {"numbers": lambda checkout: next(taken)})
    report = compare.compare(tmp_path / "before", tmp_path / "after", rounds=3, reads=1)
    assert report == {"numbers": {"before": 1.0, "after": 4.0, "ratio": 3.0, "lowest": 2.0, "highest": 4.0}}


def test_a_checkout_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "vrnn_engine").mkdir()
    (tmp_path / "vrnn_engine" / "__init__.py").write_text("raise RuntimeError('broken')")
    with pytest.raises(SystemExit, match="broken"):
        compare.run(tmp_path, "import vrnn_engine")
