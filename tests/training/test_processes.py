"""Training in several processes, in parts, and in bfloat16 gives the numbers of one process, whole batches and fp32."""

import subprocess
import sys
from itertools import chain

import msgspec
import numpy as np
import pytest
import torch
from support import text_models, tiny_models
from support.command import environment
from support.corpora import make_ink, make_speech, split_names
from support.recipes import pen_recipe, speech_recipe, text_recipe, toml

from vrnn_engine.data.batches import Batch
from vrnn_engine.models.recurrent import RecurrentModel, State
from vrnn_engine.training import training_run
from vrnn_engine.training.budget import Clock
from vrnn_engine.training.checkpoint import load_checkpoint
from vrnn_engine.training.gradient import draw_noise, split_rows
from vrnn_engine.training.recipe import recipe_fields
from vrnn_engine.training.trainer import train
from vrnn_engine.training.validation import Bound
from vrnn_engine.training.world import World

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    folder = make_speech(tmp_path_factory.mktemp("speech"), split_names(6))
    (folder / "train" / "odd.wav").write_bytes(b"no sound")
    return folder


def wide(**schedule):
    """Return a recipe of four lanes that uses all kinds of noise: latents, resampled frames, and their choice."""
    recipe = speech_recipe(resample=0.5, resample_from=4, **schedule)
    return msgspec.structs.replace(recipe, data=msgspec.structs.replace(recipe.data, lanes=4))


def assert_same(folder, other):
    """Assert that weights and gradient sizes agree; from the weights alone, Adam would hide a wrong gradient scale.

    The comparison is on average, because Adam amplifies the rounding of a gradient that is almost 0.
    """
    one, two = load_checkpoint(folder / "last.pt"), load_checkpoint(other / "last.pt")
    for name, weights in one.model.items():
        assert (weights - two.model[name]).abs().mean() < 5e-4, name  # they moved by up to 0.1
    moments = [checkpoint.resume["optimizer"]["state"] for checkpoint in (one, two)]
    for key, moment in moments[0].items():
        assert moment["exp_avg_sq"].mean().item() == pytest.approx(
            moments[1][key]["exp_avg_sq"].mean().item(), rel=0.02
        )


def torchrun(folder, processes, *words):
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--standalone"]
    return subprocess.run(
        [*command, "-m", "vrnn_engine", *map(str, words)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("modality", ["speech", "pen", "text"])
def test_two_processes_train_the_same_as_one(tmp_path, speech, modality):
    recipe, data = {
        "speech": lambda: (wide(updates=16), speech),
        "pen": lambda: (pen_recipe(updates=16, accumulate=2), make_ink(tmp_path / "ink.npz")),
        "text": lambda: (text_recipe(updates=16, accumulate=2), text_models.write_ink(tmp_path / "ink.npz")),
    }[modality]()
    alone = train(recipe, data, tmp_path / "alone")
    (tmp_path / "mine.toml").write_text(toml(recipe_fields(recipe)))
    words = ("train", "mine.toml", "--data", data, "--out", "both")
    done = torchrun(tmp_path, 2, *words)
    assert done.returncode == 0, done.stderr
    for line in ("reading", "update 16/16: bound", "test data: bound", "best checkpoint: "):
        assert done.stderr.count(line) == 1  # only rank 0 reports
    assert done.stderr.count("skipped 1 of 19 recordings") == (modality == "speech")
    both = load_checkpoint(tmp_path / "both" / "best.pt")
    assert_same(tmp_path / "both", tmp_path / "alone")
    for name in ("valid_elbo_per_frame", "test_elbo_per_frame"):
        assert both.metrics[name] == pytest.approx(alone.metrics[name], rel=1e-5)
    # The checkpoint of two processes has the state of all rows.
    last = {name: load_checkpoint(tmp_path / name / "last.pt").resume for name in ("alone", "both")}
    states = [last[name]["state"] for name in ("alone", "both")]
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        assert value.shape == states[1][name].shape, name
        assert torch.allclose(value, states[1][name], atol=1e-4), name
    again = torchrun(tmp_path, 2, *words)
    assert again.returncode != 0
    assert "this folder has a run already" in again.stderr


@pytest.mark.slow
def test_two_processes_resume_a_run_of_one(tmp_path, speech):
    def interrupt(progress):
        if progress.update == 9:
            raise KeyboardInterrupt

    recipe = wide(updates=16)
    train(recipe, speech, tmp_path / "alone")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, speech, tmp_path / "parts", report=interrupt)
    (tmp_path / "mine.toml").write_text(toml(recipe_fields(recipe)))
    done = torchrun(tmp_path, 2, "train", "mine.toml", "--data", speech, "--out", "parts", "--resume")
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "parts", tmp_path / "alone")


WITH_CLOCKS = """
import itertools, os, sys
from pathlib import Path
from vrnn_engine.training.budget import Clock
from vrnn_engine.training.recipe import load_recipe
from vrnn_engine.training.trainer import train

ticks = itertools.count(0, 0.2 if os.environ["RANK"] == "0" else 1000)
recipe, data = sys.argv[1:]
train(load_recipe(recipe), Path(data), Path("run"), resume=True, clock=Clock(2, now=lambda: next(ticks)))
"""


@pytest.mark.slow
def test_processes_with_different_clocks_follow_that_of_rank_zero(tmp_path, speech):
    ticks = iter(range(6000))
    recipe = wide(updates=8)
    train(recipe, speech, tmp_path / "run", clock=Clock(1, now=lambda: next(ticks)))
    before = load_checkpoint(tmp_path / "run" / "last.pt").resume["done"]
    (tmp_path / "mine.toml").write_text(toml(recipe_fields(recipe)))
    (tmp_path / "clocks.py").write_text(WITH_CLOCKS)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", "clocks.py"]
    subprocess.run([*command, "mine.toml", speech], cwd=tmp_path, env=environment(), timeout=240, check=True)
    assert load_checkpoint(tmp_path / "run" / "last.pt").resume["done"] > before


@pytest.mark.parametrize("count", [3, 9])
def test_accumulated_parts_train_the_same_as_a_whole_batch(tmp_path, speech, count):
    """Four rows give at most four parts."""
    bounds = {}
    for name, changes in (("whole", {}), ("parts", {"accumulate": count})):
        bounds[name] = []
        train(
            wide(updates=10, **changes),
            speech,
            tmp_path / name,
            report=lambda p, to=bounds[name]: to.append((p.bound, p.kl)),
        )
    assert_same(tmp_path / "whole", tmp_path / "parts")
    assert np.allclose(bounds["whole"], bounds["parts"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2])
def test_state_is_carried_over_chunks_and_then_zeroed(tmp_path, speech, monkeypatch, count):
    calls = []
    unroll = RecurrentModel.unroll

    def watched(model, frames, noise, state, shown=None):
        found = unroll(model, frames, noise, state, shown)
        calls.append((state, found.state))
        return found

    monkeypatch.setattr(RecurrentModel, "unroll", watched)
    monkeypatch.setattr(training_run, "validate", lambda *given: Bound(0.0, 0.0, 1, 1))
    train(speech_recipe(updates=4, accumulate=count), speech, tmp_path / "run")
    updates = [calls[i : i + count] for i in range(0, 4 * count, count)]
    for number, parts in enumerate(updates):
        for part, (given, _) in enumerate(parts):
            if number % 2 == 0:  # carry = 2
                assert given is None
            else:
                before = updates[number - 1][part][1]
                assert all(torch.equal(one, other) for one, other in zip(given, before, strict=True))
                assert given.h.any()


def test_each_row_belongs_to_one_process_and_has_the_same_noise_in_any():
    for count in (1, 2, 7, 32):
        for size in (1, 2, 3, 5):
            rows = [list(range(count))[World(rank, size, CPU).rows(count)] for rank in range(size)]
            assert list(chain(*rows)) == list(range(count))
            parts = [list(range(count))[part] for part in split_rows(count, size)]
            assert list(chain(*parts)) == list(range(count))
            assert all(parts)
    batch = Batch(np.zeros((5, 6, 20), np.float32), np.ones((5, 6), np.float32), True)
    whole = draw_noise(tiny_models.model("mdct-gauss"), 3, batch, resampling=True)
    other = draw_noise(tiny_models.model("mdct-gauss"), 4, batch, resampling=True)
    half = whole.rows(slice(3, 6), CPU)
    assert torch.equal(half.latent, whole.latent[:, 3:])
    assert torch.equal(half.choice, whole.choice[:, 3:])
    assert not torch.equal(other.latent, whole.latent)


@pytest.mark.parametrize("kind", ["source-gauss", "mdct-rnn-gauss", "samples-gmm", "pen-gmm"])
def test_likelihoods_stay_in_single_precision_under_bfloat16(kind):
    model = tiny_models.model(kind)
    torch.manual_seed(0)
    frames, noise = torch.randn(8, 3, model.config.frame_size), torch.randn(8, 3, model.config.latent_size)
    if kind.startswith("pen"):
        frames[..., 2] = (frames[..., 2] > 0).float()
    with torch.no_grad():
        exact = model.unroll(frames, noise)
        with torch.autocast("cpu", torch.bfloat16):
            half = model.unroll(frames, noise)
    for value in (half.log_likelihood, half.kl, half.posterior.mean, half.prior.std, *half.state):
        assert value.dtype == torch.float32
    assert not torch.equal(half.log_likelihood, exact.log_likelihood)
    assert torch.allclose(half.log_likelihood, exact.log_likelihood, rtol=0.1, atol=2.0)
    assert isinstance(half.state, State)


def test_recipe_in_bfloat16_trains(tmp_path, speech):
    seen = {}
    for precision in ("fp32", "bf16"):
        seen[precision] = []
        recipe = wide(updates=20, precision=precision)
        train(recipe, speech, tmp_path / precision, report=lambda p, to=seen[precision]: to.append(p.bound))
    assert seen["bf16"] != seen["fp32"]
    assert np.allclose(seen["bf16"], seen["fp32"], atol=0.3)
