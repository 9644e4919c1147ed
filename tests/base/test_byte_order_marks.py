"""Text files may begin with a byte order mark, as editors on Windows write one."""

import codecs
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from vrnn_engine import Engine
from vrnn_engine.runtime.live.control.midi_map import MidiMap
from vrnn_engine.runtime.live.timeline import read_timeline
from vrnn_engine.runtime.recording import read_recording
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.training.recipe import load_recipe


def marked(path: Path, text: str | bytes) -> Path:
    path.write_bytes(codecs.BOM_UTF8 + (text if isinstance(text, bytes) else text.encode()))
    return path


def test_a_midi_map(tmp_path: Path) -> None:
    text = '{"midi": 1, "bindings": [{"channel": 1, "cc": 7, "control": "output.temperature", "low": 0, "high": 1}]}'
    assert list(MidiMap(marked(tmp_path / "midi.json", text)).bindings) == [(1, 7)]


def test_ink(tmp_path: Path, toy_pen: Path) -> None:
    path = marked(tmp_path / "ink.jsonl", '{"dx": 0.5, "dy": 0.25, "pen_up": 1}\n')
    found = read_recording(path, Voice.open(toy_pen).manifest)
    np.testing.assert_array_equal(found.frames, [[0.5, 0.25, 1]])


def test_a_voice(tmp_path: Path, toy_audio: Path) -> None:
    folder = shutil.copytree(toy_audio, tmp_path / "voice")
    marked(folder / "voice.json", (folder / "voice.json").read_bytes())
    np.testing.assert_array_equal(
        Engine.load(folder, "cpu").stream(1).read(3), Engine.load(toy_audio, "cpu").stream(1).read(3)
    )


def test_a_timeline(tmp_path: Path) -> None:
    path = marked(tmp_path / "timeline.jsonl", '{"do": "reset", "frame": 3}\n')
    assert [event.frame for event in read_timeline(path, 80).events] == [3]


def test_a_recipe(tmp_path: Path) -> None:
    text = (resources.files("vrnn_engine.training") / "recipes" / "blizzard.toml").read_bytes()
    assert load_recipe(str(marked(tmp_path / "mine.toml", text))) == load_recipe("blizzard")


@pytest.mark.parametrize("content", [b"", b"{"])
def test_a_mark_alone_is_refused_as_an_empty_file_is(content: bytes, tmp_path: Path, toy_pen: Path) -> None:
    with pytest.raises(Exception, match=r"\.jsonl: "):
        read_recording(marked(tmp_path / "ink.jsonl", content), Voice.open(toy_pen).manifest)
