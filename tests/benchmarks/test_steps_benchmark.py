"""benchmarks/steps.py: all ways compute the same model, and ratios are of times in the same round."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support import tiny_models
from support.recipes import speech_recipe

from vrnn_engine import Engine, Voice
from vrnn_engine.diagnostics.step_times import weight_bytes
from vrnn_engine.models import build_model
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.training.recipe import load_recipe

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import plot
import random_voice
import steps
import torch_ways
import ways


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a recipe, its model with random weights, and its voice in fp32 and int8."""
    recipe = speech_recipe("mdct-gauss")
    model = random_voice.random_model(recipe)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vrnn_engine.exporters.precision.quantise.MIN_WEIGHTS", 64)
        voice = random_voice.write_random_voice(recipe, model, tmp_path_factory.mktemp("random") / "voice", ["int8"])
    return recipe, model, voice


def controls_of(engine, rows):
    return {name: np.repeat(values, rows, axis=0) for name, values in engine.stream(0).controls.table.items()}


def test_the_numpy_step_equals_the_models() -> None:
    model = tiny_models.model("mdct-gauss")
    by_hand = ways.NumpyStep(model)
    drawn = np.random.default_rng(1)
    kept: list[np.ndarray] = []

    def draw(size: int, kind: type) -> np.ndarray:
        kept.append(drawn.standard_normal(size, kind))
        return kept[-1]

    by_hand.rng = SimpleNamespace(standard_normal=draw)
    state = model.initial_state(1)
    with torch.no_grad():
        for _ in range(5):
            frame = by_hand()
            latent, output = (torch.from_numpy(noise)[None] for noise in kept[-2:])
            made = model.generate(state, latent, OutputNoise(output))
            state = made.state
            assert np.allclose(made.frame[0], frame, atol=1e-4)
            assert np.allclose(state.h[0], by_hand.h, atol=1e-5)


def test_the_numpy_step_knows_its_models() -> None:
    known = [kind for kind in tiny_models.KINDS if ways.NumpyStep.knows(tiny_models.model(kind))]
    assert known == ["samples-gauss", "mdct-gauss"]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_bare_way_advances_the_state_as_a_stream_does(written, rows) -> None:
    engine = Engine.load(written[2], "cpu")
    controls = controls_of(engine, rows)
    step = engine.stepper.graphs.step
    bare, state = ways.Bare(step, controls, rows), step.zero_state(rows)
    frames = []
    for _ in range(5):
        bare()
        state, outputs = step.run(state, bare.noise, controls)
        assert np.array_equal(bare.frame, outputs["frame"])
        frames.append(bare.frame.copy())
    assert not np.array_equal(frames[-1], frames[-2])
    assert all(noise.std() > 0.5 for noise in bare.noise.values())


def test_every_way_steps(written) -> None:
    recipe, model, voice = written
    stepped = random_voice.normalised_steps(recipe, model)
    weights = {precision: weight_bytes(voice, voice.graph("step", precision)) for precision in ("fp32", "int8")}
    with torch.inference_mode():
        alone = ways.ways_of(voice, stepped, weights, rows=1)
        many = ways.ways_of(voice, stepped, weights, rows=3)
        engines, others = ["engine", "engine.int8"], ["bare", "plain", "eager", "torchscript"]
        reading = ["reading", "reading.int8"]
        assert list(alone) == [*engines, "resynthesis", *others, "numpy", *reading]
        assert list(many) == [*engines, *others, *reading, "products"]
        assert all(plot._label(name) for name in [*alone, *many])  # the picture names each way
        assert list(ways.ways_of(voice, None, weights, rows=1)) == [*engines, "resynthesis", *others[:2], *reading]
        assert [block.shape for block in many["engine.int8"]()] == [(ways.BLOCK * 20,)] * 3
        assert many["plain"]().shape == many["eager"]().shape == (3, 20)
        taken = steps.take_turns(alone, rounds=2, frames=9)
    assert all(len(values) == 2 and min(values) > 0 for values in taken.values())


@pytest.mark.parametrize(("name", "rows"), [("blizzard", 1), ("blizzard", 24), ("handwriting", 1)])
def test_torchscript_steps_as_eager_does(name: str, rows: int) -> None:
    """Of many rows, PyTorch correlates by Fourier transforms."""
    stepped = steps.steps_of(Voice.open(name))
    with torch.inference_mode():
        both = [torch_ways.TorchStep(stepped, rows, way) for way in (torch_ways.eager, torch_ways.torchscript)]
        for seed in range(3):
            frames = []
            for step in both:
                torch.manual_seed(seed)
                frames.append(step())
            assert torch.allclose(*frames, atol=1e-4)
            assert frames[0].std() > 0
    for ours, theirs in zip(*(step.inputs.values() for step in both), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="needs a C++ compiler")
def test_aotinductor_steps_as_eager_does(written) -> None:
    recipe, model, _ = written
    stepped = random_voice.normalised_steps(recipe, model)
    frames = []
    with torch.inference_mode():
        for way in (torch_ways.eager, torch_ways.aotinductor):
            step = torch_ways.TorchStep(stepped, 2, way)
            torch.manual_seed(0)
            frames.append(torch.stack([step() for _ in range(3)]))
    assert torch.allclose(*frames, atol=1e-4)


def test_a_text_voice_steps_without_a_text() -> None:
    engine = Engine.load("handwriting", "cpu")
    step = engine.stepper.graphs.step
    bare, plain = ways.Bare(step, controls_of(engine, 1), 1), ways.plain(step, controls_of(engine, 1), 1)
    bare()
    assert np.isfinite(bare.frame).all()
    assert bare.frame.any()
    assert plain().shape == (1, 3)


def test_the_time_of_a_read_is_shared_by_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    names = ("engine", "engine.int8", "resynthesis", "bare")
    stepped = {name: lambda name=name: calls.append(name) for name in names}
    clock = iter(range(0, 80000, 8))  # advances by 8 s at each call
    monkeypatch.setattr(steps, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    taken = steps.take_turns(stepped, rounds=1, frames=16)
    turn = ["engine"] * 3 + ["engine.int8"] * 3 + ["resynthesis"] * 3 + ["bare"] * 17  # the first of each is not timed
    assert calls == 2 * turn
    assert taken == {name: [500.0] for name in names}


def test_ratios_are_of_the_same_round() -> None:
    taken = {
        "engine": [2.0, 9.0, 4.0],
        "engine.int8": [1.0, 1.0, 1.0],
        "bare": [1.0, 3.0, 1.0],
        "eager": [8.0, 9.0, 8.0],
        "reading": [1.0, 1.0, 2.0],
        "reading.int8": [0.5, 0.5, 0.25],
        "products": [1.0, 4.5, 3.0],
    }
    assert steps.ratios_of(taken) == {
        "engine / bare": (2, 3, 4),
        "engine / reading": (2, 2, 9),
        "products / engine": (0.5, 0.5, 0.75),
        "eager / engine": (1, 2, 4),
        "engine.int8 / reading.int8": (2, 2, 4),
        "products / engine.int8": (1, 3, 4.5),
        "eager / engine.int8": (8, 8, 9),
    }


def test_the_products_are_those_of_all_weights_of_a_step(tmp_path) -> None:
    model = tiny_models.model("samples-gauss")
    voice = random_voice.write_random_voice(speech_recipe("samples-gauss"), model, tmp_path / "voice")
    needed = [w for name, w in model.named_parameters() if w.dim() == 2 and not name.startswith("encoder")]
    assert sum(k * n for k, n in ways.matrices(voice)) == sum(weight.numel() for weight in needed)
    # Products whose sum is taken are combined, which changes only the widths of the inputs.
    assert {n for _, n in ways.matrices(voice)} == {weight.shape[0] for weight in needed}


def test_weights_stored_in_half_precision_count_as_products() -> None:
    voice = Voice.open("blizzard")
    size = 4 * sum(k * n for k, n in ways.matrices(voice))
    assert size == pytest.approx(weight_bytes(voice, voice.graph("step")), rel=0.15)


def test_a_random_voice_names_its_recipe(written, monkeypatch) -> None:
    recipe, _, voice = written
    assert "random" in voice.name
    assert "weights are random" in (voice.path / "CARD.md").read_text()
    assert steps.steps_of(voice) is None  # no bundled recipe
    monkeypatch.setattr(steps, "bundled_recipes", lambda: [recipe.name])
    monkeypatch.setattr(steps, "load_recipe", lambda name: recipe)
    assert steps.steps_of(voice).model.config == recipe.model


@pytest.mark.parametrize("name", ["blizzard", "handwriting"])
def test_a_bundled_voice_names_its_recipe(name: str) -> None:
    assert steps.steps_of(Voice.open(name)).model.config == load_recipe(name).model


def test_a_voice_of_a_recipe_that_changed_has_no_model(monkeypatch) -> None:
    monkeypatch.setattr(steps, "random_model", lambda recipe: build_model(tiny_models.config("pen-gmm")))
    assert steps.steps_of(Voice.open("blizzard")) is None


def test_it_prints_writes_and_draws(written, tmp_path, monkeypatch, capsys) -> None:
    measured, picture = tmp_path / "measured.json", tmp_path / "ways.svg"
    words = ["--voice", str(written[2].path), "--precision", "int8", "--rows", "2", "--rounds", "2", "--frames", "8"]
    monkeypatch.setattr(sys, "argv", ["steps.py", *words, "--json", str(measured)])
    steps.main()
    said = capsys.readouterr()
    assert "left out" in said.err
    assert "engine.int8 / reading.int8" in said.out
    report = json.loads(measured.read_text())
    assert report["machine"]["onnxruntime"] in said.out
    assert report["real_time"].keys() == {"engine", "engine.int8"}
    assert report["weights"]["fp32"] > report["weights"]["int8"] > 0
    assert {len(values) for values in report["rounds"].values()} == {2}
    for name, values in report["rounds"].items():
        assert report["ms"][name] == [min(values), sum(values) / 2, max(values)]
    monkeypatch.setattr(sys, "argv", ["plot.py", str(measured), str(picture)])
    plot.main()
    drawn = picture.read_text()
    assert "the engine, int8" in drawn
    assert "Milliseconds a frame of 2 streams" in drawn
    assert len(drawn) < 60000
