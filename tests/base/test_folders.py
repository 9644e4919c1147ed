"""The user's folders, and the environment variables that move them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest
from support.command import environment

from vrnn_engine.base.folders import (
    cache_folder,
    check_name,
    config_folder,
    hands_folder,
    is_name,
    saved_folder,
    voices_folder,
)
from vrnn_engine.errors import StreamError

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


ALLOWED = ["a", "_", "7", "a voice", "été", "a.b-c_d", "a-", "a" * 64, "CONcert", "com", "com10", "my.con"]
REFUSED = ["", ".", "..", " a", ".a", "-a", "a/b", "a\\b", "a\n", "a:b", "a" * 65, "a.", "a ", "a b. "]
DEVICES = ["CON", "con", "Nul", "aux.x", "PRN .x", "com1", "LPT9.a.b", "COM¹"]


@pytest.mark.parametrize("name", ALLOWED)
def test_a_name_that_each_system_has_is_allowed(name: str) -> None:
    assert is_name(name)
    check_name(name, "hand", StreamError)


@pytest.mark.parametrize("name", REFUSED + DEVICES)
def test_a_name_that_some_system_does_not_have_is_refused(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(StreamError, match=r"a hand cannot be named .*begin with a letter.*end with.*such as CON"):
        check_name(name, "hand", StreamError)


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
