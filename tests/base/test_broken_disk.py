"""A disk that gives EIO: each writer raises its error, keeps the old, and leaves nothing half-written."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import failing, toy_voice, writers
from support.command import ROOT, environment, run_command, the_error
from support.killed import fails_by

from vrnn_engine.runtime.voice.voice import Voice

pytestmark = pytest.mark.skipif(bool(failing.missing()), reason=failing.missing())

WRITERS = {
    writers.write_a_file: "file",
    writers.write_a_file_in_pieces: "file",
    writers.write_a_folder: "target/a",
    writers.write_a_folder_by_two_renames: "target/a",
    writers.save_a_state: "toy/here.moment",
    writers.record_sound: "take.wav",
    writers.record_flac: "take.flac",
    writers.log_a_performance: "played.jsonl",
    writers.draw_a_page: "page.svg",
    writers.write_lines_of_ink: "ink.jsonl",
}


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("fault", failing.FAULTS)
def test_a_writer_keeps_the_old_and_leaves_nothing(write: Callable[[Path], None], fault: str, tmp_path: Path) -> None:
    path = tmp_path / WRITERS[write]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"old")
    if fails_by(fault, write, tmp_path):
        whole = write is writers.draw_a_page and path.read_bytes().endswith(b"</svg>\n")
        assert path.read_bytes() == b"old" or whole  # a page is written anew as it grows
    else:
        assert fault == "a large write"  # which this writer does not have
        assert path.read_bytes() != b"old"
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path]


@pytest.mark.parametrize("fault", ["every write", "fsync"])
def test_an_installed_voice_stays(fault: str, toy_audio: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("VRNN_ENGINE_VOICES", str(tmp_path / "voices"))
    old = toy_voice.build(tmp_path / "toy-audio", observe=False)
    writers.replace_a_voice(tmp_path, old)
    assert fails_by(fault, writers.replace_a_voice, tmp_path, toy_audio)
    assert Voice.open("toy-audio").manifest == Voice.open(old).manifest
    assert [found.name for found in (tmp_path / "voices").iterdir()] == ["toy-audio"]


COMMANDS = {
    "sound": ("stream", "-v", "toy-audio", "-s", "0.5", "--to", "take.wav"),
    "flac": ("stream", "-v", "toy-audio", "-s", "0.5", "--to", "take.flac"),
    "a page": ("stream", "-v", "toy-pen", "-s", "0.5", "--to", "take.svg"),
    "lines of ink": ("stream", "-v", "toy-pen", "-s", "0.5", "--to", "take.jsonl"),
    "a timeline": ("stream", "-v", "toy-audio", "-s", "0.5", "--to", "null", "--record", "take.jsonl"),
    "a text": ("write", "ab", "--to", "take.svg"),
    "a voice": ("voices", "install", "toy-audio"),
}


START = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from support.failing import let_fail
let_fail(sys.argv.pop(1))
from vrnn_engine.cli.start import run
run()
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", COMMANDS)
@pytest.mark.parametrize("fault", ["every write", "fsync"])
def test_a_command_says_so_in_one_line(what: str, fault: str, toy_audio: Path, toy_pen: Path, tmp_path: Path) -> None:
    work, voices = tmp_path / "work", {"toy-audio": str(toy_audio), "toy-pen": str(toy_pen)}
    work.mkdir()
    fail(fault, work, *(voices.get(word, word) for word in COMMANDS[what]))
    left = [path for path in tmp_path.rglob("*") if path.is_file() and "cache" not in path.parts]
    assert [path for path in left if path.suffix != ".svg" or not path.read_text().endswith("</svg>\n")] == []


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A folder with a corpus, a recipe, and the interrupted run that it began."""
    from support.corpora import make_ink  # these need torch, which is slow to import
    from support.recipes import pen_recipe, toml

    from vrnn_engine.training.recipe import recipe_fields

    work = tmp_path / "work"
    work.mkdir()
    make_ink(work / "ink.npz")
    (work / "tiny.toml").write_text(toml(recipe_fields(pen_recipe())))
    done = run_command("train", "tiny.toml", "--data", "ink.npz", "--out", "run", "--updates", "8", cwd=work)
    assert done.returncode == 0, done.stderr
    return work


WORK = {
    "a training": ("train", "tiny.toml", "--data", "ink.npz", "--out", "other"),
    "a longer training": ("train", "tiny.toml", "--data", "ink.npz", "--out", "run", "--resume", "--updates", "16"),
    "an export": ("export", "run/best.pt", "--out", "voice"),
    "an export for Triton": ("export", "run/best.pt", "--out", "voice", "--triton", "models"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WORK)
@pytest.mark.parametrize("fault", ["a large write", "fsync"])
def test_training_and_export_keep_what_is_there(what: str, fault: str, trained: Path) -> None:
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    fail(fault, trained, *WORK[what])
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before


def fail(fault: str, work: Path, *words: str) -> None:
    """Run a command of which a part of the writing fails; it must say so in one line."""
    run = [sys.executable, "-c", START, str(ROOT / "tests"), fault, *words]
    done = subprocess.run(run, cwd=work, env=environment(), capture_output=True, text=True, timeout=120)
    assert "Input/output error" in the_error(done)
