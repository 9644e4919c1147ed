"""An installed voice is removed as a whole, and nothing else; large documents are not installed."""

import shutil
from pathlib import Path

import pytest
from support.command import Run, the_error

from vrnn_engine import VoiceError
from vrnn_engine.runtime.graph.install import install_voice, remove_voice
from vrnn_engine.runtime.voice.lookup import list_voices


@pytest.fixture
def installed(toy_audio: Path, homes: Path) -> Path:
    return install_voice(toy_audio).path


def test_a_voice_is_removed(installed: Path) -> None:
    assert remove_voice(installed.name) == installed
    assert not list(installed.parent.iterdir())
    assert installed.name not in [one.name for one in list_voices()]


def test_a_linked_voice_is_removed_and_its_files_stay(installed: Path, tmp_path: Path) -> None:
    files = tmp_path / "files"
    installed.rename(files)
    installed.symlink_to(files)
    remove_voice(installed.name)
    assert not list(installed.parent.iterdir())
    assert (files / "voice.json").is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("blizzard", "the voice 'blizzard' is part of the package"),
        ("toy-audo", "no voice 'toy-audo' is installed; did you mean 'toy-audio'"),
        ("../installed/toy-audio", "no voice '../installed/toy-audio' is installed"),
        ("..", "no voice '..' is installed"),
        ("", "no voice '' is installed"),
    ],
)
def test_what_is_not_installed_is_not_removed(installed: Path, name: str, message: str) -> None:
    with pytest.raises(VoiceError, match=message):
        remove_voice(name)
    assert (installed / "voice.json").is_file()


def test_the_command_says_what_it_removed(installed: Path, run: Run) -> None:
    done = run("voices", "remove", installed.name)
    assert (done.returncode, done.stdout) == (0, f"removed toy-audio from {installed.parent}\n")
    assert "no voice 'toy-audio' is installed" in the_error(run("voices", "remove", installed.name))


def test_a_voice_with_a_large_document_is_not_installed(toy_audio: Path, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    shutil.copytree(toy_audio, folder)
    with open(folder / "notes.txt", "wb") as file:
        file.truncate((64 << 20) + 1)  # without taking space
    with pytest.raises(VoiceError, match=r"notes\.txt: a document of more than 64 MiB; remove it"):
        install_voice(folder)
    assert "toy-audio" not in [one.name for one in list_voices()]
