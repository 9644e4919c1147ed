"""A killed process leaves the old or the new, never neither, and the next run clears away what it left."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support import toy_voice, writers
from support.killed import fails_at_a_size, killed_after, killed_at_a_size, killed_at_each_step

from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.lookup import list_voices
from vrnn_engine.runtime.voice.voice import Voice

WRITERS = {
    writers.write_a_file: "file",
    writers.write_a_file_in_pieces: "file",
    writers.save_a_state: "toy/here.moment",
    writers.record_sound: "take.wav",
    writers.draw_a_page: "page.svg",
    writers.write_lines_of_ink: "ink.jsonl",
}
KILLS = 125
"""Kills at random times for each writer."""
FOLDERS = [writers.write_a_folder, writers.write_a_folder_by_two_renames]


def content(path: Path) -> dict[str, bytes]:
    """Return the bytes of a file, or of all files in a folder, by name."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def is_a_page(found: bytes) -> bool:
    """Return whether it is a complete page, which is written anew as it grows."""
    return found.endswith(b"</svg>\n")


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_file_is_old_or_new_wherever_its_writer_is_killed(write: Callable[[Path], None], tmp_path: Path) -> None:
    path, model = tmp_path / "folder" / WRITERS[write], tmp_path / "model"
    for folder in (path.parent, model):
        folder.mkdir(parents=True)
    write(model)
    new = (model / WRITERS[write]).read_bytes()
    steps = []
    for step in killed_at_each_step(write, tmp_path / "folder"):
        found = path.read_bytes() if path.exists() else b"old"
        assert found in (b"old", new) or is_a_page(found)
        path.write_bytes(b"old")
        steps.append(step)
    assert len(steps) >= 2
    for size in (0, 1, len(new) // 2, len(new) - 1):
        path.write_bytes(b"old")
        assert killed_at_a_size(write, tmp_path / "folder", size)
        assert path.read_bytes() == b"old" or is_a_page(path.read_bytes())
    write(tmp_path / "folder")
    assert path.read_bytes() == new
    assert hidden(path.parent) == []


@pytest.mark.parametrize("write", [*WRITERS, writers.write_a_folder], ids=lambda write: write.__name__)
@pytest.mark.parametrize("size", [0, 100])
def test_a_write_that_fails_keeps_the_old_and_leaves_nothing(
    write: Callable[[Path], None], size: int, tmp_path: Path
) -> None:
    path = tmp_path / WRITERS.get(write, "target/a")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"old")
    assert fails_at_a_size(write, tmp_path, size)
    assert path.read_bytes() == b"old"
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("write", FOLDERS, ids=lambda write: write.__name__)
def test_a_folder_is_old_or_new_wherever_its_writer_is_killed(write: Callable[[Path], None], tmp_path: Path) -> None:
    target, old = tmp_path / "here" / "target", {"a": b"old"}
    writers.write_a_folder(tmp_path / "model")
    new = content(tmp_path / "model" / "target")
    target.mkdir(parents=True)
    (target / "a").write_bytes(b"old")
    gone = 0
    for _ in killed_at_each_step(write, target.parent):
        if not target.exists():  # between two renames
            gone += 1
            with pytest.raises(ZeroDivisionError), writers.atomic_folder(target):
                raise ZeroDivisionError  # the next writer does not get far, but brings the earlier folder back
        assert content(target) in (old, new)
        shutil.rmtree(target)
        target.mkdir()
        (target / "a").write_bytes(b"old")
    assert gone == (1 if write is writers.write_a_folder_by_two_renames else 0)
    writers.write_a_folder(tmp_path / "here")
    assert content(target) == new
    assert hidden(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("write", [*WRITERS, *FOLDERS], ids=lambda write: write.__name__)
def test_kills_at_random_lose_nothing(write: Callable[[Path], None], tmp_path: Path) -> None:
    """125 for each of 8 writers: 1,000."""
    name, chance = WRITERS.get(write, "target"), random.Random(7)
    path, model = tmp_path / "here" / name, tmp_path / "model" / name
    for parent in (path.parent, model.parent):
        parent.mkdir(parents=True)
    write(tmp_path / "model")
    began = time.perf_counter()
    write(tmp_path / "here")
    usual, killed = time.perf_counter() - began, 0
    for _ in range(KILLS):
        (path if name in WRITERS.values() else path / "a").write_bytes(b"old")
        old = content(path)
        killed += killed_after(write, tmp_path / "here", chance.uniform(0, 2 * usual))
        if not path.exists():  # between two renames
            assert write is writers.write_a_folder_by_two_renames
            write(tmp_path / "here")
        assert content(path) in (old, content(model)) or is_a_page(path.read_bytes())
    assert killed
    assert not fails_at_a_size(write, tmp_path / "here", 1 << 30)  # a new process writes, without an error
    assert hidden(tmp_path / "here") == []


@pytest.mark.slow
def test_an_installed_voice_is_old_or_new_wherever_its_replacement_is_killed(
    toy_audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = toy_voice.build(tmp_path / "other" / "toy-audio", "audio")
    (other / "voice.json").write_text((other / "voice.json").read_text().replace('"toy"', '"another"'))
    installed = writers.install_voice(toy_audio).path
    found = []
    for _ in killed_at_each_step(writers.replace_a_voice, tmp_path / "installed", other):
        assert [voice.name for voice in list_voices() if voice.origin == "installed"] == ["toy-audio"]
        found.append(Voice.open("toy-audio").manifest.family)
        writers.install_voice(toy_audio, replace=True)
    assert len(set(found)) == 2
    assert hidden(installed.parent) == []


@pytest.mark.slow
def test_a_zip_that_was_being_unpacked_is_unpacked_again(toy_audio: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "voice"), "zip", toy_audio))
    for _ in killed_at_each_step(writers.open_a_zip, tmp_path / "cache", archive):
        try:
            Voice.open(archive)
        except VoiceError as error:  # pragma: no cover
            pytest.fail(str(error))
        assert hidden(tmp_path / "cache") == []
        shutil.rmtree(tmp_path / "cache")


def test_what_a_killed_process_has_recorded_is_offered_back(tmp_path: Path, logged: list[str]) -> None:
    assert killed_at_a_size(writers.record_sound, tmp_path, 6000)
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".part")
    writers.record_sound(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["take-interrupted.wav", "take.wav"]
    import soundfile

    samples, rate = soundfile.read(tmp_path / "take-interrupted.wav")
    assert rate == 16000
    assert len(samples) > 2000
    assert (samples == 0.25).all()
    assert logged == [
        f"{tmp_path}/take.wav: a process was killed while it wrote this; its {6000} bytes are in take-interrupted.wav"
    ]


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    with writers.AtomicFile(tmp_path / "file") as file, writers.atomic_folder(tmp_path / "target") as made:
        file.append(b"mine")
        (made / "a").touch()
        writers.write_a_file(tmp_path)
        writers.write_a_folder(tmp_path)
        assert made.exists()
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["a"]
