"""Voices that read a text: their manifest is checked, and their graphs take characters."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import toy_voice
from support.command import run_command

from vrnn_engine import Engine, Voice, VoiceError
from vrnn_engine.runtime.graph.binding import StepBatch
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.voice.manifest import decode_manifest, encode_manifest
from vrnn_engine.runtime.voice.text import Text, readable_alphabet
from vrnn_engine.training.recipe import load_recipe


@pytest.fixture(scope="module")
def step(text_voice: Path) -> GraphSession:
    voice = Voice.open(text_voice)
    return GraphSession(voice.path, voice.graph("step"), voice.manifest.controls, "cpu")


def test_manifest_has_the_alphabet_with_both_ends(text_voice: Path) -> None:
    manifest = Voice.open(text_voice).manifest
    assert manifest.schema_version == 2
    assert manifest.text is not None
    assert manifest.text.alphabet == ("", *load_recipe("handwriting").model.text.alphabet, "\n")
    assert (manifest.text.window, manifest.text.first_position, manifest.text.line_height) == (22, -0.5, 11.0)
    assert manifest.text.position == "position"
    assert manifest.text.restart == ("h", "c", "position", "window")
    assert decode_manifest(encode_manifest(manifest), "voice.json") == manifest


def test_manifest_of_a_voice_without_text_does_not_name_it(toy_pen: Path) -> None:
    manifest = Voice.open(toy_pen).manifest
    assert manifest.text is None
    assert "text" not in json.loads(encode_manifest(manifest))


def test_alphabet_is_readable_on_one_line() -> None:
    def text(characters: str) -> Text:
        return Text(
            alphabet=("", *characters, "\n"), window=22, position="p", first_position=0, restart=(), line_height=1
        )

    assert readable_alphabet(text(" abcdeXYZ019.,")) == "space a-e X-Z 0 1 9 . ,"
    assert readable_alphabet(text("ab()*+é")) == "a b ( ) * + é"


def test_show_and_card_tell_what_the_voice_can_write(text_voice: Path, tmp_path: Path) -> None:
    characters = "space a-z A-Z 0-9 . , ' \" - ( ) ; : ? ! / % * = $ # & { } [ ] @ < > +"
    shown = run_command("voices", "show", text_voice, cwd=tmp_path).stdout
    facts = dict(line.split(maxsplit=1) for line in shown.splitlines()[:12] if " " in line)
    assert facts["writes"] == f"89 characters: {characters}"
    assert facts["lines"] == "baselines 11 mm apart; a step reads 22 characters"
    card = (text_voice / "CARD.md").read_text()
    assert '--voice text --text "' in card
    assert f"    {characters}\n" in card
    assert "It was given no text" not in card


def lose(mapping: str, name: str):
    def change(manifest: dict[str, Any]) -> None:
        for graph in manifest["graphs"]:
            if graph["role"] == "observe":
                del graph[mapping][name]

    return change


ALPHABET = "must begin with an empty string and end with a newline"
CHANGES = [
    (lambda m: m.pop("text"), "step.onnx: has text.attention, but the manifest has no `text`"),
    (lambda m: m["text"].update(window=21), r"step.onnx: reads a text, so it needs text.characters of shape \[21\]"),
    (lose("inputs", "text.characters"), r"observe.onnx: reads a text, so it needs text.characters of shape \[22\]"),
    (lose("outputs", "text.position"), r"observe.onnx: reads a text, so it needs text.position of shape \[\]"),
    (lose("outputs", "text.attention"), r"observe.onnx: reads a text, so it needs text.attention of shape \[22\]"),
    (lambda m: m["text"].update(position="place"), r"it needs state.place of shape \[1\]"),
    (lambda m: m["text"].update(position="h"), r"it needs state.h of shape \[1\]"),
    (lambda m: m["text"].update(restart=["h", "cc"]), "`text.restart` names 'cc', but there is no state of this name"),
    (lambda m: m["text"]["alphabet"].pop(0), ALPHABET),
    (lambda m: m["text"]["alphabet"].pop(), ALPHABET),
    (lambda m: m["text"]["alphabet"].insert(3, "b"), "`text.alphabet` has 'b' twice"),
    (lambda m: m["text"]["alphabet"].insert(3, "\n"), "`text.alphabet` has '\\\\n' twice"),
    (lambda m: m["text"]["alphabet"].insert(2, "ae"), "`text.alphabet` has 'ae' at 2, which is not one character"),
    (lambda m: m["text"]["alphabet"].insert(2, ""), "`text.alphabet` has '' at 2, which is not one character"),
    (lambda m: m["text"].update(line_height=0), "line_height"),
    (lambda m: m["text"].update(window=0), "window"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_manifest_that_does_not_fit_is_one_clear_line(text_voice: Path, tmp_path: Path, change, message: str) -> None:
    folder = shutil.copytree(text_voice, tmp_path / "voice")
    toy_voice.change(folder, change)
    with pytest.raises(VoiceError, match=message) as caught:
        Engine.load(folder, device="cpu")
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_engine_writes_freely_without_a_text(text_voice: Path) -> None:
    engine = Engine.load(text_voice, "cpu")
    frames = engine.stream(3).read(40)
    assert frames.shape == (40, 3)
    assert np.isfinite(frames).all()
    assert engine.stream(3).read(40).tobytes() == frames.tobytes()


def test_a_step_without_characters_reads_zeros(step: GraphSession) -> None:
    rng = np.random.default_rng(0)
    state = {name: rng.standard_normal((2, *shape)).astype(np.float32) for name, shape in step.state.items()}
    noise = {name: rng.standard_normal((2, *shape)).astype(np.float32) for name, shape in step.noise.items()}
    table = {name: np.ones((2, *shape), np.float32) for name, shape in step.controls.items()}
    found = step.run(state, noise, table)
    zeros = step.run(state, noise, table, characters=np.zeros((2, step.window), np.float32))
    written = step.run(state, noise, table, characters=np.full((2, step.window), 5, np.float32))
    for one, same in zip(found, zeros, strict=True):
        assert all(one[name].tobytes() == same[name].tobytes() for name in one)
    assert written[0]["window"].tobytes() != zeros[0]["window"].tobytes()


def test_a_bound_step_reads_its_characters_and_returns_what_it_read(step: GraphSession) -> None:
    rng = np.random.default_rng(1)
    batch = StepBatch(step, 3)
    state, text = step.zero_state(3), rng.integers(0, 90, (3, step.window)).astype(np.float32)
    for _ in range(4):
        noise = {name: rng.standard_normal((3, *shape)).astype(np.float32) for name, shape in step.noise.items()}
        for name, values in noise.items():
            batch.noise[name][:] = values
        batch.characters[:] = text
        batch.step()
        state, outputs = step.run(state, noise, batch.controls, characters=text)
        assert batch.frame.tobytes() == outputs["frame"].tobytes()
        assert batch.position.tobytes() == outputs["text.position"].tobytes()
        assert batch.attention.tobytes() == outputs["text.attention"].tobytes()
        assert batch.attention.any()


def test_the_parity_vectors_of_the_text_are_replayed(text_voice: Path, tmp_path: Path) -> None:
    found = verify(Voice.open(text_voice)).differences
    assert {"frame", "text.position", "text.attention", "observe.text.position"} <= set(found)
    folder = shutil.copytree(text_voice, tmp_path / "voice")
    with np.load(folder / "parity.npz") as arrays:
        vectors = dict(arrays)
    assert len(np.unique(vectors["text.characters"])) > 80
    for name, values, message in (
        ("text.characters", None, r"needs an array text.characters of shape \[16, 22\]"),
        ("text.attention", None, r"needs an array text.attention of shape \[16, 22\]"),
        ("text.position", vectors["text.position"] + 1, "text.position differs from PyTorch's by"),
    ):
        changed = {other: array for other, array in vectors.items() if other != name}
        np.savez(folder / "parity.npz", **changed | ({} if values is None else {name: values}))
        toy_voice.reseal(folder)
        with pytest.raises(VoiceError, match=message):
            verify(Voice.open(folder))
