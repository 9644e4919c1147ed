"""The help texts of the command line."""

import re
import shlex
import subprocess
import sys

import pytest
import typer.main
from support.command import Run, environment

from vrnn_engine.cli.main import VERBS, build_app


def parse(words: list[str]) -> None:
    """Parse a command line without running it."""
    group = typer.main.get_group(build_app(words))
    command = group.commands[words[0]]
    command.make_context(words[0], words[1:])


def test_stream_lists_its_options_in_groups(run: Run) -> None:
    text = run("stream", "--help").stdout
    titles = re.findall(r"^(\w+):$", text, re.MULTILINE)
    assert titles == ["Options", "Output", "Input", "Steering", "Engine", "Examples"]
    groups = dict(zip(titles, re.split(r"^\w+:$", text, flags=re.MULTILINE)[1:], strict=True))
    for option, group in {"--to": "Output", "--from": "Input", "--osc": "Steering", "--threads": "Engine"}.items():
        assert re.search(rf"^  (-\w, )?{option} ", groups[group], re.MULTILINE), option


def test_each_option_of_stream_has_one_entry(run: Run) -> None:
    text = run("stream", "--help").stdout
    command = typer.main.get_group(build_app(["stream"])).commands["stream"]
    options = [max(option.opts, key=len) for option in command.params]
    assert len(options) >= 25
    entries = re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.MULTILINE)
    assert sorted(entries) == sorted([*options, "--help"])


def test_examples_of_stream_parse(run: Run) -> None:
    lines = run("stream", "--help").stdout.splitlines()
    examples = [shlex.split(line)[1:] for line in lines if line.startswith("  vrnn-engine ")]
    assert len(examples) == 4
    for words in examples:
        parse(words)
    with pytest.raises(Exception, match="No such option"):
        parse([*examples[0], "--tempreature"])


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_fits_a_terminal(run: Run, verb: str) -> None:
    done = run(*[word for word in [verb] if word], "--help")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "..." not in re.sub(r"\[:\.\.\.\]|\[ARGS\]\.\.\.|VOICE\.\.\.", "", done.stdout), "a summary is cut off"


HELP = """
import sys
from vrnn_engine.cli.main import run
sys.argv[1:] = {words}
try:
    run()
finally:
    print(*sorted(sys.modules))
"""
NEEDED = ("typer", "vrnn_engine.cli", "vrnn_engine.errors")
NOT_NEEDED = ("vrnn_engine.cli.playing", "vrnn_engine.cli.typed", "vrnn_engine.cli.panel", "rich", "logging")
"""Modules that only a run needs."""
LIGHT = (
    "vrnn_engine",
    "vrnn_engine.base",
    "vrnn_engine.base.descriptors",
    "vrnn_engine.base.file_kinds",
    "vrnn_engine.base.reading",
    "vrnn_engine.base.reading.limits",
    "vrnn_engine.base.reading.rates",
    "vrnn_engine.base.text_files",
    "vrnn_engine.runtime",
    "vrnn_engine.runtime.live",
    "vrnn_engine.runtime.live.listening",
    "vrnn_engine.runtime.live.listening.modes",
    "vrnn_engine.runtime.targets",
    "vrnn_engine.serve",
    "vrnn_engine.serve.environment",
)
"""Modules outside the command line that the texts of options need."""


@pytest.mark.parametrize("words", [["--help"], ["stream", "--help"]])
def test_help_imports_only_what_its_text_needs(words: list[str]) -> None:
    code = HELP.format(words=words)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    imported = set(done.stdout.splitlines()[-1].split())
    assert set(NEEDED) <= imported
    assert imported.isdisjoint(NOT_NEEDED)
    own = {name for name in imported if name.startswith("vrnn_engine")}
    assert {name for name in own if not name.startswith(("vrnn_engine.cli", "vrnn_engine.errors"))} <= set(LIGHT)
    outside = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    assert outside.isdisjoint({"numpy", "onnxruntime", "msgspec", "torch", "soundfile", "sounddevice", "platformdirs"})
