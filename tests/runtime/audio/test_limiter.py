"""The limiter: bit-transparent below its ceiling, never above it, whatever the blocks and the samples are."""

import numpy as np
import pytest

from vrnn_engine.runtime.audio.fader import Fader
from vrnn_engine.runtime.audio.limiter import LARGEST, RELEASE_SECONDS, Limiter, playable

RATE = 16000
TOP = float(np.float32(10 ** (-1 / 20)))


def noise(count: int, level: float) -> np.ndarray:
    return (level * np.random.default_rng(3).standard_normal(count)).astype(np.float32)


def limit(samples: np.ndarray, block: int, limiter: Limiter | None = None) -> np.ndarray:
    limiter = limiter or Limiter(RATE)
    return np.concatenate([limiter.push(samples[at : at + block]) for at in range(0, len(samples), block)])


def test_what_is_below_the_ceiling_is_not_changed() -> None:
    samples = np.clip(noise(RATE, 0.3), -TOP, TOP)
    limiter = Limiter(RATE)
    assert limiter.push(samples) is samples
    assert limiter.push(samples[:0]).size == 0
    assert limiter.limited == 0


@pytest.mark.parametrize("level", [1.0, 30.0, 1e6, 3e38])
@pytest.mark.parametrize("block", [1, 7, 200, RATE])
def test_nothing_exceeds_the_ceiling(level: float, block: int) -> None:
    with np.errstate(over="ignore"):
        samples = np.clip(noise(RATE // 4, 1.0) * np.float32(level), -3e38, 3e38)
    limiter = Limiter(RATE)
    limited = limit(samples, block, limiter)
    assert limited.dtype == np.float32
    assert np.abs(limited).max() <= TOP
    assert limiter.limited == np.count_nonzero(np.abs(samples) > TOP)


def test_the_result_does_not_depend_on_the_blocks() -> None:
    samples = noise(RATE, 1.0)
    whole = limit(samples, RATE)
    for block in (1, 50, 333):
        assert np.allclose(limit(samples, block), whole, rtol=0, atol=1e-6)


def test_the_gain_recovers_after_a_loud_sample() -> None:
    samples = np.full(RATE, 0.5, np.float32)
    samples[100] = 4.0
    limited = limit(samples, 200)
    assert (limited[:100] == 0.5).all()
    assert limited[100] == pytest.approx(TOP)
    later = 101 + round(RELEASE_SECONDS * RATE * np.log(4 / TOP))
    assert limited[101] == pytest.approx(0.5 * TOP / 4, rel=2e-3)
    assert (np.diff(limited[101:later]) >= 0).all()
    assert (limited[later + 1 :] == 0.5).all()


def test_nan_and_infinities_become_silence() -> None:
    assert playable(np.float32([0.5, np.nan, np.inf, -np.inf, 3e38])).tolist() == [0.5, 0, 0, 0, LARGEST]
    quiet = noise(100, 0.1)
    assert playable(quiet) is quiet
    limiter = Limiter(RATE)
    assert np.isfinite(limiter.push(np.float32([np.nan, np.inf, 0.5, -np.inf]))).all()
    assert np.isfinite(limiter.push(quiet)).all()


@pytest.mark.parametrize("volumes", [(-np.inf, 20.0), (20.0, -np.inf), (0.0, 20.0)])
def test_a_change_of_volume_makes_no_nan(volumes: tuple[float, float]) -> None:
    fader, limiter = Fader(volumes[0]), Limiter(RATE)
    fader.start(RATE)
    block = np.float32([np.nan, np.inf, 3e38, -3e38] * 100)
    for volume in volumes:
        fader.volume = volume
        made = limiter.push(fader.push(playable(block)))
        assert np.isfinite(made).all()
        assert np.abs(made).max(initial=0) <= TOP
