"""benchmarks/gpu.py: the parts that run without a GPU, and the error if there is none."""

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
def test_without_a_gpu_it_prints_why_and_measures_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--json", str(tmp_path / "gpu.json")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert "device 'cuda' cannot run here" in the_error(done)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_other_devices_are_refused(device: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", device])
    with pytest.raises(SystemExit):
        gpu.main()
    assert capsys.readouterr().err.endswith("--device must be cuda or cuda:N: this measures a GPU\n")


def test_half_precision_halves_the_bytes_of_the_products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are only stored in half precision count in full, as all weights of the bundled voices do."""
    monkeypatch.setattr("vrnn_engine.exporters.precision.quantise.MIN_WEIGHTS", 64)
    monkeypatch.setattr("vrnn_engine.exporters.precision.accuracy.MAX_BOUND", 1.0)  # the weights are random
    model = tiny_models.model("samples-gauss")
    voice = random_voice.write_random_voice(speech_recipe("samples-gauss"), model, tmp_path / "voice", ["fp16"])
    single, half = (gpu.weight_bytes_on_gpu(voice, precision) for precision in ("fp32", "fp16"))
    products = 4 * sum(inputs * outputs for inputs, outputs in matrices(voice))
    assert half == pytest.approx(single - products / 2, rel=0.1)
    for bundled in map(Voice.open, ("handwriting", "blizzard")):
        assert gpu.weight_bytes_on_gpu(bundled, "fp32") == pytest.approx(
            weight_bytes(bundled, bundled.graph("step")), rel=0.1
        )


def test_frames_are_compared_with_the_cpus(toy_audio: Path) -> None:
    voice = Voice.open(toy_audio)
    assert gpu.difference(voice, "fp32", "cpu") == 0
    assert (gpu.timed(voice, "fp32", "cpu", 3, False, 0.01) > 0).all()
