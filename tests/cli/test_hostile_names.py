"""Text from a voice of a stranger: it is shown, and does not steer the terminal or choose a file."""

import json
import re
import shutil
from pathlib import Path

import pytest
from support import toy_voice
from support.command import Run, the_error

from vrnn_engine.base.text_files import visible

HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
EVIL = "\x1b]0;owned\x07\x1b[2Jred\r\nerror: nothing\u202e\x9b31m"


@pytest.fixture
def hostile(work: Path, toy_audio: Path) -> Path:
    """A voice with control characters in all texts that may have any."""

    def spoil(manifest: dict) -> None:
        manifest.update(family=EVIL)
        manifest["controls"][0].update(description=EVIL)
        manifest["provenance"].update(data=EVIL, source=EVIL, licence=EVIL, command=EVIL, metrics={EVIL: 1.0})

    folder = shutil.copytree(toy_audio, work / "hostile")
    toy_voice.change(folder, spoil)
    return folder


@pytest.mark.parametrize("words", [["voices", "show"], ["voices", "show", "--json"], ["voices", "install"]])
def test_a_voice_is_shown_without_control_characters(words: list[str], run: Run, hostile: Path) -> None:
    done = run(*words, hostile)
    assert done.returncode == 0, done.stderr
    assert not HIDDEN.search(done.stdout + done.stderr)
    if "show" in words:
        assert "\\u001b]0;owned\\u0007" in done.stdout
    if "--json" in words:
        assert json.loads(done.stdout)["family"] == EVIL


def test_a_table_of_voices_has_one_line_for_each(run: Run, hostile: Path) -> None:
    assert run("voices", "install", hostile).returncode == 0
    for json_option in ([], ["--json"]):
        done = run("voices", "list", *json_option)
        assert not HIDDEN.search(done.stdout + done.stderr)
        assert not [line for line in done.stdout.splitlines() if line.startswith("error")]


def test_an_error_shows_the_text_that_it_quotes(run: Run, hostile: Path) -> None:
    toy_voice.change(hostile, lambda manifest: manifest.update({EVIL: 1}))
    for debug in ([], ["--debug"]):
        done = run("voices", "show", hostile, *debug)
        assert done.returncode == 1
        assert not HIDDEN.search(done.stderr)
    assert "owned" in the_error(run("voices", "show", hostile))


def test_a_name_does_not_choose_the_target(run: Run, work: Path, tmp_path: Path) -> None:
    folder = toy_voice.build(work / "voice", "pen", name="../victim")
    (tmp_path / "victim.svg").write_text("mine")
    shutil.make_archive(str(work / "voice"), "zip", folder)
    for voice in ("./voice", "voice.zip"):
        assert "a voice cannot be named" in the_error(run("stream", "-v", voice, "-s", "0.1"))
    assert (tmp_path / "victim.svg").read_text() == "mine"


def test_a_hand_outside_its_folder_is_not_deleted(run: Run, homes: Path) -> None:
    (homes / "hands").mkdir()
    (homes / "mine.json").write_text("{}")
    done = run("hands", "delete", "mine", "--voice", "..")
    assert "a voice cannot be named '..'" in the_error(done)
    assert (homes / "mine.json").exists()


def test_only_what_a_terminal_would_act_on_is_escaped() -> None:
    assert visible("Zoë, 手, 👩\u200d🎨, \udcff, \\n") == "Zoë, 手, 👩\u200d🎨, \udcff, \\n"
    assert visible("a\nb\tc\U000e0041", keep="\n") == "a\nb\\u0009c\\udb40\\udc41"
