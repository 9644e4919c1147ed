"""Fixtures that all tests share: toy voices, homes of their own for installed and unpacked voices, the command line."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import toy_voice
from support.command import Run, environment
from support.steered import TimedPerformance
from support.warned import warnings_logged

from vrnn_engine import Engine

# Before torch is imported, here and in what the tests start: its threads spin for each other, and on a machine with
# other work to do tiny models then take fifty times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def toy_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a toy voice of sound; do not change it, `toy_voice.build` another one to spoil."""
    return toy_voice.build(tmp_path_factory.mktemp("voices") / "toy-audio")


@pytest.fixture(scope="session")
def toy_pen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a toy voice of ink, with external weights; do not change it."""
    return toy_voice.build(tmp_path_factory.mktemp("voices") / "toy-pen", "pen", external=True)


@pytest.fixture(scope="session")
def text_voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny voice that reads a text; do not change it."""
    from support.text_voice import export_text_voice  # needs torch, and some tests run without it

    return export_text_voice(tmp_path_factory)


@pytest.fixture(scope="module")
def engine(toy_audio: Path) -> Engine:
    """The toy voice of sound, ready to be streamed."""
    return Engine.load(toy_audio, "cpu")


@pytest.fixture
def performance(engine: Engine) -> TimedPerformance:
    """A performance of the toy voice that notes its events."""
    return TimedPerformance(engine)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the library warns of, a line each."""
    lines: list[str] = []
    monkeypatch.setattr(logging.getLogger("vrnn_engine"), "warning", lambda line, *given: lines.append(line % given))
    return lines


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What any part of it warns of, a line each."""
    with warnings_logged() as lines:
        yield lines


@pytest.fixture(autouse=True)
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the voices, caches and moments of the person who runs the tests out of them."""
    monkeypatch.setenv("VRNN_ENGINE_VOICES", str(tmp_path / "installed"))
    monkeypatch.setenv("VRNN_ENGINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VRNN_ENGINE_MOMENTS", str(tmp_path / "moments"))
    monkeypatch.setenv("VRNN_ENGINE_HANDS", str(tmp_path / "hands"))
    return tmp_path


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command line in a folder of its own, which `work` names."""
    (tmp_path / "work").mkdir()

    def run(*args: object, text: bool = True, env: dict[str, str] | None = None, **options: Any) -> Any:
        options.setdefault("stdout", subprocess.PIPE)
        return subprocess.run(
            [sys.executable, "-m", "vrnn_engine", *map(str, args)],
            stderr=subprocess.PIPE,
            text=text,
            env=environment(**env or {}),
            cwd=tmp_path / "work",
            timeout=60,
            **options,
        )

    return run


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture
def mounted_file(tmp_path: Path) -> Iterator[Path]:
    """A file that another one is mounted onto, as into a container; its name has no ending."""
    outside, inside = tmp_path / "outside", tmp_path / "inside" / "mounted"
    inside.parent.mkdir()
    outside.write_bytes(b"before")
    inside.touch()
    done = subprocess.run(["mount", "--bind", outside, inside], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a file here: {done.stderr.strip()}")
    yield inside
    subprocess.run(["umount", inside], check=True)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a small disk here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)
