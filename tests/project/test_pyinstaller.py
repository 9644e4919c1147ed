"""A program that embeds the engine runs as PyInstaller builds it, with the hook that the wheel announces."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from support.command import ROOT

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


@pytest.mark.slow
def test_a_program_built_by_pyinstaller_streams(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    left_out = [word for name in FOREIGN for word in ("--exclude-module", name)]
    build = [sys.executable, "-m", "PyInstaller", "--onedir", "--log-level", "WARN", *left_out, "program.py"]
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYINSTALLER_CONFIG_DIR": str(tmp_path / "cache")}
    done = subprocess.run(build, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr

    (tmp_path / "work").mkdir()
    program = tmp_path / "dist" / "program" / "program"
    plain = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}  # nothing of the Python that built it
    done = subprocess.run([program], cwd=tmp_path / "work", env=plain, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end of the program\n", "")
    assert {path.name for path in (tmp_path / "work").iterdir()} == {"first.wav", "page.svg", "last.flac"}
    assert soundfile.info(tmp_path / "work" / "first.wav").frames == 8000
    assert soundfile.info(tmp_path / "work" / "last.flac").frames > 0
