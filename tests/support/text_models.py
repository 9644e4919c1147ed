"""Tiny text-conditioned models, and ink with texts, for tests."""

from pathlib import Path

import numpy as np
import torch

from vrnn_engine.models import ModelConfig, build_model
from vrnn_engine.models.config import TextConfig
from vrnn_engine.models.families.text import TextVRNN

ALPHABET = " abcdefgh.,"


def config(**changes) -> ModelConfig:
    """Return a configuration whose layers have different sizes, so that two swapped layers do not fit."""
    fields = {
        "family": "text-vrnn-gmm",
        "basis": "points",
        "frame_size": 3,
        "components": 4,
        "latent_size": 5,
        "recurrent_size": 26,
        "phi_x": (11, 9),
        "phi_z": (8,),
        "encoder": (10,),
        "decoder": (15,),
        "text": TextConfig(
            alphabet=ALPHABET, embedding=6, gaussians=3, reader_size=12, points_per_character=4.0, style_frames=4
        ),
    }
    return ModelConfig(**(fields | changes))


def model(seed: int = 0, **changes) -> TextVRNN:
    """Return a float64 model with random weights, whose attention moves by about a third of a character per frame."""
    torch.manual_seed(seed)
    made = build_model(config(**changes)).double().eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            weight.copy_(torch.randn_like(weight) * (0.3 if name.endswith("bias") else 0.35))
        made.window.embedding.weight[0] = 0
        made.window.heads.bias[-1] = -1.0
    return made


def write_ink(path: Path, lines: int = 240, seed: int = 0) -> Path:
    """Write an .npz of lines of two strokes by twelve writers, with texts as long as the ink."""
    rng = np.random.default_rng(seed)
    moves, lifted, ends, texts = [], [], [0], []
    for _ in range(lines):
        text = "".join(rng.choice(list("abcdefgh"), rng.integers(3, 9)))
        count = 8 * len(text)
        dxy = np.column_stack([rng.normal(6, 3, count), 20 * np.sin(np.arange(count)) + rng.normal(0, 3, count)])
        dxy[0] = 0
        up = np.zeros(count)
        up[[count // 2, -1]] = 1
        moves.append(dxy)
        lifted.append(up)
        texts.append(text)
        ends.append(ends[-1] + count)
    np.savez(
        path,
        dxy=np.concatenate(moves).round().astype(np.int16),
        eos=np.concatenate(lifted).astype(np.uint8),
        offsets=np.array(ends, np.int32),
        ids=np.array([f"w{k % 12}.dat#{k}" for k in range(lines)]),
        texts=np.array(texts),
        contributor=np.array(["abc"] * lines),
        points_per_inch=np.full(lines, 200.0, np.float32),
        points_per_second=np.full(lines, 60.0, np.float32),
    )
    return path
