"""benchmarks/frames_a_call.py: the frames do not depend on how many of them one call computes."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from support import tiny_models
from support.command import ROOT, environment
from support.exports import export_once

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from frames_a_call import unrolled


@pytest.mark.slow
def test_three_frames_in_one_call_equal_three_calls(tmp_path: Path) -> None:
    steps = tiny_models.steps("samples-gauss")
    one, three = unrolled(steps, 1, tmp_path / "1"), unrolled(steps, 3, tmp_path / "3")
    singly = np.concatenate([one().numpy().copy() for _ in range(6)], axis=1)
    together = np.concatenate([three().numpy().copy() for _ in range(2)], axis=1)
    assert singly.shape == (1, 6, 20)
    assert np.allclose(singly, together, rtol=1e-4, atol=1e-5)
    assert not np.allclose(singly[:, 0], singly[:, 1], atol=1e-2)


@pytest.mark.slow
def test_one_frame_a_call_has_the_products_of_a_voice(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The products of the step graph are combined in both."""
    steps = tiny_models.steps("samples-gauss")
    unrolled(steps, 1, tmp_path / "1")
    voice = export_once("samples-gauss", tmp_path_factory)
    here, there = (
        Counter(
            node.op_type for node in onnx.load(folder / "step.onnx").graph.node if node.op_type in ("Gemm", "MatMul")
        )
        for folder in (tmp_path / "1", voice.path)
    )
    assert here == there


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--recipe", "nope"), 1, "nope"),
        (("--frames", "0"), 2, "--frames and --rounds must be at least 1"),
    ],
)
def test_wrong_arguments_are_one_line_errors(words, code, message) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "frames_a_call.py"), *words]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert message in done.stderr.splitlines()[-1]
