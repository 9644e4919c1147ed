"""A voice whose files are symbolic links is loaded if the checksums fit: some tools install files as links."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import toy_voice

from vrnn_engine import Engine, VoiceError
from vrnn_engine.runtime.graph.install import install_voice
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.voice import lookup
from vrnn_engine.runtime.voice.lookup import list_voices
from vrnn_engine.runtime.voice.voice import Voice


def by_file(source: Path, folder: Path) -> Path:
    """Link each file, as uv installs a package with UV_LINK_MODE=symlink."""
    for file in (path for path in source.rglob("*") if path.is_file()):
        (folder / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.relative_to(source)).symlink_to(file)
    return folder


def by_content(source: Path, folder: Path) -> Path:
    """Link each name to a file that is named after its content, as in a snapshot of the Hugging Face cache."""
    blobs = folder.parent / "blobs"
    blobs.mkdir()
    folder.mkdir()
    for file in (path for path in source.rglob("*") if path.is_file()):
        blob = blobs / hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.copyfile(file, blob)
        (folder / file.relative_to(source)).symlink_to(Path("..") / "blobs" / blob.name)
    return folder


def as_a_whole(source: Path, folder: Path) -> Path:
    """Link the folder."""
    folder.symlink_to(source)
    return folder


LINKS = [by_file, by_content, as_a_whole]
Link = Callable[[Path, Path], Path]


@pytest.fixture(params=["toy-pen", "blizzard", "handwriting"])
def source(request: pytest.FixtureRequest, toy_pen: Path) -> Path:
    """A voice: one with external weights of its own, and the bundled ones."""
    return toy_pen if request.param == "toy-pen" else lookup.BUNDLED / request.param


@pytest.mark.parametrize("link", LINKS)
def test_a_voice_of_links_streams_as_its_files_do(source: Path, link: Link, tmp_path: Path) -> None:
    linked = Engine.load(link(source, tmp_path / "linked"), device="cpu").stream(seed=1)
    plain = Engine.load(source, device="cpu").stream(seed=1)
    np.testing.assert_array_equal(linked.read(4), plain.read(4))
    verify(linked.voice)


@pytest.mark.parametrize("link", LINKS)
def test_a_voice_of_links_is_found_by_name_and_listed(toy_pen: Path, link: Link, homes: Path) -> None:
    (homes / "installed").mkdir()
    link(toy_pen, homes / "installed" / "toy-pen")
    assert Voice.open("toy-pen").path == homes / "installed" / "toy-pen"
    assert [voice.problem for voice in list_voices() if voice.name == "toy-pen"] == [None]


@pytest.mark.parametrize("link", LINKS)
def test_installing_a_voice_of_links_copies_the_files(toy_pen: Path, link: Link, tmp_path: Path) -> None:
    installed = install_voice(link(toy_pen, tmp_path / "linked"))
    files = [path for path in installed.path.rglob("*") if path.is_file()]
    assert {path.relative_to(installed.path) for path in files} >= {Path("voice.json"), Path("step.onnx")}
    assert not any(path.is_symlink() for path in [installed.path, *files])
    verify(installed)


@pytest.mark.parametrize("name", ["step.onnx", "step.onnx.data", "observe.onnx", "parity.npz"])
def test_a_link_to_another_content_is_refused(tmp_path: Path, name: str) -> None:
    folder = toy_voice.build(tmp_path / "voice", external=True)
    (tmp_path / "secret").write_text("something else")
    (folder / name).unlink()
    (folder / name).symlink_to(tmp_path / "secret")
    with pytest.raises(VoiceError, match=f"{name}: wrong checksum"):
        Voice.open(folder)


def test_a_link_to_nothing_is_a_missing_file(tmp_path: Path) -> None:
    folder = toy_voice.build(tmp_path / "voice", external=True)
    (folder / "step.onnx.data").unlink()
    (folder / "step.onnx.data").symlink_to(tmp_path / "nothing")
    with pytest.raises(VoiceError, match=r"step\.onnx\.data: missing"):
        Voice.open(folder)


@pytest.mark.parametrize("place", ["/dev/zero", "pipe", "changed", "nowhere"])
def test_a_link_to_what_is_not_the_file_of_the_checksum_is_refused_in_one_line(
    place: str, toy_audio: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "changed").write_bytes(b"another file of this machine")
    folder = by_file(toy_audio, tmp_path / "linked")
    (folder / "step.onnx").unlink()
    (folder / "step.onnx").symlink_to(tmp_path / place)
    for use in (Engine.load, install_voice):
        with pytest.raises(VoiceError) as caught:
            use(folder)
        message = str(caught.value)
        assert message.startswith(f"{folder / 'step.onnx'}: " + ("wrong checksum" if place == "changed" else "missing"))
        assert "\n" not in message
    assert list_voices() == [one for one in list_voices() if one.origin == "bundled"]
