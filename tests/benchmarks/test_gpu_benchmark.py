"""benchmarks/gpu.py: what of it runs without a GPU, and what it says where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest
from support import tiny_models
from support.command import ROOT, environment, the_error
from support.recipes import speech_recipe

sys.path.insert(0, str(ROOT / "benchmarks"))
import gpu
import random_voice
from ways import matrices

from vrnn_engine import Voice
from vrnn_engine.diagnostics.step_times import weight_bytes
from vrnn_engine.runtime.graph.provider import cuda_obstacle


@pytest.mark.skipif(cuda_obstacle() is None, reason="there is a GPU here")
def test_without_a_gpu_it_measures_nothing_and_says_why(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--json", str(tmp_path / "gpu.json")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert "device 'cuda' cannot run here" in the_error(done)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_what_is_no_gpu_is_refused(device: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", device])
    with pytest.raises(SystemExit):
        gpu.main()
    assert capsys.readouterr().err.endswith("--device is cuda or cuda:N: this measures a GPU\n")


def test_half_precision_is_half_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for what stays in single precision, among it what is only stored in half; bundled voices are all that."""
    monkeypatch.setattr("vrnn_engine.exporters.quantise.MIN_WEIGHTS", 64)
    monkeypatch.setattr("vrnn_engine.exporters.precision.MAX_BOUND", 1.0)  # the weights mean nothing
    model = tiny_models.model("samples-gauss")
    voice = random_voice.write_random_voice(speech_recipe("samples-gauss"), model, tmp_path / "voice", ["fp16"])
    single, half = (gpu.stored(voice, precision) for precision in ("fp32", "fp16"))
    products = 4 * sum(inputs * outputs for inputs, outputs in matrices(voice))
    assert half == pytest.approx(single - products / 2, rel=0.1)
    for bundled in map(Voice.open, ("handwriting", "blizzard")):
        assert gpu.stored(bundled, "fp32") == pytest.approx(weight_bytes(bundled, bundled.graph("step")), rel=0.1)


def test_frames_are_held_against_the_cpus(toy_audio: Path) -> None:
    voice = Voice.open(toy_audio)
    assert gpu.apart(voice, "fp32", "cpu") == 0
    assert (gpu.timed(voice, "fp32", "cpu", 3, False, 0.01) > 0).all()
