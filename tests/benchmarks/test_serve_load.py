"""benchmarks/serve_load.py: the clock of a player, the quantiles, and a short run of both servers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import ROOT, environment

sys.path.insert(0, str(ROOT / "benchmarks"))
from serve_listeners import Player
from serve_load import quantile, tick_quantile


def test_a_player_stands_still_for_as_long_as_frames_are_late() -> None:
    player = Player(rate=80.0, prebuffer=0.1)
    player.arrived(4, 10.0)
    assert (player.started, player.played(11.0)) == (None, 0)
    player.arrived(4, 10.5)  # 8 frames last 0.1 seconds
    assert player.started == 10.5
    assert player.played(10.55) == 4
    player.arrived(8, 10.55)
    assert player.underrun == 0.0
    player.arrived(8, 10.75)  # 16 frames last until 10.7
    assert player.underrun == pytest.approx(0.05)
    assert player.played(10.751) == 16


def test_quantiles() -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.99) == 4.0
    name = 'vrnn_engine_tick_seconds_bucket{le="%s",voice="x"} %s'
    metrics = "\n".join(name % pair for pair in (("0.01", 50.0), ("0.02", 100.0), ("+Inf", 100.0)))
    assert tick_quantile(metrics, 0.5) == pytest.approx(10.0)
    assert tick_quantile(metrics, 0.75) == pytest.approx(15.0)


@pytest.mark.slow
def test_both_servers_are_measured(tmp_path: Path, toy_audio: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "serve_load.py"), "--voice", str(toy_audio)]
    command += ["--listeners", "3", "--seconds", "2", "--ramp", "0.5", "--json", str(tmp_path / "found.json")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    for server in ("serve", "threads"):
        assert found[server]["played"] + found[server]["refused"] == 3
        assert found[server]["failed"] == []
        assert min(found[server]["frames"]) > 80
    assert found["serve"]["tick_p99_ms"] > 0
