"""Bounds on the log-likelihood of a corpus under a model: the ELBO, its KL, and the importance-weighted bound.

The importance-weighted bound with K samples z_k ~ q(z | x) is log 1/K sum_k p(x, z_k) / q(z_k | x).  Its expectation is
a lower bound of log p(x) that does not get looser with larger K; for K = 1 it is the ELBO (Burda et al. 2016).

A sequence is a whole line of ink, or a chunk of speech (0.5 s in the paper) given the state after the chunks before it;
that state is computed with one sample of their latents.  A path is one sample of all latents of a sequence.  The bounds
of a model that reads a text are given the text of each line.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn_engine.data.batches import Corpus
from vrnn_engine.models.normal import Normal, log_density
from vrnn_engine.models.recurrent import RecurrentModel, State, Unroll
from vrnn_engine.models.text.state import TextUnroll

ROWS = 640
"""Largest number of paths computed at once; more need more memory and are not faster."""

NORMAL_95 = 1.96
"""Half the width of a 95 % confidence interval, in standard errors."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean with its uncertainty, in nats."""

    mean: float
    interval: float
    """Half the width of the 95 % confidence interval, under the assumption that sequences are independent."""


@dataclass(frozen=True)
class Likelihood:
    """Bounds on the log-likelihood of each sequence of a split, in nats of the normalised signal."""

    elbos: Values
    """[N] ELBO of each sequence, mean over the paths."""
    kls: Values
    """[N] KL of each sequence, mean over the paths."""
    importance_weighted_bounds: Values
    """[N] Importance-weighted bound of each sequence."""
    lengths: Values
    """[N] Number of frames of each sequence."""
    samples: int
    """Number of paths, K; 1 for a model without latents, whose likelihood is exact."""
    values: int
    """Number of continuous values in a frame: its number of samples, or 2 for the dx and dy of ink."""
    log_jacobian: float
    """log |d normalised / d world| per frame, in nats.  Add it to a bound to convert that to world units: full scale,
    mm or tablet units."""

    @property
    def sequences(self) -> int:
        """Number of sequences."""
        return len(self.lengths)

    @property
    def frames(self) -> int:
        """Number of frames of all sequences."""
        return int(self.lengths.sum())

    @property
    def elbo(self) -> Estimate:
        """ELBO per sequence."""
        return _per(np.ones(self.sequences), self.elbos)

    @property
    def kl(self) -> Estimate:
        """KL per sequence; the ELBO contains it with a minus sign."""
        return _per(np.ones(self.sequences), self.kls)

    @property
    def importance_weighted(self) -> Estimate:
        """Importance-weighted bound per sequence."""
        return _per(np.ones(self.sequences), self.importance_weighted_bounds)

    def table(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return all bounds in nats.

        Returns
        -------
        dict
            By bound (`elbo`, `kl`, `importance_weighted`, and `..._world` in world units), then by `per_sequence`,
            `per_frame` or `per_sample`, then `mean` and `interval` as in `Estimate`.
        """
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
    """Compute the bounds of a split.

    Parameters
    ----------
    model : RecurrentModel
        A model in evaluation mode; it runs on the device of its weights.  The noise does not depend on the device.
    corpus : Corpus
        A corpus, normalised as the training data of the model; see
        `vrnn_engine.training.corpus.open_checkpoint_corpus`.
    split : str
        `train`, `valid` or `test`.
    samples : int
        K, the number of paths per sequence; the ELBO and the KL are averaged over the paths.
    seed : int
        Seed of the noise from which the paths are sampled.
    report : callable
        Called after each batch with the number of sequences done.

    Returns
    -------
    Likelihood
        Per sequence; its properties and `table` give means with confidence intervals.
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
        torch.cat(parts).numpy()
        for parts in zip(*((p.elbo, p.kl, p.log_weight, p.lengths) for p in found), strict=True)
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
    """Sums over the frames of B sequences along K paths each, [B, K] float64, and the numbers of frames [B]."""

    elbo: Tensor
    kl: Tensor
    log_weight: Tensor
    """log p(x, z) - log q(z | x) of the path."""
    lengths: Tensor

    def add(self, other: "_Paths") -> None:
        """Add the sums of the next frames of the same sequences."""
        self.elbo += other.elbo
        self.kl += other.kl
        self.log_weight += other.log_weight
        self.lengths += other.lengths


def _sequences(
    model: RecurrentModel, corpus: Corpus, split: str, paths: int, noise: torch.Generator
) -> Iterator[_Paths]:
    """Yield the sums of the sequences of a split, as they end."""
    whole_lines, device = model.config.modality == "pen", next(model.parameters()).device
    state: State | None = None
    open_lines: _Paths | None = None
    for batch in corpus.epoch(split, None):
        signal, mask = (torch.from_numpy(part).to(device) for part in (batch.signal, batch.mask))
        sums, state = _unroll_paths(
            model, model.basis.frames(signal), mask, batch.text, paths, None if batch.fresh else state, noise
        )
        if not whole_lines:
            yield sums
            # The next chunk is a new sequence: all its paths start from the final state of the first path.
            state = type(state)(*(part[::paths].repeat_interleave(paths, 0) for part in state))
        elif batch.fresh or open_lines is None:
            if open_lines is not None:
                yield open_lines
            open_lines = sums
        else:
            open_lines.add(sums)
    if open_lines is not None:
        yield open_lines


def _unroll_paths(
    model: RecurrentModel,
    frames: Tensor,
    mask: Tensor,
    text: NDArray[np.int64] | None,
    paths: int,
    state: State | None,
    noise: torch.Generator,
) -> tuple[_Paths, State]:
    """Unroll K paths per row over frames [T, B, F]; a state has the K paths of row 0 first, then those of row 1."""
    rows, at_once = frames.shape[1], max(1, ROWS // paths)
    state = state or model.initial_state(rows * paths)
    sums, states = [], []
    for first in range(0, rows, at_once):
        some = slice(first, min(first + at_once, rows))
        repeated = frames[:, some].repeat_interleave(paths, 1)
        counts = mask[:, some].repeat_interleave(paths, 1).double()
        epsilon = torch.randn(*counts.shape, model.config.latent_size, generator=noise).to(frames.device)
        old = type(state)(*(part[some.start * paths : some.stop * paths] for part in state))
        given = {}
        if text is not None:
            characters = torch.from_numpy(text[some]).to(frames.device).repeat_interleave(paths, 0)
            given = {"text": characters, "mask": counts.to(frames.dtype)}
        unroll = model.unroll(repeated, epsilon, old, **given)
        terms = (unroll.log_likelihood - unroll.kl, unroll.kl, unroll.log_likelihood + _log_ratio(unroll))
        sums.append([(term * counts).sum(0).unflatten(0, (-1, paths)) for term in terms])
        states.append(unroll.state)
    elbo, kl, log_weight = (torch.cat(parts).cpu() for parts in zip(*sums, strict=True))
    joined = type(states[0])(*(torch.cat(parts) for parts in zip(*states, strict=True)))
    return _Paths(elbo, kl, log_weight, mask.double().sum(0).cpu()), joined


def _log_ratio(unroll: Unroll | TextUnroll) -> Tensor:
    """Return log p(z) - log q(z | x) of the sampled latents of each frame, [T, B]."""
    if not isinstance(unroll, TextUnroll):
        return log_density(unroll.prior, unroll.latent) - log_density(unroll.posterior, unroll.latent)
    standard = Normal(torch.zeros_like(unroll.latent), torch.ones_like(unroll.latent))
    ratio = torch.zeros_like(unroll.kl)  # the one latent of a line counts at its first frame, as its KL does
    ratio[0] = log_density(standard, unroll.latent) - log_density(unroll.posterior, unroll.latent)
    return ratio


def _per(counts: Values, sums: Values) -> Estimate:
    """Estimate the ratio of the mean sum to the mean count, from independent sequences [N].

    The interval uses the large-sample standard error of a ratio (Cochran 1977, section 2.11): if the sums are
    proportional to the counts, the interval is 0; if all counts are one, it is that of a mean.
    """
    number = len(sums)
    ratio = sums.sum() / counts.sum()
    residuals = sums - ratio * counts
    spread = math.sqrt(np.square(residuals).sum() / (number - 1)) if number > 1 else math.nan
    return Estimate(float(ratio), float(NORMAL_95 * spread / (math.sqrt(number) * counts.mean())))
