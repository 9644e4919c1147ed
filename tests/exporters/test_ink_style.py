"""The style of ink: measuring and removing it, drawing it once for a stream, observing it, and its controls."""

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch
from scipy import stats
from support import tiny_models
from support.command import ROOT
from support.corpora import make_ink
from support.graphs import MADE_UP, TOLERANCE, difference, inputs_for, run, sessions

from vrnn_engine import Engine
from vrnn_engine.data.style import Style, plain, style_of, usual_style
from vrnn_engine.errors import DataError
from vrnn_engine.exporters.export import export
from vrnn_engine.exporters.ink_style import MAX_LEAN, InkStyle
from vrnn_engine.exporters.steps import RecurrentSteps
from vrnn_engine.exporters.voice_writer import write_voice
from vrnn_engine.training.corpus import open_corpus
from vrnn_engine.training.recipe import Recipe, load_recipe, recipe_fields
from vrnn_engine.training.trainer import train

RATE = 50
USUAL = Style(slant=0.2, slant_sd=0.3, size=1.5, size_sd=0.25)


def zigzags(slant, size, points=600, seed=0):
    """Return ink of strokes down and up, with pen-ups between them."""
    rng = np.random.default_rng(seed)
    length = rng.uniform(2, 4, points // 10) * size
    down = np.repeat(np.stack([length, -length], 1).ravel() / 5, 5)
    across = -slant * down + 0.1 * size * rng.random(points)
    lifted = np.zeros(points)
    lifted[9::30] = 1
    across[10::30] += 3 * size  # in the air, so it does not count for the slant
    return np.stack([across, down, lifted], 1).astype(np.float32)


def listen(ink_style, ink):
    """Return the state of an `InkStyle` after observing ink."""
    state = torch.zeros(1, ink_style.state_size)
    for frame in torch.from_numpy(ink):
        state = ink_style.measure(state, frame[None])
    return state


@pytest.mark.parametrize("slant", [-0.3, 0.0, 0.2, 0.6])
@pytest.mark.parametrize("size", [0.8, 1.5, 3.0])
def test_the_style_of_a_line_is_measured_and_removed(slant, size):
    ink, other = zigzags(slant, size), zigzags(slant, 2 * size)
    found, larger = style_of(ink, USUAL, RATE), style_of(other, USUAL, RATE)
    known = 600 / 650
    drift = 0.05 / 0.6  # the ink also moves across during a downstroke, which changes its slant
    assert found[0] == pytest.approx(np.clip(known * (slant - drift - 0.2) / 0.3, -3, 3), abs=0.05)
    if max(abs(found[1]), abs(larger[1])) < 3:
        assert larger[1] - found[1] == pytest.approx(known * math.log(2) / 0.25, abs=0.05)
    made = plain(ink, USUAL, RATE)
    if max(map(abs, found)) < 3:
        again = style_of(made, USUAL, RATE)
        assert again == pytest.approx([(1 - known) * one for one in found], abs=0.02)
    assert np.array_equal(made[:, 2], ink[:, 2])


def test_the_style_measured_frame_by_frame_is_that_of_the_whole_line():
    ink_style = InkStyle(USUAL, RATE)
    for seed, (slant, size) in enumerate(((0.5, 1.0), (-0.1, 2.0))):
        ink = zigzags(slant, size, seed=seed)
        ink[0] = 0  # the first frame of a line has no move
        for length in (1, 4, 50, 600):
            style = ink_style.style(listen(ink_style, ink[:length]))
            np.testing.assert_allclose(style[0], style_of(ink[:length], USUAL, RATE), atol=1e-4)
        made = torch.cat([ink_style.remove(frame[None], style) for frame in torch.from_numpy(ink)])
        np.testing.assert_allclose(made, plain(ink, USUAL, RATE), atol=1e-5)
        again = torch.cat([ink_style.apply(frame[None], style, torch.zeros(1, 1), 1.0) for frame in made])
        np.testing.assert_allclose(again, ink, atol=1e-5)


def test_a_jump_does_not_count_as_height():
    """Neither the first move nor one to another line counts."""
    ink, ink_style = zigzags(0.2, 1.5), InkStyle(USUAL, RATE)
    ink[0] = 0
    jumping = ink.copy()
    jumping[0, :2] = 20, 40
    jumping[300, :2] = -80, 11
    jumping[299, 2] = 1
    found = [ink_style.style(listen(ink_style, one)) for one in (ink, jumping)]
    torch.testing.assert_close(*found, atol=0.6, rtol=0)  # 1.3 and more if they counted


def test_the_usual_style_has_the_spread_of_writers_not_of_lines():
    rng = np.random.default_rng(0)
    lines, writers, truth = [], [], []
    for writer in range(40):
        style = np.array([0.2, 0.4]) + [0.3, 0.25] * rng.standard_normal(2)
        truth.append(style)
        for number in range(8):
            slant, size = style + [0.1, 0.1] * rng.standard_normal(2)
            lines.append(zigzags(slant, math.exp(size), seed=9 * writer + number))
            writers.append(str(writer))
    found = usual_style(lines, writers, RATE)
    drift = style_of(zigzags(0.0, 1.0), Style(slant=0, slant_sd=1, size=1, size_sd=1), RATE)
    mean, sd = np.mean(truth, 0), np.std(truth, 0)
    assert [found.slant, found.slant_sd] == pytest.approx([mean[0] + drift[0], sd[0]], abs=0.03)
    assert [math.log(found.size), found.size_sd] == pytest.approx([mean[1] + drift[1] * 650 / 600, sd[1]], abs=0.03)
    with pytest.raises(DataError, match="two writers with three lines of three seconds"):
        usual_style(lines, [f"{k}" for k in range(len(lines))], RATE)
    with pytest.raises(DataError, match="do not differ"):
        usual_style(lines[:1] * 8, list("aaaabbbb"), RATE)


def test_after_a_minute_only_the_newest_ink_counts():
    ink_style = InkStyle(USUAL, RATE)
    both = np.concatenate([zigzags(-0.2, 1.5, 6000), zigzags(0.5, 1.5, 12000)])
    measured = ink_style.style(listen(ink_style, both))[0, 0]
    assert measured == pytest.approx(style_of(zigzags(0.5, 1.5, 6000), USUAL, RATE)[0], abs=0.1)


# Voices


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = RecurrentSteps(tiny_models.model("pen-gauss"), RATE, "mm", (0.2, -0.1), (1.5, 0.7), InkStyle(USUAL, RATE))
    return model, write_voice(model, "styled", tmp_path_factory.mktemp("voice") / "styled", MADE_UP).voice


@pytest.fixture(scope="module")
def take(exported):
    """Return a function that generates ink; temperature 0 gives the usual style."""
    engine = Engine.load(exported[1], "cpu")

    def read(seed=1, frames=40, ink=None, **controls):
        stream = engine.stream(seed)
        for name, value in controls.items():
            stream.controls[f"style.{name}"] = value
        if ink is not None:
            stream.prime(ink)
        return stream.read(frames)

    return read


def transform(seen, written):
    """Return the shear and the scale that map `written` to `seen`, and check that nothing else differs."""
    scale = (seen[:, 1] @ written[:, 1]) / (written[:, 1] @ written[:, 1])
    rest = seen[:, 0] / scale - written[:, 0]
    slope = -(rest @ written[:, 1]) / (written[:, 1] @ written[:, 1])
    np.testing.assert_allclose(seen[:, 1], scale * written[:, 1], atol=1e-4)
    np.testing.assert_allclose(seen[:, 0], scale * (written[:, 0] - slope * written[:, 1]), atol=1e-4)
    assert np.array_equal(seen[:, 2], written[:, 2])
    return slope, scale


def test_a_stream_draws_a_style_and_keeps_it(take):
    drawn = np.array([transform(take(seed), take(seed, temperature=0)) for seed in range(60)])
    style = np.stack([drawn[:, 0] / 0.3, np.log(drawn[:, 1]) / 0.25])
    assert stats.kstest(style.ravel(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(style)[0, 1]) < 0.4
    slope, scale = transform(take(3, temperature=0.5), take(3, temperature=0))
    assert [slope, scale] == pytest.approx([drawn[3, 0] / 2, math.sqrt(drawn[3, 1])], abs=1e-3)


def test_controls_change_the_style(take):
    usual = take(temperature=0)
    slope, scale = transform(take(temperature=0, slant=20, size=3), usual)
    assert slope == pytest.approx(math.tan(math.atan(0.2) + math.radians(20)) - 0.2, abs=1e-4)
    assert scale == pytest.approx(3, abs=1e-4)
    slopes = [transform(take(seed, temperature=4, slant=45), take(seed, temperature=0))[0] for seed in range(8)]
    assert max(slopes) == pytest.approx(math.tan(MAX_LEAN) - 0.2, abs=1e-3)  # the limit


@pytest.mark.parametrize(("slant", "size"), [(0.7, 1.0), (-0.2, 2.5)])
def test_generation_continues_in_the_observed_style(exported, take, slant, size):
    ink = zigzags(slant, size)
    ink[0] = 0
    slope, scale = transform(take(ink=ink, seed=2), take(ink=ink, temperature=0, seed=2))
    assert 0 < abs(slope) < 3 * 0.3 * math.sqrt(50 / 650)  # a small uncertain part is drawn
    assert 0 < abs(math.log(scale)) < 3 * 0.25 * math.sqrt(50 / 650)
    stream = Engine.load(exported[1], "cpu").stream(1)
    stream.controls["latent.temperature"] = 0
    found = stream.prime(ink).log_likelihood
    as_plain, as_it_is = (without_style(exported[0], one) for one in (plain(ink, USUAL, RATE), ink))
    # At the end of a line, the style measured so far is that of the whole line.
    assert np.abs(found - as_plain)[300:].mean() < 0.2 * np.abs(as_it_is - as_plain)[300:].mean()
    # Frames in that style are those in the usual style, transformed.
    model = exported[0]
    values = {name: torch.randn(30, *shape) for name, shape in model.step_inputs().items() if name.startswith("noise")}
    values |= {f"control.{c.name}": torch.full((30, *c.shape), c.default) for c in model.controls}
    values |= {"control.style.temperature": torch.zeros(30, 1)}
    values |= {name: torch.zeros(30, *shape) for name, shape in model.step_inputs().items() if name.startswith("state")}
    measured = values | {"state.style": torch.from_numpy(stream.state.arrays["style"]).expand(30, -1)}
    seen, usual = (model.generate(one)["frame"].detach().numpy() for one in (measured, values))
    style = style_of(ink, USUAL, RATE)
    assert transform(seen, usual) == pytest.approx((0.3 * style[0], math.exp(0.25 * style[1])), abs=1e-3)


def test_the_drawn_style_is_not_removed_from_observed_ink(exported):
    ink = zigzags(0.7, 1.0, 100)
    found = []
    for temperature in (0.0, 3.0):
        stream = Engine.load(exported[1], "cpu").stream(3)
        stream.controls["style.temperature"] = temperature
        stream.controls["latent.temperature"] = 0
        stream.read(1)
        frame = stream.state.arrays["style"]
        assert frame[0, :2].all()
        zero = Engine.load(exported[1], "cpu").stream(3).state.arrays
        stream.state = replace(stream.state, arrays={**zero, "style": frame})
        found.append(stream.prime(ink).log_likelihood)
    fresh = Engine.load(exported[1], "cpu").stream(3)
    fresh.controls["latent.temperature"] = 0
    expected = fresh.prime(ink).log_likelihood
    for one in found:
        np.testing.assert_allclose(one, expected, rtol=1e-5)


def without_style(model, ink):
    """Return the log-likelihood of ink by the same model without a style."""
    bare = RecurrentSteps(model.model, RATE, "mm", model.normalisation.mean, model.normalisation.std)
    values = {name: torch.zeros(1, *shape) for name, shape in bare.observe_inputs().items()}
    found = []
    with torch.no_grad():
        for frame in torch.from_numpy(ink):
            made = bare.observe(values | {"frame": frame[None]})
            values |= {f"state.{name[5:]}": value for name, value in made.items() if name.startswith("next.")}
            found.append(float(made["log_likelihood"]))
    return np.array(found)


def test_graphs_with_a_style_agree_with_pytorch(exported):
    model, voice = exported
    rng = np.random.default_rng(0)
    shapes = (model.step_inputs(), model.observe_inputs())
    for session, function, wanted in zip(sessions(voice), (model.generate, model.observe), shapes, strict=True):
        values = inputs_for(wanted, 33, rng)
        values["state.style"] = np.abs(values["state.style"])
        values |= {name: np.ones_like(value) for name, value in values.items() if name == "control.style.size"}
        found = run(session, values)
        with torch.no_grad():
            expected = function({name: torch.from_numpy(value) for name, value in values.items()})
        assert set(found) == set(expected)
        for name, value in expected.items():
            assert difference(found[name], value.numpy()) < TOLERANCE, name
        for rows in ([0], [32], [7, 31], list(range(5, 18))) if function == model.generate else ():
            alone = run(session, {name: value[rows] for name, value in values.items()})
            for name, value in alone.items():
                assert np.array_equal(value, found[name][rows]), (name, rows)


# Training


def recipe_of_style(**changes):
    fields = recipe_fields(load_recipe(str(ROOT / "benchmarks" / "handwriting-free.toml")))
    fields["data"] |= {"style": msgspec.to_builtins(USUAL) | changes}
    return msgspec.convert(fields, Recipe)


@pytest.mark.parametrize("change", [{"slant_sd": 0.0}, {"size": -1.0}, {"size_sd": 2.0}, {"slope": 0.1}])
def test_an_invalid_style_is_refused(change):
    with pytest.raises(msgspec.ValidationError, match=next(iter(change))):
        recipe_of_style(**change)


def test_training_removes_the_style_and_the_export_applies_it(tmp_path):
    recipe = recipe_of_style()
    path = make_ink(tmp_path / "ink.npz")
    corpus, bare = (
        open_corpus(msgspec.structs.replace(recipe, data=msgspec.structs.replace(recipe.data, style=style)), path)
        for style in (USUAL, None)
    )
    line = bare.lines["train"][0]
    assert np.array_equal(corpus.lines["train"][0], line)  # generated ink is compared with these lines
    moves = plain(line, USUAL, RATE)[:, :2]
    assert not np.allclose(moves, line[:, :2])
    first = corpus.fitting_signal()[: len(line), :2]
    np.testing.assert_allclose(first, (moves - corpus.mean) / corpus.std, rtol=1e-4, atol=1e-5)
    whole = np.concatenate([plain(one, USUAL, RATE) for one in bare.lines["train"]])[:, :2]
    np.testing.assert_allclose(corpus.mean, whole.mean(0), atol=1e-4)
    schedule = msgspec.structs.replace(recipe.training, updates=1, validate_every=1)
    small = msgspec.structs.replace(recipe, model=tiny_models.config("pen-gauss"), training=schedule)
    train(small, path, tmp_path / "run")
    voice = export(tmp_path / "run" / "best.pt", tmp_path / "voice").voice
    assert {"style.slant", "style.size", "style.temperature"} <= {one.name for one in voice.manifest.controls}
    assert "(nats of the normalised signal, of ink without its style," in (voice.path / "CARD.md").read_text()
