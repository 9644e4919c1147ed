"""benchmarks/frames_a_call.py: it steps the same model, however many frames a call takes."""

import sys
from pathlib import Path

import numpy as np
import tiny

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from frames_a_call import unrolled


def test_three_frames_in_one_call_are_those_of_three_calls(tmp_path: Path) -> None:
    steps = tiny.steps("samples-gauss")
    one, three = unrolled(steps, 1, tmp_path / "1"), unrolled(steps, 3, tmp_path / "3")
    singly = np.concatenate([one().numpy().copy() for _ in range(6)], axis=1)
    together = np.concatenate([three().numpy().copy() for _ in range(2)], axis=1)
    assert singly.shape == (1, 6, 20)
    assert np.allclose(singly, together, rtol=1e-4, atol=1e-5)
    assert not np.allclose(singly[:, 0], singly[:, 1], atol=1e-2)
