"""benchmarks/revoicing.py: the copies that it makes, and the envelopes that it compares."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import revoicing

RATE = 16000


def syllables(seconds: float = 3.0) -> np.ndarray:
    """Return noise that swells and fades twice a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(2).standard_normal(len(time))
    return 0.05 * noise * np.square(np.sin(np.pi * 2 * time))


def test_copies_differ_from_the_recording_as_their_names_say() -> None:
    sound = syllables()
    made = {copy.name: copy for copy in revoicing.copies(sound, RATE)}
    assert list(made) == ["as recorded", "telephone band", "noise at 20 dB", "slower by a fifth"]

    def power(name: str, low: int, high: int) -> float:
        spectrum = np.square(np.abs(np.fft.rfft(made[name].sound)))  # of three seconds: three bins per Hz
        return float(spectrum[3 * low : 3 * high].sum())

    assert power("telephone band", 3600, 8000) < 1e-9 * power("as recorded", 3600, 8000)
    assert power("telephone band", 500, 3000) == pytest.approx(power("as recorded", 500, 3000))
    added = made["noise at 20 dB"].sound - sound
    assert sound.std() / added.std() == pytest.approx(10, rel=0.02)
    assert all(copy.clean is sound for copy in made.values())


def test_a_correlation_is_that_of_the_envelopes() -> None:
    sound = syllables()
    other_noise = sound * np.sign(np.random.default_rng(5).standard_normal(len(sound)))
    assert revoicing.correlation(sound, 0.1 * other_noise, RATE) == pytest.approx(1)
    assert revoicing.correlation(sound, sound[RATE // 4 :], RATE) < 0  # the swells of one are the pauses of the other
    assert len(revoicing.envelope(sound, RATE)) == 120


def test_the_delay_of_a_whole_number_of_frames_is_found() -> None:
    sound = syllables()
    for frames in (0, 1, 2):
        late = np.concatenate([np.zeros(400 * frames), sound])
        assert revoicing.best_delay(late, sound, RATE, 400) == 400 * frames


def test_level_of_pauses_is_that_of_the_quietest_tenth() -> None:
    sound = np.concatenate([np.full(8000, 0.5), np.full(1600, 0.01)])
    assert revoicing.pause_level(sound, RATE) == pytest.approx(-40, abs=0.01)


def test_the_table_has_each_copy_of_each_folder(toy_audio, tmp_path, monkeypatch, capsys) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("a", "b", "c"):
        soundfile.write(folder / f"{name}.wav", syllables(1.0), RATE)
    words = ["--voice", str(toy_audio), "--data", str(folder), "--recordings", "2", "--json", str(tmp_path / "x.json")]
    monkeypatch.setattr(sys, "argv", ["revoicing.py", *words])
    revoicing.main()
    printed = capsys.readouterr().out
    assert f"2 recordings of {folder}" in printed
    (table,) = json.loads((tmp_path / "x.json").read_text()).values()
    assert list(table) == ["as recorded", "telephone band", "noise at 20 dB", "slower by a fifth"]
    for name, row in table.items():
        assert f"{name:18}  {row['correlation']:11.2f}" in printed
        assert -1 <= row["lowest"] <= row["correlation"] <= 1
