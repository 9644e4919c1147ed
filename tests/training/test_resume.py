"""Resuming an interrupted or finished run, and starting from the weights of another."""

import os
import signal

import msgspec
import pytest
import torch
from support import tiny_models
from support.corpora import make_ink, make_speech, split_names
from support.recipes import pen_recipe, speech_recipe

from vrnn_engine.data.options import Augment
from vrnn_engine.errors import CheckpointError
from vrnn_engine.training.checkpoint import load_checkpoint
from vrnn_engine.training.trainer import train
from vrnn_engine.training.training_run import TrainingRun


@pytest.fixture(scope="module")
def ink(tmp_path_factory):
    return make_ink(tmp_path_factory.mktemp("ink") / "ink.npz")


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return make_speech(tmp_path_factory.mktemp("speech"), split_names(3))


def interrupted_after(updates):
    def report(progress):
        if progress.update == updates:
            raise KeyboardInterrupt

    return report


@pytest.mark.parametrize("stop", [5, 8, 19])
@pytest.mark.parametrize("modality", ["pen", "speech"])
def test_interrupted_run_resumes_to_the_same_numbers(ink, speech, tmp_path, modality, stop):
    recipe, data = (pen_recipe(), ink) if modality == "pen" else (speech_recipe(), speech)
    whole = []
    train(recipe, data, tmp_path / "whole", report=lambda p: whole.append((p.bound, p.kl)))
    parts = []
    with pytest.raises(KeyboardInterrupt):
        train(recipe, data, tmp_path / "parts", report=interrupted_after(stop))
    train(recipe, data, tmp_path / "parts", resume=True, report=lambda p: parts.append((p.bound, p.kl)))
    assert parts == whole[stop:]
    one, two = (load_checkpoint(tmp_path / folder / "last.pt") for folder in ("whole", "parts"))
    assert all(torch.equal(one.model[name], two.model[name]) for name in one.model)
    seconds = {"training_seconds"}
    assert {k: v for k, v in one.metrics.items() if k not in seconds} == {
        k: v for k, v in two.metrics.items() if k not in seconds
    }


@pytest.mark.parametrize("stop", [5, 8])
def test_interrupted_run_with_augmentation_resumes_to_the_same_numbers(speech, tmp_path, stop):
    recipe = speech_recipe(resample=0.5, resample_from=10)
    augment = Augment(gain=6.0, telephone=0.5, noise=0.5)
    recipe = msgspec.structs.replace(recipe, data=msgspec.structs.replace(recipe.data, augment=augment))
    whole, parts = [], []
    train(recipe, speech, tmp_path / "whole", report=lambda p: whole.append((p.bound, p.kl)))
    with pytest.raises(KeyboardInterrupt):
        train(recipe, speech, tmp_path / "parts", report=interrupted_after(stop))
    train(recipe, speech, tmp_path / "parts", resume=True, report=lambda p: parts.append((p.bound, p.kl)))
    assert parts == whole[stop:]
    clean = []
    train(speech_recipe(), speech, tmp_path / "clean", report=lambda p: clean.append((p.bound, p.kl)))
    assert clean[:9] != whole[:9]


def test_interrupt_is_deferred_to_the_end_of_an_update(ink, tmp_path, monkeypatch):
    whole = []
    train(pen_recipe(), ink, tmp_path / "whole", report=lambda p: whole.append(p.bound))

    def stepped(run):
        follow(run)
        if run.done == 11:
            os.kill(os.getpid(), signal.SIGINT)  # after the weights have moved, before the update is over
            for _ in range(1000):
                pass

    # A shell that starts the tests in the background has them ignore SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    follow = TrainingRun.move_average
    monkeypatch.setattr(TrainingRun, "move_average", stepped)
    with pytest.raises(KeyboardInterrupt):
        train(pen_recipe(), ink, tmp_path / "parts")
    monkeypatch.undo()
    parts = []
    train(pen_recipe(), ink, tmp_path / "parts", resume=True, report=lambda p: parts.append(p.bound))
    assert parts == whole[11:]
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def test_run_starts_from_the_weights_of_another(ink, tmp_path):
    first = train(pen_recipe(updates=40), ink, tmp_path / "first")
    seen = {}
    for name, start in (("fresh", None), ("tuned", tmp_path / "first" / "best.pt")):
        seen[name] = []
        recipe = pen_recipe(updates=5, learning_rate=1e-4, kl_start=1.0)
        train(recipe, ink, tmp_path / name, start=start, report=lambda p, to=seen[name]: to.append(p.bound))
    assert seen["tuned"][0] == pytest.approx(first.metrics["valid_elbo_per_frame"], abs=0.5)
    assert seen["tuned"][0] > seen["fresh"][0] + 0.5
    other = msgspec.structs.replace(pen_recipe(), model=tiny_models.config("pen-gauss"))
    with pytest.raises(CheckpointError, match="does not fit the model"):
        train(other, ink, tmp_path / "other", start=tmp_path / "first" / "best.pt")


def test_run_is_not_overwritten_and_needs_a_checkpoint_to_resume(ink, tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        train(pen_recipe(), ink, tmp_path, resume=True)
    train(pen_recipe(updates=1), ink, tmp_path)
    with pytest.raises(CheckpointError, match="this folder has a run already; resume it, or choose another folder"):
        train(pen_recipe(updates=1), ink, tmp_path)
    with pytest.raises(CheckpointError, match="another recipe"):
        train(pen_recipe(updates=1, clip=2.0), ink, tmp_path, resume=True)


def test_finished_run_continues_with_more_updates(ink, tmp_path):
    def steps_of(updates, folder, **options):
        seen = []
        schedule = {"learning_rate": 1e-3, "final_learning_rate": 1e-3, "kl_warmup": 0}
        train(pen_recipe(updates=updates, **schedule), ink, tmp_path / folder, report=seen.append, **options)
        return [(step.update, step.bound) for step in seen]

    whole = steps_of(9, "whole")  # at one step size, so that its first updates are those of a shorter run
    assert steps_of(5, "part") == whole[:5]
    assert steps_of(9, "part", resume=True) == whole[5:]
    assert load_checkpoint(tmp_path / "part" / "last.pt").resume["begun"] == [5]
    before = (tmp_path / "part" / "last.pt").read_bytes()
    with pytest.raises(
        CheckpointError,
        match=r"last\.pt: this run has 9 updates; resume it with the same number of updates, 9; it may get more",
    ):
        steps_of(5, "part", resume=True)
    assert (tmp_path / "part" / "last.pt").read_bytes() == before


def test_interrupted_run_must_finish_before_it_gets_more_updates(ink, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(pen_recipe(updates=9), ink, tmp_path, report=interrupted_after(5))
    with pytest.raises(
        CheckpointError,
        match=r"last\.pt: this run has 9 updates; resume it with the same number of updates, 9; it may get more",
    ):
        train(pen_recipe(updates=12), ink, tmp_path, resume=True)


@pytest.mark.parametrize("spoil", [lambda state: state.pop("h"), lambda state: state.update(extra=state["h"])])
def test_checkpoint_of_another_version_is_not_resumed(ink, tmp_path, spoil):
    train(pen_recipe(updates=1), ink, tmp_path)
    fields = torch.load(tmp_path / "last.pt", weights_only=True)
    assert fields["resume"]["state"]
    spoil(fields["resume"]["state"])
    torch.save(fields, tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match=r"last\.pt: another version of this package wrote it.*another folder"):
        train(pen_recipe(updates=1), ink, tmp_path, resume=True)


def test_run_is_not_resumed_on_another_corpus(ink, tmp_path):
    other = make_ink(tmp_path / "other.npz", lines=200)
    with pytest.raises(KeyboardInterrupt):
        train(pen_recipe(), ink, tmp_path / "run", report=interrupted_after(5))
    before = (tmp_path / "run" / "last.pt").read_bytes()
    with pytest.raises(
        CheckpointError, match=r"last\.pt: the run began on another corpus than .*other\.npz.*new run from its weights"
    ):
        train(pen_recipe(), other, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "last.pt").read_bytes() == before
