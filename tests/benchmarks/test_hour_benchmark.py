"""benchmarks/hour.py: it times the player's reads, in real time, and counts underruns."""

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vrnn_engine import Engine, Player
from vrnn_engine.runtime.sinks import make_sink

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import hour


def test_minutes_are_counted_in_real_time(toy_audio, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(hour, "MINUTE", 0.4)
    measured = tmp_path / "hour.json"
    words = ["--voice", str(toy_audio), "--minutes", "3", "--to", str(tmp_path / "out.wav"), "--json", str(measured)]
    monkeypatch.setattr(sys, "argv", ["hour.py", *words])
    began = time.monotonic()
    hour.main()
    assert time.monotonic() - began > 1.2
    assert (tmp_path / "out.wav").stat().st_size > 30000
    report = json.loads(measured.read_text())
    first, _, last = report["minutes"]
    assert 60 < sum(minute["frames"] for minute in report["minutes"]) <= 1.2 * 80 + 5  # 5: the buffer and one read
    assert all(0 < minute["p50"] <= minute["p99"] <= minute["max"] for minute in report["minutes"])
    assert report["p99_last_over_first"] == last["p99"] / first["p99"]
    if sys.platform == "linux":
        assert report["memory_growth"] == last["memory"] - first["memory"]
    assert "underruns" in capsys.readouterr().out


def test_each_frame_is_timed_and_the_stream_is_unchanged(toy_audio, monkeypatch) -> None:
    clock = iter(range(0, 80, 8))  # every call is 8 s after the last
    monkeypatch.setattr(hour, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    engine = Engine.load(toy_audio, "cpu")
    timed = hour.Timed(engine.stream(3), 10)
    blocks = [timed.read(frames) for frames in (1, 4)]
    assert np.array_equal(np.concatenate(blocks), engine.stream(3).read(5))
    assert timed.count == 5
    assert np.array_equal(timed.taken, [8, 2, 2, 2, 2] + [np.nan] * 5, equal_nan=True)


def test_a_stream_that_is_too_slow_underruns(toy_audio) -> None:
    class Slow(hour.Timed):
        def read(self, frames: int) -> np.ndarray:
            if self.count:
                time.sleep(0.1)
            return super().read(frames)

    sink = hour.Paced(make_sink("null"), 0.02)
    with Player(Slow(Engine.load(toy_audio, "cpu").stream(0), 100), to=sink, seconds=0.1) as player:
        player.wait()
    assert player.underruns >= 5


@pytest.mark.parametrize("words", [["--minutes", "1"], ["--latency", "0"], ["--to", "-"]])
def test_options_that_cannot_be_measured_are_refused(monkeypatch, capsys, words) -> None:
    monkeypatch.setattr(sys, "argv", ["hour.py", *words])
    with pytest.raises(SystemExit, match="2"):
        hour.main()
    assert words[0] in capsys.readouterr().err
