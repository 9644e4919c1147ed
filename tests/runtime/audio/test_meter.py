"""Levels are in dB of full scale; a tone is in its band."""

import numpy as np
import pytest

from vrnn_engine.runtime.audio.meter import SILENCE, level, spectrum

TIME = np.arange(1600, dtype=np.float32) / 16000


def test_level_is_in_db_of_full_scale():
    sine = np.sin(2 * np.pi * 400 * TIME)
    assert level([sine]) == pytest.approx(-3.01, abs=0.01)
    assert level([0.1 * sine[:800], 0.1 * sine[800:]]) == pytest.approx(-23.01, abs=0.01)
    assert level([np.zeros(200)]) == level([]) == SILENCE


@pytest.mark.parametrize("hertz", [150, 440, 1000, 5000])
def test_the_band_of_a_tone_has_the_highest_level(hertz):
    edges = np.geomspace(60, 8000, 13)
    bands = spectrum([np.sin(2 * np.pi * hertz * TIME)], 16000, 12)
    assert edges[bands.argmax()] <= hertz <= edges[bands.argmax() + 1]
    assert bands.max() == pytest.approx(-3.01, abs=1.5)  # some of it leaks into the next band
    assert np.sort(bands)[-3] < -30


def test_bands_of_silence_have_the_lowest_level():
    assert spectrum([], 16000, 5).tolist() == [SILENCE] * 5
    assert spectrum([np.zeros(200, np.float32)], 16000, 5).tolist() == [SILENCE] * 5
