"""Spectral changes of sound: what they keep, and what they remove."""

import numpy as np
import pytest

from vrnn_engine.data.augment.spectra import coloured_noise, cut_above, fill_above, telephone_band, tilt

RATE = 16000


def tone(frequency, amplitude=1.0):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)


def level(sound, frequency):
    """Return the amplitude of a tone of an integer frequency in one second of sound."""
    return 2 * np.abs(np.fft.rfft(sound, axis=0)[frequency]) / len(sound)


def test_a_cut_keeps_what_is_below_the_edge_and_removes_what_is_above_the_transition():
    sound = cut_above(tone(7000) + tone(7250) + tone(7600), RATE, 7000, 500)
    assert [level(sound, f) for f in (7000, 7250, 7600)] == pytest.approx([1, 0.5, 0], abs=1e-9)


def test_a_filled_band_mirrors_the_band_below_its_edge_at_the_same_time():
    burst = tone(7400) * (np.arange(RATE) // 1600 == 4)
    filled = fill_above(burst, RATE, 7600, 0.5)
    image = filled - cut_above(burst, RATE, 7600, 1)
    assert level(image, 7800) == pytest.approx(0.5 * level(burst, 7400), rel=1e-3)
    inside = np.square(image[6300:8100]).sum() / np.square(image).sum()
    assert inside > 0.98


def test_a_filled_band_replaces_what_was_there():
    assert level(fill_above(tone(7900), RATE, 7600, 1.0), 7900) == pytest.approx(0, abs=1e-9)


def test_telephone_band_passes_300_to_3400_hz_of_each_channel():
    frequencies = (150, 300, 1000, 3400, 3600)
    stereo = np.stack([sum(map(tone, frequencies)), tone(1000)], axis=1)
    limited = telephone_band(stereo, RATE)
    assert [level(limited[:, 0], f) for f in frequencies] == pytest.approx([0, 1, 1, 1, 0], abs=1e-9)
    assert level(limited[:, 1], 1000) == pytest.approx(1)


def test_tilt_has_its_full_range_from_100_hz_to_half_the_rate():
    sound = tilt(tone(50) + tone(100) + tone(7999), RATE, 6.0)
    assert level(sound, 7999) / level(sound, 100) == pytest.approx(10 ** (6 / 20), rel=1e-3)
    assert level(sound, 50) == pytest.approx(level(sound, 100))


def test_noise_has_the_slope_and_the_deviation_that_are_asked_for():
    for slope in (0.0, 0.5, 1.0):
        noise = coloured_noise((RATE,), slope, np.random.default_rng(3))
        assert noise.std() == pytest.approx(1)
        power = np.square(np.abs(np.fft.rfft(noise)))
        ratio = power[2000:4000].mean() / power[500:1000].mean()
        assert ratio == pytest.approx(4 ** (-2 * slope), rel=0.25)
