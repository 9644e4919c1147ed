"""Noise depends on the seed and the frame alone."""

import numpy as np
import pytest

from vrnn_engine import StreamError
from vrnn_engine.runtime.noise import AHEAD, BLOCK, NoiseSource

WIDTHS = {"output": 5, "latent": 3}


def test_noise_is_the_documented_draw() -> None:
    """The definition of a seed, written out a second time: it must never change."""
    seed, frame = 2**63 + 9, 3 * BLOCK + 17
    drawn = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, 3])).standard_normal((64, 8), np.float32)
    noise = NoiseSource(seed, WIDTHS).at(frame)
    np.testing.assert_array_equal(noise["latent"], drawn[17, :3])  # names in sorted order
    np.testing.assert_array_equal(noise["output"], drawn[17, 3:])


@pytest.mark.parametrize("start", [0, 1, 62, 64, 130])
def test_consecutive_frames_are_the_documented_draw(start: int) -> None:
    source = NoiseSource(7, WIDTHS)
    for frame in range(start, start + 200):
        block, row = divmod(frame, BLOCK)
        generator = np.random.Generator(np.random.Philox(key=7, counter=[0, 0, 0, block]))
        drawn = generator.standard_normal((64, 8), np.float32)[row]
        np.testing.assert_array_equal(source.at(frame)["output"], drawn[3:])


@pytest.mark.parametrize("seeds", [range(64), range(0, 64 * 64, 64), [0] + [2**k for k in range(63)]])
def test_different_seeds_draw_at_different_frames(seeds: object, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [NoiseSource(seed, WIDTHS) for seed in seeds]
    drawn = [0]
    usual = NoiseSource._draw

    def draw(source: NoiseSource, frame: int) -> None:
        drawn[-1] += 1
        usual(source, frame)

    monkeypatch.setattr(NoiseSource, "_draw", draw)
    for frame in range(1, 5 * BLOCK):  # all draw at frame 0
        drawn.append(0)
        for source in sources:
            source.at(frame)
    later = np.delete(drawn[2:], np.arange(BLOCK - 2, 5 * BLOCK, BLOCK)[:4])  # all draw at the first frame of a block
    assert later.max() <= 2.5 * len(sources) / AHEAD


def test_order_of_frames_changes_nothing() -> None:
    forward, backward = NoiseSource(1, WIDTHS), NoiseSource(1, WIDTHS)
    frames = [0, 1, 63, 64, 65, 127, 128, 10**9]
    ahead = {frame: forward.at(frame) for frame in frames}
    for frame in reversed(frames):
        for name, values in backward.at(frame).items():
            np.testing.assert_array_equal(values, ahead[frame][name])


def test_noise_is_standard_normal_and_differs_by_frame_and_seed() -> None:
    source = NoiseSource(4, {"latent": 50})
    frames = np.stack([source.at(frame)["latent"] for frame in range(400)])
    assert len(np.unique(frames)) > 0.99 * frames.size
    assert abs(frames.mean()) < 0.03
    assert abs(frames.std() - 1) < 0.03
    assert not np.array_equal(frames[0], NoiseSource(5, {"latent": 50}).at(0)["latent"])


def test_noise_is_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        NoiseSource(1, WIDTHS).at(0)["latent"][0] = 0


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "7", None, True])
def test_invalid_seeds_are_refused(seed: object) -> None:
    with pytest.raises(StreamError, match="is not an integer from 0 to"):
        NoiseSource(seed, WIDTHS)  # type: ignore[arg-type]


def test_numpy_integers_and_the_largest_seed_are_accepted() -> None:
    assert NoiseSource(np.uint64(2**64 - 1), WIDTHS).seed == 2**64 - 1  # type: ignore[arg-type]
