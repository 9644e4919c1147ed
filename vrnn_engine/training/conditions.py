"""What an unroll needs besides frames, noise and state: texts, changed recordings, noise on a pen, and dropout."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn_engine.data.batches import Batch
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.training.recipe import Schedule

SEED_OFFSET = 1 << 40
"""Added to the seed of an update, so that these random numbers are independent of those of the latent."""


def unroll_conditions(
    text: NDArray[np.int64] | None, mask: Tensor, dropout: Tensor | None = None, heard: Tensor | None = None
) -> dict[str, Tensor | None]:
    """Return the keyword arguments that only some unrolls need: those of a text, or those of a changed recording.

    Parameters
    ----------
    text : int array or None
        Indices of characters, [B, U].
    mask : Tensor
        [T, B], 1 where a frame counts.
    dropout : Tensor, optional
        Factors of the units, [B, H]; only with a text.
    heard : Tensor, optional
        Frames of the changed recording, [T, B, F]; only without a text.
    """
    if text is None:
        return {} if heard is None else {"heard": heard}
    if heard is not None:
        raise ValueError("a model that reads a text hears no changed recording")
    return {"text": torch.from_numpy(text).to(mask.device), "mask": mask, "dropout": dropout}


class Variation(NamedTuple):
    """Random numbers of one update that vary the input and the units; None for those that a recipe does not use."""

    moves: Tensor | None
    """Noise on the moves of the pen, [T, B, 2]."""
    dropout: Tensor | None
    """Factors of the units, [B, H]: 0, or 1 / (1 - dropout)."""

    def noisy(self, frames: Tensor, rows: slice) -> Tensor | None:
        """Return frames with noise on their moves; None if the recipe has no noise.

        Parameters
        ----------
        frames : Tensor
            Frames of some rows, [T, b, 3].
        rows : slice
            These rows of the whole batch.
        """
        if self.moves is None:
            return None
        moves = self.moves[:, rows].to(frames.device)
        return torch.cat([frames[..., :2] + moves, frames[..., 2:]], dim=-1)

    def dropout_of(self, rows: slice, device: torch.device) -> Tensor | None:
        """Return the factors of the units of some rows of the whole batch, on a device."""
        return None if self.dropout is None else self.dropout[rows].to(device)


def draw_variation(config: ModelConfig, schedule: Schedule, batch: Batch, seed: int) -> Variation:
    """Draw the noise on the input and the dropout of one update.

    Numbers are drawn for the whole batch, so that those of a row do not depend on the process that computes the row.

    Parameters
    ----------
    config : ModelConfig
        Gives the number of units.
    schedule : Schedule
        Gives `input_noise` and `dropout`.
    batch : Batch
        Gives the numbers of frames and rows.
    seed : int
        Seed of the update.
    """
    generator = torch.Generator().manual_seed((seed + SEED_OFFSET) % (1 << 63))
    frames, rows = batch.mask.shape
    moves = dropout = None
    if schedule.input_noise:
        moves = schedule.input_noise * torch.randn(frames, rows, 2, generator=generator)
    if schedule.dropout:
        kept = torch.rand(rows, config.recurrent_size, generator=generator) >= schedule.dropout
        dropout = kept / (1 - schedule.dropout)
    return Variation(moves, dropout)
