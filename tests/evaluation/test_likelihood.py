"""Bounds of a linear-Gaussian model, compared with its likelihood from a Kalman filter."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import stats
from support import tiny_models
from support.corpora import make_ink
from support.recipes import pen_recipe
from torch import nn

from vrnn_engine.data.batches import Batch, line_chunks
from vrnn_engine.evaluation.likelihood import likelihood
from vrnn_engine.models import ModelConfig, RecurrentModel
from vrnn_engine.models.normal import Normal, log_density
from vrnn_engine.models.recurrent import FrameFeatures, State
from vrnn_engine.training.trainer import train

STEPS, SIZE = 12, 4
C, Q, R = np.array([1.0, 0.7, -1.3, 0.4]), 0.8, 0.5


class LinearGaussian(RecurrentModel):
    """z ~ N(A z_before, Q^2), x ~ N(C z, R^2); the encoder reads the last z and x, but no later ones."""

    carries_latent = True

    def __init__(self, transition):
        super().__init__(
            ModelConfig(
                family="linear",
                basis="samples",
                frame_size=SIZE,
                latent_size=SIZE,
                recurrent_size=1,
                phi_x=(1,),
                decoder=(1,),
            )
        )
        self.transition = torch.tensor(transition, dtype=torch.float32)
        self.phi_z = nn.Identity()
        self.prior = lambda z: Normal(z @ self.transition.T, torch.full_like(z, Q))
        self.encoder = self.infer_z
        self.decoder = Emission()

    def infer_z(self, x, z):
        c = torch.tensor(C, dtype=torch.float32)
        variance = 1 / (1 / Q**2 + c**2 / R**2)
        return Normal(variance * (z @ self.transition.T / Q**2 + c * x / R**2), variance.sqrt().expand_as(x))

    def initial_state(self, rows):
        return State(*(torch.zeros(rows, width) for width in (1, 1, 0, 0, SIZE)))

    def condition(self, state):
        return state.latent

    def features(self, frame, past):
        return FrameFeatures(frame, frame, frame, frame[..., :0])

    def advance(self, features, latent, z_features, state):
        return state._replace(latent=latent)


class Emission(nn.Module):
    @property
    def output(self):
        return self

    def forward(self, z, h, past):
        c = torch.tensor(C, dtype=torch.float32)
        return Normal(c * z, torch.full_like(z, R))

    def log_prob(self, parameters, x):
        return log_density(parameters, x)


class Given:
    """A corpus that yields given batches."""

    def __init__(self, batches, std=(1.0,)):
        self.batches, self.mean, self.std = batches, (0.0,) * len(std), std

    def epoch(self, split, rng):
        return iter(self.batches)


def drawn(transition, rows, rng):
    """Sample sequences [STEPS, rows, SIZE] from the model."""
    z, frames = np.zeros((rows, SIZE)), []
    for _ in range(STEPS):
        z = z @ transition.T + Q * rng.standard_normal(z.shape)
        frames.append(C * z + R * rng.standard_normal(z.shape))
    return np.stack(frames).astype(np.float32)


def kalman(transition, frames):
    """Return log p of one sequence [STEPS, SIZE]."""
    mean, covariance, total = np.zeros(SIZE), np.zeros((SIZE, SIZE)), 0.0
    emission = np.diag(C)
    for x in frames.astype(np.float64):
        mean, covariance = transition @ mean, transition @ covariance @ transition.T + Q**2 * np.eye(SIZE)
        of_x = emission @ covariance @ emission.T + R**2 * np.eye(SIZE)
        total += stats.multivariate_normal(emission @ mean, of_x).logpdf(x)
        gain = covariance @ emission.T @ np.linalg.inv(of_x)
        mean = mean + gain @ (x - emission @ mean)
        covariance = covariance - gain @ emission @ covariance
    return total


def sequences(transition, rows=200, batches=3):
    """Return batches [STEPS, rows, SIZE], the same in each call."""
    rng = np.random.default_rng(0)
    return [drawn(transition, rows, rng) for _ in range(batches)]


def exact_likelihood(transition, frames):
    return np.mean([kalman(transition, part[:, row]) for part in frames for row in range(part.shape[1])])


def measure(transition, frames, samples):
    corpus = Given([Batch(part, np.ones(part.shape[:2], np.float32), True) for part in frames])
    return likelihood(LinearGaussian(transition), corpus, samples=samples)


MIXING = np.array([[0.8, -0.5, 0.2, 0.0], [0.5, 0.7, -0.3, 0.1], [0.1, 0.3, 0.8, 0.0], [0.4, 0.0, 0.1, 0.6]])


def test_bounds_rise_with_more_paths_towards_the_likelihood():
    frames = sequences(MIXING)
    found = {k: measure(MIXING, frames, k) for k in (1, 5, 40, 640)}
    exact = exact_likelihood(MIXING, frames)
    bounds = {k: one.importance_weighted.mean for k, one in found.items()}
    assert found[40].elbo.mean + 2 < bounds[5]
    assert bounds[5] + 0.8 < bounds[40]
    assert bounds[40] + 0.3 < bounds[640] < exact
    assert bounds[640] == pytest.approx(exact, abs=0.2)
    # One path is the ELBO, with log q / p drawn instead of integrated.
    assert bounds[1] == pytest.approx(found[40].elbo.mean, abs=0.5)
    assert found[40].elbo.mean == pytest.approx(found[1].elbo.mean, abs=0.1)


def test_exact_encoder_makes_every_bound_the_likelihood():
    still = np.zeros((SIZE, SIZE))
    frames = sequences(still)
    found, exact = measure(still, frames, 7), exact_likelihood(still, frames)
    assert found.importance_weighted.mean == pytest.approx(exact, rel=1e-5)
    assert found.elbo.mean == pytest.approx(exact, abs=0.15)  # its KL is integrated, its likelihood drawn
    assert found.kl.mean > 1


def test_confidence_interval_is_that_of_the_mean():
    still = np.zeros((SIZE, SIZE))
    frames = sequences(still)
    found = measure(still, frames, 2)
    exact = [kalman(still, frames[0][:, row]) for row in range(200)]
    assert found.importance_weighted.interval == pytest.approx(1.96 * np.std(exact) / math.sqrt(600), rel=0.15)
    assert found.sequences == 600
    assert found.frames == 600 * STEPS


def test_bounds_do_not_depend_on_how_many_paths_are_computed_at_once(monkeypatch):
    from vrnn_engine.evaluation import likelihood as module

    frames = sequences(MIXING, rows=12, batches=1)
    whole = measure(MIXING, frames, 40)
    monkeypatch.setattr(module, "ROWS", 100)
    parts = measure(MIXING, frames, 40)
    assert parts.sequences == whole.sequences == 12
    assert parts.importance_weighted.mean == pytest.approx(whole.importance_weighted.mean, abs=0.5)


def test_chunk_of_speech_is_a_sequence_given_the_chunks_before():
    """Without latents the likelihood is exact, and equal to that of the unroll."""
    model = tiny_models.model("samples-rnn-gmm")
    frames = torch.randn(30, 4, 20)
    batches = [Batch(frames[t : t + 10].numpy(), np.ones((10, 4), np.float32), t == 0) for t in (0, 10, 20)]
    found = likelihood(model, Given(batches, (0.3,)), samples=9)
    with torch.no_grad():
        expected = model.unroll(frames, torch.zeros(30, 4, 0)).log_likelihood
    assert found.samples == 1
    assert found.sequences == 12
    assert found.elbo.mean == pytest.approx(expected.sum().item() / 12, rel=1e-5)
    assert found.importance_weighted.mean == pytest.approx(found.elbo.mean, rel=1e-6)
    assert found.kl.mean == 0
    table = found.table()
    assert table["elbo"]["per_frame"]["mean"] == pytest.approx(expected.mean().item(), rel=1e-5)
    assert table["elbo"]["per_sample"]["mean"] == pytest.approx(expected.mean().item() / 20, rel=1e-5)
    # The density of x = 0.3 y is that of y divided by 0.3, once for each of the twenty samples of a frame.
    world = table["elbo_world"]["per_frame"]["mean"]
    assert world == pytest.approx(expected.mean().item() - 20 * math.log(0.3), rel=1e-5)


def test_all_paths_of_a_chunk_start_from_one_state():
    model, begun = LinearGaussian(MIXING), []
    unroll = model.unroll
    model.unroll = lambda frames, noise, state: begun.append(state.latent) or unroll(frames, noise, state)
    frames = drawn(MIXING, 5, np.random.default_rng(0))
    batches = [Batch(frames, np.ones((STEPS, 5), np.float32), fresh) for fresh in (True, False)]
    found = likelihood(model, Given(batches), samples=6)
    first, second = (state.reshape(5, 6, SIZE) for state in begun)
    assert not first.any()
    assert torch.equal(second, second[:, :1].expand(5, 6, SIZE))
    assert len(second[:, 0, 0].unique()) == 5
    assert found.sequences == 10


@pytest.mark.parametrize("kind", ["pen-rnn-gmm", "pen-gmm"])
def test_whole_line_of_ink_is_a_sequence(kind):
    model = tiny_models.model(kind)
    rng = np.random.default_rng(0)
    lines = [
        np.column_stack([rng.standard_normal((n, 2)), rng.random(n) > 0.8]).astype(np.float32) for n in (9, 31, 17)
    ]
    batches = list(line_chunks(lines[:2], 2, 10)) + list(line_chunks(lines[2:], 2, 10))
    found = likelihood(model, Given(batches, (2.0, 3.0)), samples=3)
    assert (found.sequences, found.frames) == (3, 57)
    jacobian = -(math.log(2) + math.log(3))
    assert found.log_jacobian == pytest.approx(jacobian)
    if kind == "pen-rnn-gmm":
        with torch.no_grad():
            alone = [model.unroll(torch.from_numpy(line)[:, None], torch.zeros(len(line), 1, 0)) for line in lines]
        assert found.elbo.mean == pytest.approx(sum(one.log_likelihood.sum().item() for one in alone) / 3, rel=1e-5)
        world = found.table()["elbo_world"]["per_sequence"]["mean"]
        assert world == pytest.approx(found.elbo.mean + jacobian * 19, rel=1e-5)
    else:
        assert found.elbo.mean < found.importance_weighted.mean + 1
        assert found.kl.mean > 0


def test_intervals_of_unequal_lines_agree_with_a_bootstrap():
    model, rng = tiny_models.model("pen-rnn-gmm"), np.random.default_rng(0)
    lengths = rng.integers(5, 80, 120)
    lines = [np.column_stack([rng.standard_normal((n, 2)), rng.random(n) > 0.8]).astype(np.float32) for n in lengths]
    std = (2.0, 3.0)
    with torch.no_grad():
        unrolled = [model.unroll(torch.from_numpy(line)[:, None], torch.zeros(len(line), 1, 0)) for line in lines]
    bounds = np.array([one.log_likelihood.double().sum().item() for one in unrolled])
    found = likelihood(model, Given(list(line_chunks(lines, 16, 50)), std)).table()
    world = bounds - math.log(6) * lengths
    again = rng.integers(0, 120, (20_000, 120))  # of the lines, with replacement
    for name, sums in (("elbo", bounds), ("elbo_world", world)):
        for per, counts in (("sequence", np.ones(120)), ("frame", lengths), ("sample", 2 * lengths)):
            estimate = found[name][f"per_{per}"]
            assert estimate["mean"] == pytest.approx(sums.sum() / counts.sum(), rel=1e-5)
            drawn = sums[again].sum(1) / counts[again].sum(1)
            assert estimate["interval"] == pytest.approx(1.96 * drawn.std(), rel=0.05), (name, per)


def test_command_line_measures_a_checkpoint(tmp_path):
    ink = make_ink(tmp_path / "ink.npz")
    best = train(pen_recipe(updates=8), ink, tmp_path / "run")
    command = [sys.executable, "-m", "vrnn_engine", "evaluate", "run/best.pt", "--data", "ink.npz", "--samples", "4"]
    asked = subprocess.run([*command, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = json.loads(asked.stdout)
    assert (found["split"], found["samples"], found["recipe"]) == ("test", 4, "tiny-pen")
    nats = found["nats"]
    assert nats["elbo"]["per_sequence"]["mean"] == pytest.approx(best.metrics["test_elbo_per_sequence"], rel=0.05)
    assert nats["elbo"]["per_sequence"]["mean"] < nats["importance_weighted"]["per_sequence"]["mean"]
    plain = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"{nats['elbo']['per_frame']['mean']:,.2f}" in plain.stdout
    assert "importance-weighted, K = 4" in plain.stdout
    lost = subprocess.run([*command[:4], "none.pt", "--data", "ink.npz"], cwd=tmp_path, capture_output=True, text=True)
    assert lost.returncode == 1
    assert lost.stderr.count("\n") == 1
