"""How likely a model finds a corpus: the ELBO, its KL, and the importance-weighted bound.

Burda et al. 2016: with K latent paths z_k ~ q(z | x), log 1/K sum_k p(x, z_k) / q(z_k | x) is, in expectation,
a lower bound of log p(x) that more paths make no looser; with one path it is the ELBO.

A sequence is a chunk of speech (0.5 s in the paper), given the state that one path carried into it from the
chunks before, or a whole line of ink.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn_engine.data.batches import Corpus
from vrnn_engine.models.normal import log_density
from vrnn_engine.models.recurrent import RecurrentModel, State

ROWS = 640
"""Paths walked side by side, at most: more take more memory and are not faster."""

NORMAL_95 = 1.96
"""Standard errors to either side of a mean that make its 95 % confidence interval."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean with its uncertainty."""

    mean: float
    interval: float
    """Half the width of the 95 % confidence interval, taking the sequences as independent."""


@dataclass(frozen=True)
class Likelihood:
    """What a model makes of a split: of each sequence [N] its bounds, in nats of the normalised signal."""

    elbos: Values
    kls: Values
    importance_weighted_bounds: Values
    lengths: Values
    """Frames of each sequence."""
    samples: int
    """K of the importance-weighted bound.  1 for a model without latents: all three are then exact."""
    values: int
    """Continuous values in a frame: samples of sound, or dx and dy."""
    log_jacobian: float
    """log |d normalised / d world| of a frame."""

    @property
    def sequences(self) -> int:
        return len(self.lengths)

    @property
    def frames(self) -> int:
        return int(self.lengths.sum())

    @property
    def elbo(self) -> Estimate:
        """Of a sequence; so are the next two."""
        return _per(np.ones(self.sequences), self.elbos)

    @property
    def kl(self) -> Estimate:
        return _per(np.ones(self.sequences), self.kls)

    @property
    def importance_weighted(self) -> Estimate:
        return _per(np.ones(self.sequences), self.importance_weighted_bounds)

    def table(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return every bound, in normalised and in world units, per sequence, frame and value."""
        jacobians = self.log_jacobian * self.lengths
        bounds = {
            "elbo": self.elbos,
            "importance_weighted": self.importance_weighted_bounds,
            "kl": self.kls,
            "elbo_world": self.elbos + jacobians,
            "importance_weighted_world": self.importance_weighted_bounds + jacobians,
        }
        counts = {
            "per_sequence": np.ones(self.sequences),
            "per_frame": self.lengths,
            "per_sample": self.lengths * self.values,
        }
        return {
            name: {unit: asdict(_per(count, bound)) for unit, count in counts.items()} for name, bound in bounds.items()
        }


def likelihood(
    model: RecurrentModel,
    corpus: Corpus,
    split: str = "test",
    samples: int = 40,
    seed: int = 0,
    report: Callable[[int], None] = lambda sequences: None,
) -> Likelihood:
    """Measure a model on a split.

    Parameters
    ----------
    model : RecurrentModel
        In evaluation mode, on the device to measure it on; the noise is the same on all.
    corpus : Corpus
        In the normalisation that the model was trained in.
    split : str
        `train`, `valid` or `test`.
    samples : int
        K, paths of the importance-weighted bound; the ELBO and the KL are averaged over them.
    seed : int
        Of the paths' noise.
    report : callable
        Called now and then with the number of sequences done.
    """
    paths = samples if model.config.latent_size else 1
    noise = torch.Generator().manual_seed(seed)
    found: list[_Paths] = []
    done = 0
    with torch.no_grad():
        for sequences in _sequences(model, corpus, split, paths, noise):
            found.append(sequences)
            done += len(sequences.kl)
            report(done)
    elbo, kl, weights, lengths = (
        torch.cat([getattr(part, name) for part in found]).numpy() for name in ("elbo", "kl", "log_weight", "lengths")
    )
    pen = model.config.modality == "pen"
    values = 2 if pen else model.config.frame_size
    return Likelihood(
        elbos=elbo.mean(1),
        kls=kl.mean(1),
        importance_weighted_bounds=np.logaddexp.reduce(weights, axis=1) - math.log(paths),
        lengths=lengths,
        samples=paths,
        values=values,
        log_jacobian=-sum(math.log(std) for std in corpus.std) * values / len(corpus.std),
    )


@dataclass
class _Paths:
    """Sums over the frames of B sequences, along K paths each: [B, K], float64; and how many frames they are [B]."""

    elbo: Tensor
    kl: Tensor
    log_weight: Tensor
    """log p(x, z) - log q(z | x) of the path."""
    lengths: Tensor

    def add(self, other: "_Paths") -> None:
        self.elbo += other.elbo
        self.kl += other.kl
        self.log_weight += other.log_weight
        self.lengths += other.lengths


def _sequences(
    model: RecurrentModel, corpus: Corpus, split: str, paths: int, noise: torch.Generator
) -> Iterator[_Paths]:
    """Walk a split and yield its sequences as they end."""
    whole_lines, device = model.config.modality == "pen", next(model.parameters()).device
    state: State | None = None
    open_lines: _Paths | None = None
    for batch in corpus.epoch(split, None):
        signal, mask = (torch.from_numpy(part).to(device) for part in (batch.signal, batch.mask))
        walked, state = _walk(model, model.basis.frames(signal), mask, paths, None if batch.fresh else state, noise)
        if not whole_lines:
            yield walked
            # The next chunk is a sequence of its own: all its paths start where one of these ended.
            state = State(*(part[::paths].repeat_interleave(paths, 0) for part in state))
        elif batch.fresh or open_lines is None:
            if open_lines is not None:
                yield open_lines
            open_lines = walked
        else:
            open_lines.add(walked)
    if open_lines is not None:
        yield open_lines


def _walk(
    model: RecurrentModel, frames: Tensor, mask: Tensor, paths: int, state: State | None, noise: torch.Generator
) -> tuple[_Paths, State]:
    """Walk K paths a row over frames [T, B, F]; the rows of a state are those of row 0, of row 1 and so on."""
    rows, at_once = frames.shape[1], max(1, ROWS // paths)
    state = state or model.initial_state(rows * paths)
    sums, states = [], []
    for first in range(0, rows, at_once):
        some = slice(first, min(first + at_once, rows))
        repeated = frames[:, some].repeat_interleave(paths, 1)
        counts = mask[:, some].repeat_interleave(paths, 1).double()
        epsilon = torch.randn(*counts.shape, model.config.latent_size, generator=noise).to(frames.device)
        old = State(*(part[some.start * paths : some.stop * paths] for part in state))
        unroll = model.unroll(repeated, epsilon, old)
        ratio = log_density(unroll.prior, unroll.latent) - log_density(unroll.posterior, unroll.latent)
        terms = (unroll.log_likelihood - unroll.kl, unroll.kl, unroll.log_likelihood + ratio)
        sums.append([(term * counts).sum(0).unflatten(0, (-1, paths)) for term in terms])
        states.append(unroll.state)
    elbo, kl, log_weight = (torch.cat(parts).cpu() for parts in zip(*sums, strict=True))
    joined = State(*(torch.cat(parts) for parts in zip(*states, strict=True)))
    return _Paths(elbo, kl, log_weight, mask.double().sum(0).cpu()), joined


def _per(counts: Values, sums: Values) -> Estimate:
    """Estimate a sequence's sum over its count, from independent sequences [N] of both.

    A ratio of two means, with its large-sample standard error (Cochran 1977, section 2.11): long sequences weigh more,
    and a total that merely grows with the length is no uncertainty.  With counts of one it is the mean and its own.
    """
    number = len(sums)
    ratio = sums.sum() / counts.sum()
    residuals = sums - ratio * counts
    spread = math.sqrt(np.square(residuals).sum() / (number - 1)) if number > 1 else math.nan
    return Estimate(float(ratio), float(NORMAL_95 * spread / (math.sqrt(number) * counts.mean())))
