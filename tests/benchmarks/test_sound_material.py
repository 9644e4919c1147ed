"""benchmarks/sound_material.py: each kind of material is made again from its seed."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import sound_material


def made(kind: str, folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Return the two recordings of three seconds that the script writes."""
    words = [kind, str(folder), "--minutes", "0.1", "--recordings", "2", "--seed", str(seed), "--rate", "32000"]
    monkeypatch.setattr(sys, "argv", ["sound_material.py", *words])
    sound_material.main()
    files = sorted(folder.glob("*.flac"))
    assert [soundfile.info(file).samplerate for file in files] == [32000, 32000]
    return [soundfile.read(file)[0] for file in files]


@pytest.mark.parametrize(("kind", "channels"), [("shore", 1), ("strings", 1), ("choir", 2)])
def test_the_same_seed_makes_the_same_sound(
    kind: str, channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again, other = (
        made(kind, tmp_path / name, seed, monkeypatch) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    for one, same in zip(first, again, strict=True):
        assert np.array_equal(one, same)
        assert one.shape[1:] == ((2,) if channels == 2 else ())
        assert np.abs(one).max() == pytest.approx(0.5, abs=1e-3)
        assert abs(len(one) - 3 * 32000) <= 1
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], other[0])
