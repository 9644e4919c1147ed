"""Statistics of sound, on sounds whose level, spectrum and modulation are known."""

import numpy as np
import pytest

from vrnn_engine.errors import DataError
from vrnn_engine.evaluation.sound import CENTRES, MODULATIONS, describe, modulation_spectrum, third_octave_centres

RATE = 16000
SECONDS = np.arange(10 * RATE) / RATE


@pytest.fixture
def noise():
    return 0.1 * np.random.default_rng(0).standard_normal(len(SECONDS))


def test_level_and_band_of_a_sine():
    found = describe(0.1 * np.sin(2 * np.pi * 1000 * SECONDS), RATE)
    assert found.level == pytest.approx(-23.01, abs=0.01)
    at = CENTRES.index(1000.0)
    assert found.bands[at] == pytest.approx(found.level, abs=0.1)
    assert max(level for i, level in enumerate(found.bands) if i != at) < found.level - 40


def test_band_power_of_white_noise_is_proportional_to_bandwidth(noise):
    found = describe(noise, RATE)
    assert found.level == pytest.approx(-20, abs=0.1)
    widths = np.array(CENTRES) * (2 ** (1 / 6) - 2 ** (-1 / 6))
    assert np.allclose(found.bands, -20 + 10 * np.log10(widths / (RATE / 2)), atol=0.7)
    assert found.high == pytest.approx(-3, abs=0.2)
    assert found.clipped == 0


def test_modulation_at_syllable_rate_differs_from_steady_noise(noise):
    steady = describe(noise, RATE)
    syllables = describe(noise * (1 + 0.8 * np.sin(2 * np.pi * 4 * SECONDS)), RATE)
    slow = describe(noise * (1 + 0.8 * np.sin(2 * np.pi * 0.25 * SECONDS)), RATE)
    assert syllables.syllabic == pytest.approx(0.8 / np.sqrt(2), rel=0.1)
    assert steady.syllabic < 0.1
    assert slow.syllabic < 0.15
    assert syllables.depth > 2 * steady.depth


def test_voiced_share_separates_pitch_from_noise(noise):
    def voiced(sound):
        return describe(sound, RATE).voiced

    pulses = np.zeros(len(SECONDS))
    pulses[::80] = 1.0  # 200 Hz
    assert voiced(pulses) == 1
    assert voiced(0.1 * np.sin(2 * np.pi * 120 * SECONDS) + 0.03 * noise) == 1
    assert voiced(noise) < 0.01
    # Only the loud half counts: it alone has a pitch.
    half = np.where(SECONDS < 5, pulses, 0.001 * noise)
    assert voiced(half) > 0.99


def test_band_differences_are_in_decibels(noise):
    louder = describe(2 * noise, RATE).band_differences(describe(noise, RATE))
    assert np.allclose(louder, 6.02, atol=0.01)


def test_clipped_samples_are_counted(noise):
    assert describe(np.clip(20 * noise, -1, 1), RATE).clipped > 0.5


def test_too_short_sound_or_too_low_rate_is_refused(noise):
    for samples, rate in ((noise[: 3 * RATE], RATE), (noise, 4000)):
        with pytest.raises(DataError, match="statistics need 4 s"):
            describe(samples, rate)


def test_modulation_spectrum_peaks_at_the_modulation_rate(noise):
    found = modulation_spectrum(noise * (1 + 0.8 * np.sin(2 * np.pi * 4 * SECONDS)), RATE)
    assert found[MODULATIONS.index(4.0)] == pytest.approx(0.8 / np.sqrt(2), rel=0.1)
    assert max(found[:2] + found[3:]) < 0.15


def test_statistics_of_silence_are_finite():
    found = describe(np.zeros(5 * RATE), RATE)
    assert found.level == pytest.approx(-200)
    assert (found.depth, found.syllabic, found.voiced) == (0, 0, 0)


@pytest.mark.parametrize(
    ("rate", "lowest", "highest"),
    [(8000, 99, 4000), (16000, 99, 4000), (22050, 49, 8000), (44100, 49, 16000), (48000, 49, 20158)],
)
def test_third_octaves_reach_as_high_as_the_rate_allows(rate, lowest, highest):
    centres = third_octave_centres(rate)
    assert (int(centres[0]), int(centres[-1])) == (lowest, highest)


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_statistics_of_the_same_sound_at_other_rates(rate):
    seconds = np.arange(6 * rate) / rate
    louder = 1 + 0.8 * np.sin(2 * np.pi * 4 * seconds)
    found = describe(0.1 * louder * np.sin(2 * np.pi * 250 * seconds), rate)
    assert found.level == pytest.approx(-21.8, abs=0.05)
    assert third_octave_centres(rate)[int(np.argmax(found.bands))] == pytest.approx(250, rel=0.01)
    assert found.syllabic == pytest.approx(0.8 / np.sqrt(2), rel=0.1)
    assert found.voiced > 0.95
    assert modulation_spectrum(louder, rate)[2] == pytest.approx(0.8 / np.sqrt(2), rel=0.1)
