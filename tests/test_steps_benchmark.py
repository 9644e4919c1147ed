"""benchmarks/steps.py: what it compares are ways to compute the same."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import tiny
import torch

from vrnn_engine.models.noise import OutputNoise

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import steps


def test_the_step_by_hand_is_the_models() -> None:
    model = tiny.model("mdct-gauss")
    by_hand = steps.NumpyStep(model)
    drawn = np.random.default_rng(1)
    kept: list[np.ndarray] = []

    def draw(size: int, kind: type) -> np.ndarray:
        kept.append(drawn.standard_normal(size, kind))
        return kept[-1]

    by_hand.rng = SimpleNamespace(standard_normal=draw)
    state = model.initial_state(1)
    with torch.no_grad():
        for _ in range(5):
            frame = by_hand()
            latent, output = (torch.from_numpy(noise)[None] for noise in kept[-2:])
            made = model.generate(state, latent, OutputNoise(output))
            state = made.state
            assert np.allclose(made.frame[0], frame, atol=1e-4)
            assert np.allclose(state.h[0], by_hand.h, atol=1e-5)


def test_every_way_steps(tmp_path: Path) -> None:
    model = tiny.model("mdct-gauss")
    voice = tmp_path / "voice"
    made = steps.RecurrentSteps(model, 16000, "full scale", (0.0,), (1.0,))
    steps.write_voice(made, "tiny", voice, steps.Provenance(data="-", source="-", licence="-", command="-"))
    with torch.inference_mode():
        ways = steps.ways_of(model, voice, compiled=False)
        assert list(ways) == ["engine", "bare", "plain", "eager", "numpy"]
        for way in ways.values():
            assert steps.time_of(way, 3) > 0
    assert steps.row_of([2.0, 9.0, 4.0], [1.0, 3.0, 1.0]) == {"ms": (2.0, 4.0, 9.0), "ratio": (2.0, 3.0, 4.0)}
