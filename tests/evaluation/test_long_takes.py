"""Repetition and drift, on sounds that are known to repeat or to drift."""

import numpy as np
import pytest
from support.corpora import RATE, syllables

from vrnn_engine.errors import DataError
from vrnn_engine.evaluation.drift import drift
from vrnn_engine.evaluation.repetition import repetition


@pytest.mark.parametrize("period", [0.7, 2.5, 4.0])
def test_loop_has_repetition_near_1(period):
    once = syllables(5, 1)[: round(period * RATE)]
    assert repetition(np.resize(once, 10 * RATE), RATE) > 0.97


def test_new_sound_has_low_repetition():
    noise = 0.1 * np.random.default_rng(0).standard_normal(20 * RATE)
    assert 0 < repetition(noise, RATE) < 0.3
    assert 0 < repetition(syllables(20, 1), RATE) < 0.3


def test_repeated_phrase_counts_by_its_share():
    half = np.concatenate([syllables(10, 1), syllables(5, 2), syllables(5, 2)])
    assert repetition(half, RATE) == pytest.approx((0.22 + 1) / 2, abs=0.1)


def test_pauses_and_common_colour_are_not_repetition():
    assert repetition(syllables(20, 1) * np.repeat(np.arange(20) % 2, RATE), RATE) < 0.3
    coloured = np.cumsum(np.random.default_rng(0).standard_normal(20 * RATE)) / 500
    assert repetition(coloured - coloured.mean(), RATE) < 0.35


def test_hum_and_silence_have_low_repetition():
    hum = 0.1 * np.sin(2 * np.pi * 120 * np.arange(4 * RATE) / RATE)
    assert repetition(hum, RATE) < 0.2
    assert repetition(np.zeros(4 * RATE), RATE) == 0


def test_repetition_does_not_depend_on_the_size_of_a_product(monkeypatch):
    sound = syllables(12, 1)
    whole = repetition(sound, RATE)
    monkeypatch.setattr("vrnn_engine.evaluation.repetition.AT_ONCE", 170)
    assert repetition(sound, RATE) == pytest.approx(whole, abs=1e-5)


def test_steady_take_does_not_drift():
    found = drift(syllables(40, 1), RATE, piece=10)
    assert found.level < 1.5
    assert found.depth > 5


def test_fading_sound_drifts_in_level():
    fading = syllables(40, 1) * 10 ** (-np.arange(40 * RATE) / RATE / 40)  # 20 dB in all
    # The pieces lie at +7.5, +2.5, -2.5 and -7.5 dB, plus or minus random fluctuations.
    assert drift(fading, RATE, piece=10).level == pytest.approx(7.5, abs=1.5)


def test_final_hum_lowers_depth_and_final_noise_lowers_voicing():
    seconds = np.arange(10 * RATE) / RATE
    hum = 0.1 * np.sin(2 * np.pi * 120 * seconds)
    talk = np.resize(np.eye(1, 80)[0], len(seconds)) * (1 + 0.9 * np.sin(2 * np.pi * 4 * seconds))
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(seconds))
    into_hum = drift(np.concatenate([talk, talk, hum]), RATE, piece=10)
    assert into_hum.depth < 1 < drift(np.concatenate([talk, talk]), RATE, piece=10).depth
    assert into_hum.syllabic < 0.05
    assert into_hum.voiced > 0.9
    assert drift(np.concatenate([talk, noise]), RATE, piece=10).voiced < 0.02


def test_growing_hiss_raises_the_power_above_4_khz():
    quiet = np.random.default_rng(0).standard_normal(20 * 16000)
    low = np.convolve(quiet, np.full(16, 1 / 16), "same")
    found = drift(np.concatenate([low[: 10 * 16000], low[10 * 16000 :] + 0.1 * quiet[10 * 16000 :]]), 16000, piece=10)
    assert found.high > 3
    assert drift(low, 16000, piece=10).high == pytest.approx(0, abs=0.3)


def test_too_short_sound_is_refused():
    with pytest.raises(DataError, match="two pieces of 60 s"):
        drift(syllables(100, 1), RATE)
    with pytest.raises(DataError, match="repetition needs 2 s"):
        repetition(np.zeros(RATE), RATE)
