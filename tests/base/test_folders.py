"""The user's folders, and the environment variables that move them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest
from support.command import environment

from vrnn_engine.base.folders import cache_folder, config_folder, hands_folder, saved_folder, voices_folder

DATA = Path(platformdirs.user_data_dir("vrnn-engine", appauthor=False))
CACHE = Path(platformdirs.user_cache_dir("vrnn-engine", appauthor=False))
CONFIG = Path(platformdirs.user_config_dir("vrnn-engine", appauthor=False))


def corpora() -> Path:
    return cache_folder("corpora")


@pytest.mark.parametrize(
    ("folder", "variable", "chosen", "default"),
    [
        (voices_folder, "VRNN_ENGINE_VOICES", "x", DATA / "voices"),
        (saved_folder, "VRNN_ENGINE_MOMENTS", "x", DATA / "moments"),
        (hands_folder, "VRNN_ENGINE_HANDS", "x", DATA / "hands"),
        (config_folder, "VRNN_ENGINE_CONFIG", "x", CONFIG),
        (corpora, "VRNN_ENGINE_CACHE", "x/corpora", CACHE / "corpora"),
    ],
)
def test_a_variable_moves_its_folder(
    monkeypatch: pytest.MonkeyPatch, folder: Callable[[], Path], variable: str, chosen: str, default: Path
) -> None:
    monkeypatch.setenv(variable, "x")
    assert folder() == Path(chosen)
    monkeypatch.setenv(variable, "")
    assert folder() == default
    monkeypatch.delenv(variable)
    assert folder() == default
    assert not Path("x").exists()


def test_platformdirs_is_imported_only_where_no_variable_decides() -> None:
    code = (
        "import sys; from vrnn_engine.base import folders\n"
        "folders.voices_folder(), folders.saved_folder(), folders.config_folder(), folders.cache_folder('voices')\n"
        "print('platformdirs' in sys.modules)\n"
    )
    names = ("VOICES", "MOMENTS", "CONFIG", "CACHE")
    moved = environment(**{f"VRNN_ENGINE_{name}": "x" for name in names})
    done = subprocess.run([sys.executable, "-c", code], env=moved, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
