"""No output of a command replaces a file that the command reads, or another one of its outputs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import Run, environment


@pytest.fixture
def take(run: Run, work: Path, toy_audio: Path) -> Path:
    assert run("stream", "-v", toy_audio, "-s", "0.2", "--to", "take.wav", "--record", "take.jsonl").returncode == 0
    os.link(work / "take.wav", work / "linked.wav")
    (work / "named.wav").symlink_to("take.wav")
    return work / "take.wav"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--from take.wav --to take.wav", "--to would replace take.wav, which is also --from"),
        ("--from ./take.wav --to take.wav", "which is also --from"),
        ("--from take.wav --to linked.wav", "which is also --from"),
        ("--prime named.wav --to take.wav?volume=0", "which is also --prime"),
        ("--timeline take.jsonl --to take.jsonl", "which is also --timeline"),
        ("--timeline take.jsonl --record take.jsonl --to null", "which is also --timeline"),
        ("--record new.jsonl --to new.jsonl", "would replace new.jsonl, which is also --to"),
        ("--record take.wav --to null", "--record writes JSON lines, and take.wav does not end in .jsonl"),
    ],
)
def test_an_output_that_would_replace_another_file_is_refused(
    given: str, words: str, run: Run, take: Path, toy_audio: Path
) -> None:
    before = {path.name: path.read_bytes() for path in take.parent.iterdir()}
    done = run("stream", "-v", toy_audio, "-s", "0.1", *given.split())
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert {path.name: path.read_bytes() for path in take.parent.iterdir()} == before


def test_an_input_may_be_given_by_a_pipe_while_the_output_goes_to_one(run: Run, take: Path, toy_audio: Path) -> None:
    given = ("stream", "-v", toy_audio, "--from", "-", "--to", "-")
    command = [sys.executable, "-m", "vrnn_engine", *map(str, given)]
    done = subprocess.run(command, input=take.read_bytes(), cwd=take.parent, env=environment(), capture_output=True)
    assert (done.returncode, len(done.stdout) > 0) == (0, True), done.stderr


def test_ink_is_not_converted_into_its_own_file(run: Run, work: Path, toy_pen: Path) -> None:
    assert run("stream", "-v", toy_pen, "-s", "1", "--to", "ink.jsonl").returncode == 0
    (work / "said.jsonl").write_bytes((work / "ink.jsonl").read_bytes())
    before = (work / "ink.jsonl").read_bytes()
    own = run("ink", "convert", "ink.jsonl", "ink.jsonl")
    texts = run("ink", "convert", "ink.jsonl", "said.jsonl", "--texts", "said.jsonl")
    assert (own.returncode, texts.returncode) == (2, 2)
    assert "OUT would replace ink.jsonl, which is also FILE; choose another name" in own.stderr
    assert "OUT would replace said.jsonl, which is also --texts; choose another name" in texts.stderr
    assert {(work / name).read_bytes() for name in ("ink.jsonl", "said.jsonl")} == {before}


def test_a_file_that_is_named_as_a_target_is_no_target(run: Run, work: Path, text_voice: Path) -> None:
    (work / "null").write_text("a\n")
    assert run("write", "--file", "null", "-v", text_voice, "--seed", "1", "--to", "null").returncode == 0
