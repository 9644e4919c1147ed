"""Training a tiny text-conditioned model: it learns, resumes to the same numbers, and follows its schedule."""

import itertools

import msgspec
import pytest
import torch
from support import text_models
from support.corpora import make_ink
from support.recipes import pen_recipe, speech_recipe, text_recipe

from vrnn_engine.errors import CheckpointError, RecipeError
from vrnn_engine.models.families.text import TextVRNN
from vrnn_engine.training.checkpoint import load_checkpoint
from vrnn_engine.training.corpus import open_corpus
from vrnn_engine.training.recipe import changed, load_recipe, recipe_fields, recipe_from
from vrnn_engine.training.schedule import learning_rate, total_can_change
from vrnn_engine.training.trainer import train
from vrnn_engine.training.training_run import TrainingRun
from vrnn_engine.training.validation import validate
from vrnn_engine.training.world import World

QUIET = {"updates": 24, "learning_rate": 1e-2, "final_learning_rate": 1e-3}
"""A schedule without input noise."""


@pytest.fixture(scope="module")
def ink(tmp_path_factory):
    return text_models.write_ink(tmp_path_factory.mktemp("ink") / "ink.npz")


def test_training_raises_the_bound_and_uses_the_text(ink, tmp_path):
    seen = []
    best = train(text_recipe(updates=60, decay=20), ink, tmp_path, report=seen.append)
    assert [progress.update for progress in seen] == list(range(1, 61))
    assert sum(p.bound for p in seen[-10:]) / 10 > sum(p.bound for p in seen[:10]) / 10 + 0.5
    assert isinstance(best.build(), TextVRNN)
    corpus = open_corpus(text_recipe(), ink)
    bound = validate(load_checkpoint(tmp_path / "best.pt").build(), corpus, "valid")
    assert bound.elbo == pytest.approx(best.metrics["valid_elbo_per_frame"], abs=1e-4)
    assert bound.sequences == len(corpus.lines["valid"])


def test_validation_in_a_run_reads_whole_lines(ink, tmp_path):
    """In training mode, the encoder reads only the beginning of a line."""
    run = TrainingRun(text_recipe(), open_corpus(text_recipe(), ink), tmp_path, World(0, 1, torch.device("cpu")))
    with torch.no_grad():
        run.average.encoder_head.both.weight.mul_(50)  # a posterior that depends on the line
    bound = validate(run.average, run.corpus, "valid")
    assert validate(run.average.eval(), run.corpus, "valid") == bound
    assert validate(run.average.train(), run.corpus, "valid") != bound


@pytest.mark.parametrize("stop", [5, 8, 19])
def test_interrupted_text_run_resumes_to_the_same_numbers(ink, tmp_path, stop):
    whole, parts = [], []
    train(text_recipe(), ink, tmp_path / "whole", report=lambda p: whole.append((p.bound, p.kl)))

    def interrupt(progress):
        parts.append((progress.bound, progress.kl))
        if progress.update == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(text_recipe(), ink, tmp_path / "parts", report=interrupt)
    train(text_recipe(), ink, tmp_path / "parts", resume=True, report=lambda p: parts.append((p.bound, p.kl)))
    assert parts == whole
    one, other = (load_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "parts"))
    assert all((one.model[name] == other.model[name]).all() for name in one.model)


def test_parts_of_a_batch_give_the_numbers_of_the_whole(ink, tmp_path):
    bounds = {1: [], 3: []}
    for count, seen in bounds.items():
        folder = tmp_path / str(count)
        train(text_recipe(accumulate=count, updates=12), ink, folder, report=lambda p, to=seen: to.append(p.bound))
    assert bounds[1] == pytest.approx(bounds[3], abs=2e-3)


def test_learning_rate_rises_stays_constant_and_falls():
    schedule = text_recipe().training
    rates = [learning_rate(schedule, done) for done in range(24)]
    assert rates[:4] == pytest.approx([2.5e-3, 5e-3, 7.5e-3, 1e-2])
    assert rates[4:17] == pytest.approx([1e-2] * 13)
    assert all(a > b for a, b in itertools.pairwise(rates[16:]))
    assert learning_rate(schedule, 24) == pytest.approx(1e-3)
    plain = msgspec.structs.replace(schedule, warmup=0, decay=0)
    assert learning_rate(plain, 12) == pytest.approx(5.5e-3), "half a cosine without both"


def test_unfinished_run_may_get_another_total_before_its_decay(ink, tmp_path):
    def interrupt(progress):
        if progress.update == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(text_recipe(), ink, tmp_path, report=interrupt)
    with pytest.raises(CheckpointError, match="this run has 24 updates"):
        train(changed(text_recipe(), updates=17), ink, tmp_path, resume=True)
    seen = []
    train(changed(text_recipe(), updates=20), ink, tmp_path, resume=True, report=seen.append)
    assert seen[-1].update == 20
    assert load_checkpoint(tmp_path / "last.pt").recipe.training.updates == 20


def test_total_cannot_change_once_the_decay_has_begun():
    schedule = text_recipe().training
    assert total_can_change(schedule, 40, 16)
    assert not total_can_change(schedule, 40, 17)
    assert not total_can_change(schedule, 23, 16)
    assert not total_can_change(msgspec.structs.replace(schedule, decay=0), 40, 2)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("data", "text"), None, "model.text and data.text need each other"),
        (("model", "text", "alphabet"), "aab", "alphabet has a character twice"),
        (("model", "text", "reader_size"), 26, "reader_size 26 is not below recurrent_size 26"),
        (("training", "decay"), 22, "are more than 24 updates"),
        (("training", "warmup"), 17, "warmup 17 and decay 8 are more than 24 updates"),
        (("training", "resample"), 0.5, "input_noise and resample both replace the input"),
        (("training",), QUIET | {"resample": 0.5}, "resample cannot be used with model.text"),
        (("data", "resample"), False, "data.text needs resample = true"),
        (("data", "split_by_form"), True, "neither authors_normalisation nor split_by_form"),
        (("model", "family"), "rnn-gmm", "does not use latent_size"),
    ],
)
def test_recipe_with_contradictory_fields_is_refused(where, value, message):
    fields = recipe_fields(text_recipe())
    *path, last = where
    part = fields
    for name in path:
        part = part[name]
    part[last] = value
    with pytest.raises((msgspec.ValidationError, RecipeError), match=message):
        recipe_from(fields)


@pytest.mark.parametrize(
    ("make", "changes", "message"),
    [
        (pen_recipe, {"dropout": 0.1}, "training.dropout needs model.text"),
        (pen_recipe, {"free_nats": 1.0}, "training.free_nats needs model.text"),
        (speech_recipe, {"input_noise": 0.1}, "training.input_noise is for a pen"),
    ],
)
def test_recipe_without_a_text_refuses_fields_of_one(make, changes, message):
    fields = recipe_fields(make())
    fields["training"] |= changes
    with pytest.raises(msgspec.ValidationError, match=message):
        recipe_from(fields)


def test_noise_on_the_input_also_trains_a_pen_without_text(tmp_path):
    path = make_ink(tmp_path / "ink.npz")
    bounds = {}
    for noise in (0.0, 0.5):
        seen = bounds[noise] = []
        train(pen_recipe(input_noise=noise, updates=3), path, tmp_path / str(noise), report=seen.append)
    assert bounds[0.0][0].bound != bounds[0.5][0].bound


def test_free_nats_raise_the_kl_of_the_latent(ink, tmp_path):
    kls = {}
    for free in (0.0, 50.0):
        seen = []
        schedule = {"updates": 40, "decay": 10, "kl_start": 1.0, "kl_warmup": 0, "free_nats": free}
        train(text_recipe(**schedule), ink, tmp_path / str(free), report=lambda p, to=seen: to.append(p.kl))
        kls[free] = sum(seen[-5:])
    assert kls[50.0] > 3 * kls[0.0]


def test_alphabet_of_the_bundled_recipe_has_all_common_characters():
    model = load_recipe("handwriting").model
    alphabet = set(model.text.alphabet)
    assert len(alphabet) >= 85
    assert alphabet >= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,;:!?'\"()-/&@#%$*+=")
