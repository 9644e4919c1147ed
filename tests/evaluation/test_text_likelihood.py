"""Bounds of a model that reads a text: one latent per line, given the text."""

import json
import math

import numpy as np
import pytest
import torch
from support import text_models
from support.command import run_command, the_error
from support.recipes import text_recipe
from torch.distributions import Normal as Gaussian

from vrnn_engine.data.text.corpus import TextCorpus
from vrnn_engine.evaluation.likelihood import likelihood
from vrnn_engine.training.checkpoint import Checkpoint, save_checkpoint
from vrnn_engine.training.validation import validate

SAMPLES = 7


@pytest.fixture(scope="module")
def ink(tmp_path_factory):
    return text_models.write_ink(tmp_path_factory.mktemp("ink") / "ink.npz")


@pytest.fixture(scope="module")
def corpus(ink):
    return TextCorpus(ink, text_models.ALPHABET, text_recipe().data)


@pytest.fixture(scope="module")
def model():
    return text_models.model().float()


def test_bounds_with_one_sample_are_those_of_training(model, corpus):
    found, expected = likelihood(model, corpus, "test", samples=1), validate(model, corpus, "test")
    assert (found.sequences, found.frames) == (expected.sequences, expected.frames)
    assert found.sequences == len(corpus.lines["test"])
    nats = found.table()
    assert nats["elbo"]["per_frame"]["mean"] == pytest.approx(expected.elbo, rel=1e-5)
    assert nats["kl"]["per_frame"]["mean"] == pytest.approx(expected.kl, rel=1e-5)


def test_importance_weighted_bound_of_each_line_is_that_of_its_definition(model, corpus):
    found = likelihood(model, corpus, "test", samples=SAMPLES)
    noise = torch.Generator().manual_seed(0)
    bounds, elbos = [], []
    with torch.no_grad():
        for batch in corpus.epoch("test", None):
            frames, mask = torch.from_numpy(batch.signal), torch.from_numpy(batch.mask)
            rows = batch.mask.shape[1]
            drawn = torch.randn(len(frames), rows * SAMPLES, model.config.latent_size, generator=noise)
            for row in range(rows):
                weights, terms = [], []
                for sample in range(SAMPLES):
                    one = model.unroll(
                        frames[:, row : row + 1],
                        drawn[:, row * SAMPLES + sample, None],
                        text=torch.from_numpy(batch.text[row : row + 1]),
                        mask=mask[:, row : row + 1],
                    )
                    ink = float((one.log_likelihood * mask[:, row : row + 1]).sum())
                    z, q = one.latent, Gaussian(one.posterior.mean, one.posterior.std)
                    weights.append(ink + float((Gaussian(0, 1).log_prob(z) - q.log_prob(z)).sum()))
                    terms.append(ink - float(torch.distributions.kl_divergence(q, Gaussian(0, 1)).sum()))
                bounds.append(np.logaddexp.reduce(weights) - math.log(SAMPLES))
                elbos.append(np.mean(terms))
    assert np.allclose(found.importance_weighted_bounds, bounds, atol=0.02)
    assert np.allclose(found.elbos, elbos, atol=0.02)
    assert found.importance_weighted.mean > found.elbo.mean


def test_bounds_depend_on_the_text(model, corpus, monkeypatch):
    with_text = likelihood(model, corpus, "test", samples=1).elbo.mean
    monkeypatch.setattr(corpus, "indices", lambda text: np.ones(len(text) + 1, np.int64))
    assert likelihood(model, corpus, "test", samples=1).elbo.mean != pytest.approx(with_text, abs=0.1)


def test_evaluate_prints_the_bounds_of_a_text_checkpoint(ink, corpus, model, tmp_path):
    recipe = text_recipe()
    save_checkpoint(Checkpoint(recipe, model.state_dict(), corpus.mean, corpus.std, {}, "", {}), tmp_path / "best.pt")
    done = run_command("evaluate", tmp_path / "best.pt", "--data", ink, "--samples", 3, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sequences"] == len(corpus.lines["test"])
    expected = likelihood(model, corpus, "test", samples=3).table()
    assert found["nats"]["elbo"]["per_sequence"]["mean"] == pytest.approx(expected["elbo"]["per_sequence"]["mean"])


def test_latents_of_a_voice_that_reads_a_text_is_one_clear_line(text_voice, tmp_path):
    (tmp_path / "line.jsonl").write_text('{"dx": 1, "dy": 0, "pen_up": 0}\n' * 9)
    done = run_command("latents", text_voice, tmp_path / "line.jsonl", "--json", cwd=tmp_path)
    assert "voice 'text' reads a text: it has one latent for a line" in the_error(done)
