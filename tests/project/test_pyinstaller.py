"""A program that embeds the engine runs as PyInstaller builds it, with the hook that the wheel announces."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from support.command import ROOT

from vrnn_engine.cli.main import VERBS

# Uses a stream, a recording and a sink, which import modules on first use, and a player that is never left.
PROGRAM = """
import vrnn_engine as vrnn
stream = vrnn.Engine.load("blizzard", device="cpu").stream(seed=7)
with vrnn.Player(stream, to="first.wav", seconds=0.5) as player:
    player.wait()
stream.prime("first.wav")
with vrnn.Player(vrnn.Engine.load("handwriting", device="cpu").stream(seed=1), to="page.svg", seconds=1) as player:
    player.wait()
player = vrnn.Player(stream, to="last.flac").__enter__()
while not player.seconds_played:
    player.wait(timeout=0.01)
print("end of the program")
"""
FOREIGN = ["torch", "onnx", "onnxscript", "scipy", "matplotlib", "sympy", "PIL", "IPython", "pytest", "setuptools"]
"""Installed beside the tests, but not in the environment of such a program; PyInstaller would take minutes for them."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of this tree, installed: PyInstaller finds hooks by the entry points of distributions."""
    pytest.importorskip("PyInstaller", reason="PyInstaller comes with the extra `dev`")
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, "--target", str(folder), str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def build(installed: Path, folder: Path, program: str) -> Path:
    """Build a program; return its executable."""
    (folder / "program.py").write_text(program)
    left_out = [word for name in FOREIGN for word in ("--exclude-module", name)]
    command = [sys.executable, "-m", "PyInstaller", "--onedir", "--log-level", "WARN", *left_out, "program.py"]
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYINSTALLER_CONFIG_DIR": str(folder / "cache")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (folder / "work").mkdir()
    return folder / "dist" / "program" / "program"


def run(program: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    plain = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}  # nothing of the Python that built it
    command = [str(program), *words]
    return subprocess.run(command, cwd=folder / "work", env=plain, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_a_program_built_by_pyinstaller_streams(installed: Path, tmp_path: Path) -> None:
    done = run(build(installed, tmp_path, PROGRAM), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end of the program\n", "")
    assert {path.name for path in (tmp_path / "work").iterdir()} == {"first.wav", "page.svg", "last.flac"}
    assert soundfile.info(tmp_path / "work" / "first.wav").frames == 8000
    assert soundfile.info(tmp_path / "work" / "last.flac").frames > 0


@pytest.mark.slow
def test_the_command_line_built_by_pyinstaller_runs_its_commands(installed: Path, tmp_path: Path) -> None:
    program = build(installed, tmp_path, (ROOT / "vrnn_engine" / "__main__.py").read_text())
    done = run(program, tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    for verb in VERBS:
        assert f"\n  {verb} " in done.stdout
        assert run(program, tmp_path, verb, "--help").returncode == 0
    for voice, target in (("blizzard", "take.flac"), ("handwriting", "page.svg")):
        done = run(program, tmp_path, "stream", "--voice", voice, "--seconds", "0.5", "--to", target)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "work" / target).stat().st_size > 100
    done = run(program, tmp_path, "voices", "verify", "blizzard")
    assert done.returncode == 0, done.stderr
    done = run(program, tmp_path, "web", "blizzard", "--out", "page")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "work" / "page" / "index.html").is_file()
    done = run(program, tmp_path, "train", "blizzard", "--data", ".")
    assert done.stderr.startswith("error: this needs torch, which is not installed: ")
