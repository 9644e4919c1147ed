"""Names of files with bytes that are not UTF-8, in each verb that reads a recording or writes a file."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.command import Run, the_error

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")

BAD = os.fsdecode(b"bad\xff")


@pytest.fixture
def clip(work: Path) -> str:
    with open(work / f"{BAD}.wav", "wb") as file:
        soundfile.write(file, 0.1 * np.ones(8000), 16000, format="WAV")
    return f"{BAD}.wav"


@pytest.mark.parametrize("option", ["--from", "--prime"])
def test_a_recording_is_read(option: str, run: Run, clip: str, toy_audio: Path) -> None:
    done = run("stream", "-v", toy_audio, option, clip, "-s", "0.1", "--to", "null")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("ending", ["wav", "flac", "jsonl"])
def test_a_take_is_written(ending: str, run: Run, work: Path, toy_audio: Path) -> None:
    log = f"log-{BAD}.jsonl"
    done = run("stream", "-v", toy_audio, "-s", "0.1", "--to", f"{BAD}.{ending}", "--record", log)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(os.fsencode(work))) == sorted([b"bad\xff." + ending.encode(), b"log-bad\xff.jsonl"])
    assert run("stream", "-v", toy_audio, "--timeline", log, "-s", "0.1", "--to", "null").returncode == 0


@pytest.mark.parametrize("ending", ["svg", "hpgl", "gcode"])
def test_a_page_is_written(ending: str, run: Run, work: Path, toy_pen: Path) -> None:
    assert run("stream", "-v", toy_pen, "-s", "0.1", "--to", f"{BAD}.{ending}").returncode == 0
    assert os.listdir(os.fsencode(work)) == [b"bad\xff." + ending.encode()]


def test_latents_are_drawn_and_printed(run: Run, work: Path, clip: str, toy_audio: Path) -> None:
    done = run("latents", toy_audio, clip, "--json", "--to", f"{BAD}.png")
    assert done.returncode == 0, done.stderr
    assert '"recording": "bad�.wav"' in done.stdout
    assert (work / f"{BAD}.png").exists()


def test_a_voice_in_such_a_folder_is_shown_and_refused_in_one_line(run: Run, work: Path, toy_audio: Path) -> None:
    (work / BAD).symlink_to(toy_audio)
    assert run("voices", "show", f"./{BAD}", text=False).returncode == 0
    done = run("stream", "-v", f"./{BAD}", "-s", "0.1", "--to", "null")
    assert the_error(done).endswith("onnxruntime opens only names that are UTF-8; rename the voice's folder")


def test_a_missing_recording_is_one_line(run: Run, toy_audio: Path) -> None:
    assert "no such file" in the_error(run("stream", "-v", toy_audio, "--from", BAD, "--to", "null"))
