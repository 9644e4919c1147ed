"""examples/plugin: an installed package steers a stream and receives its output; a broken plug-in does no harm."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import ROOT, Run, the_error

LATE = """
class Late:
    def __init__(self, text): self.text = text
    def start(self, performance): self.fail("start")
    def stop(self): self.fail("stop")
    def fail(self, what):
        if self.text == what: raise KeyError("no such thing")
"""


def with_site(site: Path) -> dict[str, str]:
    """Return the environment in which packages of a folder are found."""
    return {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the example and a broken plug-in into a folder for PYTHONPATH."""
    where, source = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(ROOT / "examples" / "plugin", source)  # the build leaves files in the folder
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(where), str(source)], check=True, capture_output=True, timeout=120)
    (where / "broken-1.0.dist-info").mkdir()
    (where / "broken-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    points = "[vrnn_engine.sources]\nbroken = nowhere:Nothing\nlate = late_source:Late\n"
    (where / "late_source.py").write_text(LATE)
    (where / "broken-1.0.dist-info" / "entry_points.txt").write_text(points)
    return where


def test_the_example_steers_and_writes_levels(run: Run, toy_audio: Path, work: Path, installed: Path) -> None:
    steer = ("--steer", "swing:output.temperature,1,0.5", "--record", "played.jsonl")
    done = run(
        "stream",
        "--voice",
        toy_audio,
        "--seconds",
        200,
        "--seed",
        1,
        "--to",
        "a.levels",
        *steer,
        env=with_site(installed),
    )
    assert done.returncode == 0, done.stderr
    lines = (work / "a.levels").read_text().splitlines()
    assert len(lines) == 2000
    assert all(" dB " in line for line in lines)
    _, *events = map(json.loads, (work / "played.jsonl").read_text().splitlines())
    values = [event["value"] for event in events if event["control"] == "output.temperature"]
    assert len(values) > 3
    assert min(values) < 1 < max(values)
    assert all(0 <= value <= 2 for value in values)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("swing:output.temperature", "write swing:CONTROL,DEPTH,SECONDS"),
        ("swing:output.heat,1,1", "this voice has no scalar control 'output.heat'"),
        ("broken:", "plug-in 'broken' of broken is broken: ModuleNotFoundError: No module named 'nowhere'"),
        ("late:start", "plug-in 'late' of broken is broken: KeyError: 'no such thing'"),
        ("swng:a", "no control source 'swng'; did you mean 'swing'?"),
    ],
)
def test_a_source_that_cannot_start_is_one_line(
    run: Run, toy_audio: Path, work: Path, installed: Path, target: str, message: str
) -> None:
    done = run("stream", "--voice", toy_audio, "--to", "a.wav", "--steer", target, env=with_site(installed))
    assert done.returncode == 1
    assert message in the_error(done)
    assert not list(work.iterdir())


def test_a_source_that_fails_to_stop_is_reported_and_the_file_is_complete(
    run: Run, toy_audio: Path, work: Path, installed: Path
) -> None:
    steer = ("--steer", "late:stop", "--steer", "swing:output.temperature,1,0.5", "--record", "played.jsonl")
    command = ("stream", "--voice", toy_audio, "--seconds", 1, "--to", "a.wav")
    done = run(*command, *steer, env=with_site(installed))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == "plug-in 'late' of broken is broken: KeyError: 'no such thing'"
    assert (work / "a.wav").stat().st_size == 44 + 2 * 16000
    assert (work / "played.jsonl").exists()


def test_a_broken_plugin_that_is_not_used_does_no_harm(run: Run, toy_audio: Path, work: Path, installed: Path) -> None:
    done = run("stream", "--voice", toy_audio, "--seconds", 1, "--to", "a.levels", env=with_site(installed))
    assert done.returncode == 0, done.stderr
