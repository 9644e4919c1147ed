"""benchmarks/top_band.py: the versions of a recording that it compares, and what a band is worth."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from support.corpora import make_speech
from support.recipes import speech_recipe

from vrnn_engine.training.trainer import train

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import top_band

RATE = 16000


def noise(seconds: int = 4) -> np.ndarray:
    """Return white noise in steps of 16-bit audio."""
    return np.rint(1000 * np.random.default_rng(1).standard_normal(seconds * RATE))


def power_above(sound: np.ndarray, edge: int) -> float:
    spectrum = np.square(np.abs(np.fft.rfft(sound)))
    return float(spectrum[edge * len(sound) // RATE :].sum() / len(sound) ** 2 * 2)


def test_versions_differ_only_above_the_edge_and_have_the_level_that_is_asked_for() -> None:
    sound = noise()
    made = top_band.versions(sound, RATE, 7600.0, -60.0)
    assert list(made) == ["as recorded", "noise at -60 dB per Hz", "mirror image", "empty"]
    assert np.array_equal(made["as recorded"], sound)
    low = lambda x: np.fft.rfft(x)[: 7500 * len(x) // RATE]  # noqa: E731
    for each in made.values():
        assert np.abs(low(each) - low(sound)).max() < 1e-2 * np.abs(low(sound)).max()  # rounding
    # The transition of 100 Hz above the edge belongs to both; above it there is only what was put there.
    assert power_above(made["empty"], 7700) < 1  # rounding: 1/12 of a step squared over the whole band
    filled = power_above(made["noise at -60 dB per Hz"], 7700) / 32768**2
    assert 10 * np.log10(filled / 300) == pytest.approx(-60, abs=0.5)
    assert power_above(made["mirror image"], 7700) == pytest.approx(power_above(sound, 7700), rel=0.2)


def test_worth_of_a_band_is_half_its_log_power_for_each_of_its_dimensions() -> None:
    quiet = noise()
    assert top_band.log_density_change(quiet, 10 * quiet) == pytest.approx(-np.log(10))
    made = top_band.versions(quiet, RATE, 7600.0, -60.0)
    change = top_band.log_density_change(quiet, made["empty"])
    # Above the transition, 3/80 of all frequencies, the power falls from 1000^2 to the rounding's 1/12.  In the
    # transition, the mean of the log of the gain's square, half a cosine, is -2 log 4.
    expected = 0.5 * (300 * np.log(12e6) + 100 * 2 * np.log(4)) / 8000
    assert change == pytest.approx(expected, rel=0.1)


def test_a_checkpoint_is_compared_on_each_version(tmp_path, monkeypatch, capsys) -> None:
    names = [f"{split}/{i}.wav" for split in ("train", "valid", "test") for i in "ab"]
    folder = make_speech(tmp_path / "speech", names)
    train(speech_recipe(updates=1, kl_warmup=0), folder, tmp_path / "run")
    words = [str(tmp_path / "run" / "best.pt"), "--data", str(folder / "test"), "--edge", "3800"]
    monkeypatch.setattr(sys, "argv", ["top_band.py", *words])
    top_band.main()
    printed = capsys.readouterr().out
    assert "min of " in printed
    rows = dict(re.findall(r"^(.{28})  .* ± .*?([-+][\d,]+) +[-+][\d,]+$", printed, re.MULTILINE))
    names = ["as recorded", "noise at -85 dB per Hz", "mirror image", "empty"]
    assert [name.strip() for name in rows] == names
    assert rows[f"{names[0]:28}"] == "+0"
