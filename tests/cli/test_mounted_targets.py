"""Files that the command line writes onto a mount point, such as a single file of a container."""

from pathlib import Path

import pytest
from support.command import Run


@pytest.mark.parametrize("name", ["take.wav", "take.flac", "take.jsonl", "page.svg", "page.hpgl", "page.gcode"])
def test_a_take_is_written_onto_a_mounted_file(
    name: str, run: Run, mounted_file: Path, toy_audio: Path, toy_pen: Path, tmp_path: Path
) -> None:
    voice = toy_pen if name.startswith("page") else toy_audio
    words = ("stream", "-v", voice, "-s", "0.5", "--seed", "7", "--to")
    assert run(*words, tmp_path / name).returncode == 0
    target = mounted_file.with_name(name)
    target.symlink_to(mounted_file)  # so that its name has the ending
    done = run(*words, target)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "outside").read_bytes() == (tmp_path / name).read_bytes()
    assert [path.name for path in mounted_file.parent.iterdir() if path.name.startswith(".")] == []


def test_a_log_and_a_picture_are_written_onto_a_mounted_file(
    run: Run, mounted_file: Path, toy_audio: Path, tmp_path: Path
) -> None:
    log = mounted_file.with_name("log.jsonl")
    log.symlink_to(mounted_file)
    done = run("stream", "-v", toy_audio, "-s", "0.5", "--to", tmp_path / "a.wav", "--record", log)
    assert done.returncode == 0, done.stderr
    assert b'"timeline"' in (tmp_path / "outside").read_bytes()
    picture = mounted_file.with_name("picture.png")
    picture.symlink_to(mounted_file)
    done = run("latents", toy_audio, tmp_path / "a.wav", "--to", picture)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "outside").read_bytes().startswith(b"\x89PNG")
