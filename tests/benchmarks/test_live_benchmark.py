"""benchmarks/live.py: the recording equals the samples sent, a control is heard soon, the callback only copies."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import sound_server
from support.command import ROOT, environment

sys.path.insert(0, str(ROOT / "benchmarks"))
from alignment import Alignment, align

pytestmark = pytest.mark.slow

SENT = np.random.default_rng(0).uniform(-0.5, 0.5, 64000).astype(np.float32)


@pytest.fixture
def measure(toy_audio: Path, tmp_path: Path):
    if reason := sound_server.missing():
        pytest.skip(reason)

    def measure(*words: object) -> dict[str, Any]:
        command = [sys.executable, str(ROOT / "benchmarks" / "live.py"), *map(str, words)]
        command += ["--voice", str(toy_audio), "--json", str(tmp_path / "found.json")]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads((tmp_path / "found.json").read_text())

    return measure


def test_the_recording_equals_what_was_sent(measure) -> None:
    found = measure("play", "--minutes", 0.05, "--busy", 1)
    assert found["compared"] == 3 * 16000 - 2 * 80
    assert found["dropped"] == 0
    if not found["underruns"]:  # a busy machine may have some at a latency of 0.05 s
        assert found["gaps"] == []
        assert found["differing"] == 0


def test_a_control_is_heard_within_the_ring_plus_two_frames(measure) -> None:
    found = measure("steer", "--times", 5)
    assert found["turned"] == 5
    if not found["underruns"]:
        assert found["within"] == found["seen"] == 5
        assert found["differing"] == 0
        assert min(found["delays_samples"]) > 0
    assert found["bound_samples"] == 0.05 * 16000 + 2 * 200


def test_the_callback_only_copies(measure) -> None:
    found = measure("callback", "--minutes", 0.05, "--channels", 2)
    assert "Ring.read_into" in found["calls"]
    allowed = {"CallbackFlags._hasflag", "CallbackFlags.output_underflow", "len", "min", "ndarray.fill"}
    assert set(found["calls"]) <= allowed | {"OutputDevice._play", "Ring.read_into"}
    assert 0 < found["bytes"]["p50"] < 200 * 4  # array views, numbers; not a block of one channel
    assert found["callbacks"] > 100


@pytest.mark.parametrize("what", ["osc", "midi"])
def test_changes_are_counted_and_timed(measure, what: str) -> None:
    found = measure(what, "--minutes", 0.05)
    assert found["changes"] == 3000
    assert found["lost"] == 0
    assert 0 <= found["late"]["p50"] <= found["late"]["p99"] <= found["late"]["max"]


def test_a_gap_is_found_and_the_samples_after_it_are_compared() -> None:
    begins, gap = np.zeros(3000, np.float32), np.zeros(200, np.float32)
    assert align(SENT, np.concatenate([begins, SENT, begins]), 16000) == Alignment(63840, 0, [], 3000)
    heard = np.concatenate([begins, SENT[:20000], gap, SENT[20000:40000], SENT[40500:]])
    found = align(SENT, heard, 16000)
    assert found.gaps == [(20000, 200), (40000, -500)]
    assert found.compared == 63840
    assert found.differing == 2 * 1600  # after each gap, the chunk that is searched for
    assert [found.place(at) for at in (19999, 30000, 50000)] == [22999, 33200, 52700]
    half = SENT.copy()
    half[30000:] += 0.001
    assert align(SENT, half, 16000).differing > 20000
    assert align(SENT, SENT[:30000], 16000).differing == 63920 - 30000
