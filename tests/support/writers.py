"""The writers of the package, each as a function that writes something small below a folder."""

from pathlib import Path

import numpy as np

from vrnn_engine.base import atomic_folder as folders
from vrnn_engine.base.atomic_folder import atomic_folder
from vrnn_engine.base.files import AtomicFile, write_atomically
from vrnn_engine.runtime.graph.install import install_voice
from vrnn_engine.runtime.live.events import Seed
from vrnn_engine.runtime.live.saved import SavedFolder
from vrnn_engine.runtime.live.timeline import Head, PerformanceLog
from vrnn_engine.runtime.sinks import Format, make_sink
from vrnn_engine.runtime.voice.voice import Voice

NEW = b"new" * 1000
SOUND = Format("audio", 16000, 200, "full scale", "toy")
INK = Format("pen", 100, 3, "mm", "toy")


def write_a_file(folder: Path) -> None:
    write_atomically(folder / "file", NEW)


def write_a_file_in_pieces(folder: Path) -> None:
    with AtomicFile(folder / "file") as file:
        for _ in range(1000):
            file.append(b"new")


def write_a_folder(folder: Path) -> None:
    with atomic_folder(folder / "target") as made:
        (made / "a").write_bytes(NEW)
        (made / "deep").mkdir()
        (made / "deep" / "b").write_bytes(NEW)


def write_a_folder_by_two_renames(folder: Path) -> None:
    """As on systems that cannot exchange two names."""
    folders.exchange = lambda *paths: False
    write_a_folder(folder)


def replace_a_voice(folder: Path, voice: Path) -> None:
    install_voice(voice, replace=True)


def open_a_zip(folder: Path, archive: Path) -> None:
    Voice.open(archive)


def save_a_state(folder: Path) -> None:
    SavedFolder("toy", folder).write_state("here", NEW)


def record_sound(folder: Path) -> None:
    _record(folder / "take.wav", SOUND, np.full(200, 0.25, np.float32))


def record_flac(folder: Path) -> None:
    _record(folder / "take.flac", SOUND, np.full(200, 0.25, np.float32))


def log_a_performance(folder: Path) -> None:
    with PerformanceLog(folder / "played.jsonl", Head(voice="toy", fingerprint="", seed=7, controls={})) as log:
        for frame in range(100):
            log(Seed(frame=frame, seed=frame))


def draw_a_page(folder: Path) -> None:
    _record(folder / "page.svg", INK, np.tile(np.float32([[1, 0, 0], [0, 1, 0], [1, 1, 1]]), (20, 1)), 2)


def write_lines_of_ink(folder: Path) -> None:
    _record(folder / "ink.jsonl", INK, np.tile(np.float32([[1, 0, 0], [0, 1, 1]]), (20, 1)))


def _record(path: Path, format: Format, block: np.ndarray, blocks: int = 20) -> None:
    sink = make_sink(path)
    try:
        sink.open(format)
        for _ in range(blocks):
            sink.write(block)
        sink.close()
    except BaseException:  # as a player does
        sink.abort()
        raise
