"""No verb calls another machine, or writes anything but its outputs and the user's folders of this program."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.command import environment
from support.corpora import make_ink
from support.isolation import Isolated, missing, own_folders, run_isolated, session_of_sound
from support.recipes import pen_recipe, toml

from vrnn_engine.cli import main

STREAM = ["stream", "--voice", "blizzard", "--device", "cpu", "--seconds", "0.3", "--seed", "1", "--to"]
VERBS = {
    "stream null": ([*STREAM, "null"], []),
    "stream wav": ([*STREAM, "out.wav"], ["out.wav"]),
    "stream prime": ([*STREAM, "out.flac", "--prime", "hello.wav"], ["out.flac"]),
    "stream ink": (["stream", "-v", "handwriting", "-s", "1", "--to", "page.svg"], ["page.svg"]),
    "stream zip": (["stream", "-v", "toy.zip", "-s", "1", "--to", "null"], []),
    "voices": (["voices"], []),
    "voices list": (["voices", "list"], []),
    "voices show": (["voices", "show", "blizzard"], []),
    "voices verify": (["voices", "verify", "handwriting"], []),
    "voices install": (["voices", "install", "toy"], []),
    "write": (["write", "Dear Anna,", "--seed", "1", "--to", "letter.svg"], ["letter.svg"]),
    "write and save the hand": (["write", "hi", "--to", "null", "--save-hand", "mine"], []),
    "hands": (["hands"], []),
    "hands list": (["hands", "list"], []),
    "doctor": (["doctor"], []),
    "bench": (["bench", "-v", "toy", "--device", "cpu", "--rows", "1", "--seconds", "0.01"], []),
    "devices": (["devices"], []),
    "latents": (["latents", "blizzard", "hello.wav", "--to", "hello.png"], ["hello.png"]),
    "ink convert": (["ink", "convert", "lines.svg", "lines.npz"], ["lines.npz"]),
    "web": (["web", "toy", "--out", "page"], ["page"]),
    "help": (["--help"], []),
}
MADE = {  # from a checkpoint
    "train": (["train", "tiny.toml", "--data", "ink.npz", "--out", "run2"], ["run2"]),
    "evaluate": (["evaluate", "run/best.pt", "--data", "ink.npz", "--samples", "2"], []),
    "evaluate free-running": (
        ["evaluate", "run/best.pt", "--data", "ink.npz", "--free-running", "--seconds", "4", "--seeds", "1"],
        [],
    ),
    "export": (["export", "run/best.pt", "--out", "voice"], ["voice"]),
    "latents of a checkpoint": (["latents", "run/best.pt", "line.npz", "--to", "line.svg"], ["line.svg"]),
}


@pytest.fixture(scope="module")
def cannot_isolate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Why no process can be isolated here; empty if one can."""
    return missing(tmp_path_factory.mktemp("isolation"))


@pytest.fixture
def folder(tmp_path: Path, toy_audio: Path, cannot_isolate: str) -> Path:
    """A folder whose `work` has a recording and a toy voice, as a folder and as a .zip."""
    if cannot_isolate:
        pytest.skip(cannot_isolate)
    work = tmp_path / "iso" / "work"
    work.mkdir(parents=True)
    shutil.copytree(toy_audio, work / "toy")
    shutil.make_archive(str(work / "toy"), "zip", work / "toy")
    soundfile.write(work / "hello.wav", np.random.default_rng(0).uniform(-0.1, 0.1, 16000), 16000)
    (work / "lines.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="50mm" height="20mm" viewBox="0 0 50 20">'
        '<path d="M 5 5 L 20 15 L 40 5" fill="none" stroke="black"/></svg>'
    )
    return tmp_path / "iso"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus of ink, a recipe, and the run that it trained."""
    from vrnn_engine.training.recipe import recipe_fields

    work = tmp_path_factory.mktemp("trained")
    make_ink(work / "ink.npz")
    rng = np.random.default_rng(0)
    np.savez(work / "line.npz", dx=rng.normal(size=50), dy=rng.normal(size=50), pen_up=np.arange(50) % 10 == 9)
    (work / "tiny.toml").write_text(toml(recipe_fields(pen_recipe())))
    words = ["train", "tiny.toml", "--data", "ink.npz", "--out", "run"]
    command = [sys.executable, "-m", "vrnn_engine", *words]
    subprocess.run(command, cwd=work, env=environment(), check=True, capture_output=True)
    return work


def outside(folder: Path, words: list[str], outputs: list[str]) -> Isolated:
    found = run_isolated(["-m", "vrnn_engine", *words], folder)
    assert found is not None
    assert found.done.returncode == 0, found.done.stderr
    own = [*own_folders(folder / "home"), session_of_sound(folder)]
    assert found.outside([*own, *(folder / "work" / name for name in outputs)]) == set()
    assert found.calls == 0
    for name in outputs:
        assert any(path.is_relative_to(folder / "work" / name) for path in found.written)
    return found


def test_every_verb_is_tried() -> None:
    assert {words[0] for words, _ in (VERBS | MADE).values()} - {"--help"} | {"serve"} == set(main.VERBS)


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_writes_only_its_outputs_and_calls_nobody(folder: Path, verb: str) -> None:
    outside(folder, *VERBS[verb])


@pytest.mark.slow
@pytest.mark.parametrize("verb", MADE)
def test_a_verb_of_training_writes_only_its_outputs_and_calls_nobody(folder: Path, trained: Path, verb: str) -> None:
    shutil.copytree(trained, folder / "work", dirs_exist_ok=True)
    outside(folder, *MADE[verb])


# A server that is stopped after some seconds.  An isolated process has no 127.0.0.1 to listen on.
SERVED = """
import os, signal, sys, threading
from vrnn_engine.cli.main import run
threading.Timer(15, os.kill, (os.getpid(), signal.SIGTERM)).start()
sys.argv = ["vrnn-engine", "serve", "toy", "--host", "0.0.0.0", "--port", "0"]
run()
"""


@pytest.mark.slow
def test_a_server_writes_nothing_and_calls_nobody(folder: Path) -> None:
    found = run_isolated(["-c", SERVED], folder)
    assert found is not None
    assert found.done.returncode == 0, found.done.stderr
    assert "serving toy" in found.done.stderr
    assert found.outside(own_folders(folder / "home")) == set()
    assert found.calls == 0


# Keeps an engine for as long as onnxruntime's telemetry waits before it calls; it calls from a thread of its own.
KEPT = """
import time
import vrnn_engine
engine = vrnn_engine.Engine.load("blizzard", device="cpu")
engine.stream().read(8)
time.sleep(15)
"""


@pytest.mark.slow
def test_an_engine_calls_nobody_unless_the_user_turns_telemetry_on(folder: Path) -> None:
    """With telemetry on, the same process writes and calls: this test would see it."""
    with ThreadPoolExecutor(2) as pool:  # both wait
        first = pool.submit(run_isolated, ["-c", KEPT], folder / "off")
        on = run_isolated(["-c", KEPT], folder / "on", ORT_DISABLE_TELEMETRY="0")
        off = first.result()
    assert off is not None
    assert on is not None
    assert off.done.returncode == on.done.returncode == 0
    assert (off.written, off.calls) == (set(), 0)
    assert on.written
    assert on.calls > 0


def test_loading_an_engine_writes_nothing(folder: Path) -> None:
    found = run_isolated(["-c", "import vrnn_engine; vrnn_engine.Engine.load('blizzard', 'cpu')"], folder)
    assert found is not None
    assert (found.done.returncode, found.done.stderr) == (0, "")
    assert found.written == set()


def test_telemetry_is_off_in_child_processes_unless_the_user_has_set_it(folder: Path) -> None:
    child = "import os, subprocess, sys; import vrnn_engine.runtime.graph.ort; "
    child += "subprocess.run([sys.executable, '-c', 'import os; print(os.environ[\"ORT_DISABLE_TELEMETRY\"])'])"
    for env, expected in (({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")):
        found = run_isolated(["-c", child], folder, **env)
        assert found is not None
        assert found.done.stdout.strip() == expected
