"""benchmarks/gpu.py: what of it runs without a GPU, and what it says where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT, environment, the_error

sys.path.insert(0, str(ROOT / "benchmarks"))
import gpu

from vrnn_engine import Voice
from vrnn_engine.runtime.provider import cuda_obstacle


@pytest.mark.skipif(cuda_obstacle() is None, reason="there is a GPU here")
def test_without_a_gpu_it_measures_nothing_and_says_why(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--json", str(tmp_path / "gpu.json")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert "device 'cuda' cannot run here" in the_error(done)
    assert not list(tmp_path.iterdir())


def test_frames_are_held_against_the_cpus(toy_audio: Path) -> None:
    voice = Voice.open(toy_audio)
    assert gpu.apart(voice, "fp32", "cpu") == 0
    assert (gpu.timed(voice, "fp32", "cpu", 3, False, 0.01) > 0).all()
