"""Small corpora and signals with known properties: noise as speech, zigzags as ink."""

from pathlib import Path

import numpy as np
import soundfile

from vrnn_engine.data.batches import SPLITS
from vrnn_engine.data.options import SpeechData
from vrnn_engine.data.speech import SpeechCorpus

RATE = 8000


def make_speech(folder: Path, names, rate=8000, seconds=0.5, channels=1):
    """Write recordings of white noise."""
    rng = np.random.default_rng(0)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.standard_normal((int(rate * seconds), channels)), rate, subtype="PCM_16")
    return folder


def split_names(count: int, ending: str = "wav") -> list[str]:
    """Return names of recordings in the folders of the three splits, some in each."""
    return [f"{split}/{number}.{ending}" for split in SPLITS for number in range(count)]


def speech_corpus(folder: Path, rate: int, frame_size=20, lanes=2, context=1, strict=False, **options) -> SpeechCorpus:
    """Open a corpus with short frames and chunks of five of them."""
    data = SpeechData(rate=rate, lanes=lanes, chunk=5, carry=2, **options)
    return SpeechCorpus(folder, data, frame_size, context, strict)


def circle(points=41, strokes=2):
    """Return half circles of one stroke each, as (dx, dy, pen-up)."""
    angle = np.linspace(0, np.pi, points)
    one = np.column_stack([1 - np.cos(angle), -np.sin(angle)])
    path = np.concatenate([one + [3.0 * i, 0] for i in range(strokes)])
    up = np.tile(np.arange(points) == points - 1, strokes)
    return np.column_stack([np.diff(path, axis=0, prepend=path[:1]), up]).astype(np.float32)


def make_ink(path: Path, lines=400):
    """Write an .npz of half circles of varying size, four lines to a form, by two contributors in turn."""
    rng = np.random.default_rng(0)
    shapes = [np.rint(circle() * [100, 100, 1] * rng.uniform(0.9, 1.1)).astype(np.int16) for _ in range(lines)]
    table = {
        "dxy": np.concatenate(shapes)[:, :2],
        "eos": np.concatenate(shapes)[:, 2].astype(np.uint8),
        "offsets": np.arange(lines + 1, dtype=np.int32) * len(shapes[0]),
        "ids": np.array([f"form{i // 4}-{i}" for i in range(lines)]),
        "contributor": np.array(["a", "b"] * (lines // 2)),
        "points_per_inch": np.tile(np.float32([500, 1000]), lines // 2),
        "points_per_second": np.full(lines, 100, np.float32),
    }
    np.savez(path, **table)
    return path


def zigzag(lean, height=4.0, points=300, wobble=0.0, seed=0):
    """Return strokes of nine points down, leaning by `lean` degrees, and nine back up; y grows downwards."""
    rng = np.random.default_rng(seed)
    t = np.arange(points)
    leg, at = t // 9, t % 9
    down = np.where(leg % 2 == 0, at, 9 - at) / 9 * height
    lean = np.radians(lean + wobble * rng.standard_normal(leg[-1] // 2 + 1))[leg // 2]
    x = 0.3 * (leg // 2) * height - np.tan(lean) * down
    moves = np.diff(np.column_stack([x, down]), axis=0, prepend=[[x[0], down[0]]])
    return np.column_stack([moves, t % 18 == 17]).astype(np.float32)


def syllables(seconds, seed):
    """Return noise whose level changes at random every 100 ms."""
    rng = np.random.default_rng(seed)
    levels = np.repeat(rng.uniform(0.01, 0.3, 10 * seconds), RATE // 10)
    return levels * rng.standard_normal(len(levels))
