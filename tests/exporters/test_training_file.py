"""Training starts from a voice: its weights are read back from the graphs, and are those of the checkpoint."""

import math
import os
import shutil

import msgspec
import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from support import toy_voice
from support.command import run_command
from support.corpora import make_ink
from support.recipes import pen_recipe, speech_recipe, text_recipe, toml

from vrnn_engine import Voice, VoiceError
from vrnn_engine.errors import CheckpointError
from vrnn_engine.exporters.export import export
from vrnn_engine.exporters.graphs.weights_file import WEIGHTS_FILE
from vrnn_engine.exporters.provenance import provenance_of
from vrnn_engine.exporters.training_file import TrainingFile, load_start, read_training_file
from vrnn_engine.models import build_model
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from vrnn_engine.training.recipe import recipe_fields
from vrnn_engine.training.trainer import train

RECIPES = {"text": text_recipe, "pen": pen_recipe, "mdct": speech_recipe}


@pytest.fixture(scope="module", params=RECIPES)
def exported(request, tmp_path_factory):
    """Return a checkpoint with random weights, and the voice exported from it."""
    folder = tmp_path_factory.mktemp(request.param)
    recipe = RECIPES[request.param]()
    torch.manual_seed(0)
    model = build_model(recipe.model)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(0.2 * torch.randn_like(weight))
    axes = 2 if recipe.model.basis == "points" else 1
    made = Checkpoint(recipe, model.state_dict(), (0.25,) * axes, (1.5,) * axes, {"valid": 1.0}, "", {})
    save_checkpoint(made, folder / "best.pt")
    return made, export(folder / "best.pt", folder / "voice").voice


def test_weights_of_a_voice_are_those_of_its_checkpoint(exported):
    made, voice = exported
    found = load_start(str(voice.path))
    assert list(found.model) == list(made.model)
    for name, weight in made.model.items():
        assert found.model[name].dtype == weight.dtype, name
        assert torch.equal(found.model[name], weight), name
    assert recipe_fields(found.recipe) == recipe_fields(made.recipe)
    assert (found.mean, found.std, found.metrics) == (made.mean, made.std, made.metrics)
    found.build()


def test_large_weights_are_stored_once(exported):
    made, voice = exported
    content = msgspec.json.decode((voice.path / "training.json").read_bytes(), type=TrainingFile)
    large = {name for name, weight in made.model.items() if weight.numel() >= 64}
    appended = {name for name, place in content.weights.items() if place.offset % 4096}
    assert large
    assert not large & appended


def test_weights_in_half_precision_are_the_rounded_ones(tmp_path):
    recipe = pen_recipe()
    model = build_model(recipe.model)
    save_checkpoint(Checkpoint(recipe, model.state_dict(), (0.0, 0.0), (1.0, 1.0), {}, "", {}), tmp_path / "best.pt")
    export(tmp_path / "best.pt", tmp_path / "voice", half_weights=True)
    found = load_start(str(tmp_path / "voice")).model
    for name, weight in model.named_parameters():
        assert torch.equal(found[name], weight.half().float()), name


def test_training_file_does_not_change_what_a_voice_is(exported):
    _, voice = exported
    opened = Voice.open(voice.path)
    files = {name: digest for name, digest in opened.manifest.files.items() if name != "training.json"}
    assert len(files) < len(opened.manifest.files)
    without = Voice(opened.name, opened.path, msgspec.structs.replace(opened.manifest, files=files))
    assert without.fingerprint() == opened.fingerprint()


def test_voice_without_a_training_file_is_one_clear_line(tmp_path):
    toy_voice.build(tmp_path / "toy")
    with pytest.raises(VoiceError, match=r"voice 'toy-audio' has no training\.json, .* export its checkpoint again"):
        load_start(str(tmp_path / "toy"))


def test_a_voice_is_exported_again_with_its_weights_and_settings(exported, tmp_path):
    made, voice = exported
    first = export(voice, tmp_path / "first", defaults={"output.temperature": 0.5}, precisions=["int8"]).voice
    again = export(first, tmp_path / "again", name="other").voice
    assert (first.name, again.name) == (voice.name, "other")
    assert {one.name: one.default for one in again.manifest.controls}["output.temperature"] == 0.5
    assert [graph.precision for graph in again.manifest.graphs] == [*len(voice.manifest.graphs) * ["fp32"], "int8"]
    for name, weight in load_start(str(again.path)).model.items():
        assert torch.equal(weight, made.model[name]), name
    origin, found = voice.manifest.provenance, again.manifest.provenance
    assert found.command == f"{origin.command}; vrnn-engine export {voice.name}"  # once
    assert msgspec.structs.replace(found, command=origin.command) == origin
    assert again.parity().keys() == voice.parity().keys()


@pytest.mark.slow
def test_the_command_exports_a_voice_again(tmp_path):
    done = run_command("export", "blizzard", "--out", "again", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "next: vrnn-engine stream --voice ./again" in done.stderr  # a bare name may be that of another voice
    old, new = Voice.open("blizzard"), Voice.open(tmp_path / "again")
    assert new.manifest.controls == old.manifest.controls
    old_source, new_source = old.manifest.provenance, new.manifest.provenance
    trainings = [one for one in old_source.command.split("; ") if one.startswith("vrnn-engine train")]
    assert new_source.command == "; ".join([*trainings, "vrnn-engine export blizzard"])
    assert msgspec.structs.replace(new_source, command=old_source.command) == old_source
    trained, again = load_start("blizzard").model, load_start(str(new.path)).model
    assert trained.keys() == again.keys()
    assert all(torch.equal(again[name], weight) for name, weight in trained.items())
    for graph in old.manifest.graphs:
        for one, other in zip(constants(old.path / graph.file), constants(new.path / graph.file), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)  # sines differ in the last bit between processors


def constants(graph):
    """Return the constants of a graph."""
    return [numpy_helper.to_array(one) for one in onnx.load(graph).graph.initializer]


def test_start_that_does_not_exist_is_one_clear_line(tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load_start(str(tmp_path / "none.pt"))
    with pytest.raises(VoiceError, match="handwritin"):
        load_start("handwritin")


def test_damaged_training_file_is_one_clear_line(exported, tmp_path):
    _, voice = exported
    content = msgspec.json.decode((voice.path / "training.json").read_bytes())
    next(iter(content["weights"].values()))["offset"] = 10**9
    damaged = Voice(voice.name, tmp_path, voice.manifest)
    (tmp_path / WEIGHTS_FILE).write_bytes((voice.path / WEIGHTS_FILE).read_bytes())
    for text in (msgspec.json.encode(content), b"{}", b"nonsense"):
        (tmp_path / "training.json").write_bytes(text)
        with pytest.raises(VoiceError, match=r"training\.json: cannot be read: .*; export the voice again") as caught:
            read_training_file(damaged)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["link", "device", "pipe"])
def test_weights_without_a_checksum_are_not_read(exported, tmp_path, kind):
    """The manifest lists only the training file, and the weights are a link to a file of this machine."""
    _, voice = exported
    folder = toy_voice.build(tmp_path / "hostile")
    shutil.copy(voice.path / "training.json", folder)
    toy_voice.reseal(folder)
    weights = folder / WEIGHTS_FILE
    if kind == "pipe":
        os.mkfifo(weights)
    else:
        weights.symlink_to("/dev/zero" if kind == "device" else voice.path / WEIGHTS_FILE)
    with pytest.raises(VoiceError, match=r"training\.json: no checksum for 'weights\.bin'") as caught:
        load_start(str(folder))
    assert "\n" not in str(caught.value)


HUGE = [2**40, 2**40]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "uint8"},
        {"kind": "object"},
        {"kind": "float128"},
        {"offset": -4},
        {"offset": 2**70},
        {"shape": HUGE, "stored": HUGE},
        {"shape": [2**32, 2**32], "stored": [2**32, 2**32]},
        {"shape": [-1]},
        {"stored": [-1]},
        {"shape": [1] * 40, "stored": [1] * 40},
        {"column": -1},
    ],
)
def test_a_place_that_no_weight_can_have_is_one_clear_line(exported, tmp_path, change):
    def spoil(weights):
        weights[next(iter(weights))].update(change)

    refuse(exported[1], tmp_path, spoil)


def test_more_weights_than_the_file_has_room_for_are_refused(exported, tmp_path):
    def repeat(weights):
        largest = max(weights.values(), key=lambda place: math.prod(place["shape"]))
        weights.update({f"copy{at}": largest for at in range(1000)})

    refuse(exported[1], tmp_path, repeat)


def refuse(voice, folder, edit):
    """Expect one line for a training file with edited places of weights."""
    content = msgspec.json.decode((voice.path / "training.json").read_bytes())
    edit(content["weights"])
    (folder / WEIGHTS_FILE).write_bytes((voice.path / WEIGHTS_FILE).read_bytes())
    (folder / "training.json").write_bytes(msgspec.json.encode(content))
    with pytest.raises(VoiceError, match=r"training\.json: cannot be read: .*; export the voice again") as caught:
        read_training_file(Voice(voice.name, folder, voice.manifest))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_run_that_starts_from_a_voice_equals_one_that_starts_from_its_checkpoint(tmp_path):
    ink = make_ink(tmp_path / "ink.npz")
    train(pen_recipe(updates=2), ink, tmp_path / "first")
    export(tmp_path / "first" / "best.pt", tmp_path / "voice")
    (tmp_path / "tiny.toml").write_text(toml(recipe_fields(pen_recipe(updates=1, kl_warmup=0))))
    for name, start in (("one", tmp_path / "first" / "best.pt"), ("other", tmp_path / "voice")):
        options = ("--data", ink, "--out", tmp_path / name, "--from", start)
        done = run_command("train", tmp_path / "tiny.toml", *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    one, other = (load_checkpoint(tmp_path / name / "best.pt") for name in ("one", "other"))
    assert one.started_from == other.started_from == "tiny-pen"
    first = "vrnn-engine train tiny-pen.toml --data DATA"
    assert one.earlier == other.earlier == first
    step = f"{first} --from runs/tiny-pen/best.pt --out runs/tiny-pen-2"
    assert provenance_of(one).command == provenance_of(other).command == f"{first}; {step}"
    assert all(torch.equal(one.model[name], other.model[name]) for name in one.model)
