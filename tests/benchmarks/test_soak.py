"""benchmarks/soak.py: windows have real values; a leak, a drift and a recovery are reported."""

import sys
from pathlib import Path

import numpy as np
import pytest
from support import toy_voice

from vrnn_engine.runtime.live.performance import Performance

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import soak
from soak_windows import drifted


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str]]:
    monkeypatch.setattr(sys, "argv", ["soak.py", *words])
    return soak.main(), capsys.readouterr().out.splitlines()


def values(line: str) -> dict[str, float]:
    words = line.partition(": ")[2].split()
    return dict(zip(words[::2], map(float, words[1::2]), strict=True))


@pytest.mark.slow
def test_windows_of_sound_have_real_values_and_the_toy_voice_is_steady(toy_audio, monkeypatch, capsys) -> None:
    _, lines = run(monkeypatch, capsys, str(toy_audio), "--seconds", "20", "--window", "10", "--seeds", "2")
    assert len(lines) == 5
    first, second = values(lines[0]), values(lines[1])
    assert 20 < first["memory"] < 20_000
    assert first["p99"] > 0
    assert -30 < first["level"] < 0
    assert first["spectrum"] == first["latent_shift"] == 0
    assert 0 < second["spectrum"] < 6
    assert 0.1 < second["latent_sd"] < 10
    assert second["not_finite"] == second["recoveries"] == 0
    assert lines[4].startswith(("flat: toy-audio, 2 seeds, 4 windows", "drifted: toy-audio"))
    assert not any(name in lines[4] for name in ("level", "spectrum", "latent", "memory"))


@pytest.mark.slow
def test_windows_of_a_text_have_strokes(monkeypatch, capsys) -> None:
    _, lines = run(monkeypatch, capsys, "handwriting", "--seconds", "60", "--window", "30", "--seeds", "1")
    first = values(lines[0])
    assert 1 < first["stroke_length"] < 20
    assert 0.5 < first["size"] < 4
    assert -60 < first["slant"] < 60
    assert first["faults"] == 0


@pytest.mark.slow
def test_a_leak_is_reported(tmp_path, monkeypatch, capsys) -> None:
    kept: list[np.ndarray] = []
    read = Performance.read

    def leaking(self: Performance, frames: int) -> np.ndarray:
        kept.append(np.ones(20_000))
        return read(self, frames)

    monkeypatch.setattr(Performance, "read", leaking)
    voice = str(toy_voice.build(tmp_path / "toy", "pen"))
    code, lines = run(monkeypatch, capsys, voice, "--seconds", "12", "--window", "4", "--seeds", "1")
    assert code == 1
    assert lines[-1].startswith("drifted: ")
    assert "seed 0: memory by " in lines[-1]


STEADY = {"memory": 300.0, "p99": 2.0, "not_finite": 0, "recoveries": 0, "level": -30.0, "spectrum": 0.0}


@pytest.mark.parametrize(
    ("changed", "phrase"),
    [
        ({"memory": 299.0, "p99": 0.5, "level": -31.0}, None),
        ({"memory": 306.0}, "memory by 6 MiB in window 3 (limit 5)"),
        ({"p99": 5.0}, "p99 times 2.5 in window 3 (limit 2)"),
        ({"level": -40.0}, "level by 10 dB in window 3 (limit 3)"),
        ({"recoveries": 2}, "recoveries 2 in window 3 (limit 0)"),
        ({"level": np.nan}, "level by nan dB in window 3 (limit 3)"),
    ],
)
def test_what_changes_beyond_its_limit_has_drifted(changed, phrase) -> None:
    assert drifted([STEADY, STEADY, STEADY | changed]) == ([] if phrase is None else [phrase])


@pytest.mark.parametrize("words", [["--window", "3"], ["--seconds", "900"], ["--seeds", "0"]])
def test_options_that_cannot_be_measured_are_refused(monkeypatch, capsys, words) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, capsys, "blizzard", *words)
    assert words[0] in capsys.readouterr().err
