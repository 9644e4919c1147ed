"""The gradient of the negative ELBO on one batch, computed in parts and across processes."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vrnn_engine.data.batches import Batch
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.recurrent import RecurrentModel, State, Unroll
from vrnn_engine.training.conditions import draw_variation, unroll_conditions
from vrnn_engine.training.recipe import Schedule
from vrnn_engine.training.schedule import kl_weight
from vrnn_engine.training.world import World


class BatchTerms(NamedTuple):
    """The loss of one batch and its terms, in nats per frame, and the state after it."""

    loss: float
    """KL times its weight, minus the log-likelihood."""
    log_likelihood: float
    kl: float
    state: State
    """State of this process's rows after the last frame; detached."""


class NoiseDraws(NamedTuple):
    """All random numbers of one update."""

    latent: Tensor
    """Standard normal, [T, B, Z]."""
    output: Tensor
    """Standard normal, [T, B, F].  In this field and the next two, B is 0 if no frames are resampled."""
    mixture: Tensor
    """Standard normal, [T, B, K]."""
    choice: Tensor
    """Uniform in [0, 1), [1, B, 1]: decides which sequences are resampled."""

    def rows(self, rows: slice, device: torch.device) -> "NoiseDraws":
        """Return the numbers of some rows of the batch, on a device.

        Parameters
        ----------
        rows : slice
            Rows of the whole batch.
        device : torch.device
            The device to copy them to.
        """
        return NoiseDraws(*(part[:, rows].to(device) for part in self))


class ElboGradient:
    """Computes the gradient of the negative ELBO per frame.

    Parameters
    ----------
    model : RecurrentModel
        Its parameters receive the gradient.
    schedule : Schedule
        The recipe's `training` table.
    world : World
        The processes that share each batch.
    """

    def __init__(self, model: RecurrentModel, schedule: Schedule, world: World):
        self.model, self.schedule, self.world = model, schedule, world
        self.objective = world.wrap(_Objective(model))

    def backward(self, batch: Batch, state: State | None, done: int, seed: int) -> BatchTerms:
        """Add the gradient of one batch to the parameters' `grad`.

        Parameters
        ----------
        batch : Batch
            All rows; each process takes its share.
        state : State or None
            State of this process's rows before the first frame; None for zeros.
        done : int
            Number of updates already made; it determines the weight of the KL and whether frames are resampled.
        seed : int
            Seed of the random numbers of this update.
        """
        schedule, model, world = self.schedule, self.model, self.world
        count, mine = float(batch.mask.sum()), world.rows(batch.mask.shape[1])
        signal, mask = (torch.from_numpy(part[:, mine]).to(world.device) for part in (batch.signal, batch.mask))
        frames = model.basis.frames(signal)
        heard = None
        if batch.heard is not None:
            heard = model.basis.frames(torch.from_numpy(batch.heard[:, mine]).to(world.device))
        resampling = schedule.resample > 0 and done >= schedule.resample_from
        draws = draw_noise(model, seed, batch, resampling)
        variation = draw_variation(model.config, schedule, batch, seed)
        weight = kl_weight(schedule, done)
        sums, states = [], []
        parts = split_rows(mask.shape[1], schedule.accumulate)
        for part in parts:
            rows = slice(mine.start + part.start, mine.start + part.stop)
            drawn = draws.rows(rows, world.device)
            old = None if state is None else type(state)(*(value[part] for value in state))
            text, dropout = None if batch.text is None else batch.text[rows], variation.dropout_of(rows, world.device)
            changed = None if heard is None else heard[:, part]
            given = unroll_conditions(text, mask[:, part], dropout, changed)
            with world.sync_gradients(self.objective, last=part == parts[-1]), self._autocast():
                shown = variation.noisy(frames[:, part], rows)
                if resampling:
                    shown = _resampled(model, frames[:, part], drawn, old, schedule.resample, changed)
                unroll = self.objective(frames[:, part], drawn.latent, old, shown, **given)
                terms = [(value * mask[:, part]).sum() / count for value in (unroll.log_likelihood, unroll.kl)]
                # DistributedDataParallel averages gradients over the processes, but their sum is needed here: `count`
                # is the number of frames of all processes.  So each loss is multiplied by the number of processes.
                cost = (_beyond_free(unroll.kl, schedule.free_nats) * mask[:, part]).sum() / count
                (world.size * (weight * cost - terms[0])).backward()
            sums.append([term.item() for term in terms])
            states.append(unroll.state)
        log_likelihood, kl = world.sum(*(sum(terms) for terms in zip(*sums, strict=True)))
        after = type(states[0])(*(torch.cat(part).detach() for part in zip(*states, strict=True)))
        return BatchTerms(weight * kl - log_likelihood, log_likelihood, kl, after)

    def _autocast(self) -> torch.autocast:
        half = self.schedule.precision == "bf16"
        return torch.autocast(self.world.device.type, torch.bfloat16, enabled=half)


class _Objective(nn.Module):
    """`RecurrentModel.unroll` as a `forward`: DistributedDataParallel averages the gradients of no other method."""

    def __init__(self, model: RecurrentModel):
        super().__init__()
        self.model = model

    def forward(
        self, frames: Tensor, noise: Tensor, state: State | None, shown: Tensor | None, **given: Tensor | None
    ) -> Unroll:
        return self.model.unroll(frames, noise, state, shown, **given)


def draw_noise(model: RecurrentModel, seed: int, batch: Batch, resampling: bool) -> NoiseDraws:
    """Draw the random numbers of one update.

    Numbers are drawn for the whole batch, so that those of a row do not depend on the process that computes the row.

    Parameters
    ----------
    model : RecurrentModel
        Gives the sizes Z, F and K.
    seed : int
        The same seed gives the same numbers.
    batch : Batch
        Gives the number of frames T and rows B.
    resampling : bool
        Whether frames are resampled; if not, only `latent` has rows.
    """
    generator = torch.Generator().manual_seed(seed)
    frames, rows = batch.mask.shape
    used = int(resampling)
    return NoiseDraws(
        torch.randn(frames, rows, model.config.latent_size, generator=generator),
        torch.randn(frames, rows * used, model.config.frame_size, generator=generator),
        torch.randn(frames, rows * used, model.output.mixture_size, generator=generator),
        torch.rand(1, rows * used, 1, generator=generator),
    )


def split_rows(rows: int, count: int) -> list[slice]:
    """Split the rows of a batch into parts of nearly equal size.

    Parameters
    ----------
    rows : int
        Number of rows.
    count : int
        Number of parts; if there are fewer rows, each row is a part.
    """
    count = max(1, min(count, rows))
    return [slice(rows * i // count, rows * (i + 1) // count) for i in range(count)]


def _beyond_free(kl: Tensor, free: float) -> Tensor:
    """Return the part of the KL of each line, at its first frame, that exceeds `free` nats."""
    return torch.relu(kl - free) if free else kl


def _resampled(
    model: RecurrentModel,
    frames: Tensor,
    drawn: NoiseDraws,
    state: State | None,
    share: float,
    heard: Tensor | None,
) -> Tensor:
    """Return the frames [T, B, F] that the recurrence reads: samples of the model itself in a share of the sequences.

    Sequences of which the model hears a changed version are not replaced.
    """
    with torch.no_grad():
        unroll = model.unroll(frames, drawn.latent, state, heard=heard)
        samples = model.resample(unroll, OutputNoise(drawn.output, drawn.mixture))
    replaced = drawn.choice < share
    if heard is None:
        return torch.where(replaced, samples, frames)
    unchanged = (heard == frames).all(dim=2, keepdim=True).all(dim=0, keepdim=True)
    return torch.where(replaced & unchanged, samples, heard)
