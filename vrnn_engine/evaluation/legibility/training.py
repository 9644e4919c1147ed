"""Trains a recogniser with CTC on varied lines of real ink."""

import copy
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vrnn_engine.data.text.prepared import TextLine
from vrnn_engine.errors import TrainingError
from vrnn_engine.evaluation.legibility.alignment import distance
from vrnn_engine.evaluation.legibility.recogniser import Recogniser, pad, read_ink
from vrnn_engine.evaluation.legibility.recogniser_file import TrainedRecogniser, load_recogniser, save_recogniser
from vrnn_engine.evaluation.legibility.variation import Example, batches

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a recogniser is trained."""

    updates: int = 6300
    rows: int = 24
    """Lines of a batch."""
    learning_rate: float = 3e-3
    """Rises from 0 over `warmup` updates, and then falls along half a cosine to 1 percent."""
    warmup: int = 100
    clip: float = 5.0
    """Largest norm of the gradient."""
    average: float = 0.995
    """Decay of the moving average of the weights, which is the recogniser."""
    save_every: int = 250
    seed: int = 1

    def rate(self, done: int) -> float:
        """Return the learning rate of the next update."""
        falling = 0.5 * (1 + math.cos(math.pi * done / self.updates))
        return self.learning_rate * min(1.0, (done + 1) / self.warmup) * (0.01 + 0.99 * falling)


class RecogniserTraining:
    """A training run of a recogniser.

    Parameters
    ----------
    model : Recogniser
        The recogniser; its weights are changed.
    lines : sequence of TextLine
        The training lines.
    weights : array [lines]
        How often each line is drawn, relative to the others; see `variation.group_weights`.
    schedule : Schedule
        How long and how fast.
    """

    def __init__(self, model: Recogniser, lines: Sequence[TextLine], weights: NDArray[np.float64], schedule: Schedule):
        self.model, self.lines, self.weights, self.schedule = model, lines, weights, schedule
        self.index = {character: place for place, character in enumerate(model.alphabet, 1)}
        self.average = copy.deepcopy(model).eval()
        self.optimizer = torch.optim.AdamW(model.parameters(), schedule.learning_rate, weight_decay=0.01)
        self.done = 0

    def resume(self, path: Path) -> None:
        """Continue from a file that `save` wrote.

        Raises
        ------
        CheckpointError
            The file is not a recogniser.
        """
        saved = load_recogniser(path)
        self.average.load_state_dict(saved.model.state_dict())
        self.model.load_state_dict(saved.resume["weights"])
        self.optimizer.load_state_dict(saved.resume["optimizer"])
        self.done = saved.resume["done"]

    def save(self, path: Path, held_out: frozenset[str]) -> None:
        """Write the recogniser, and what the training needs to continue.

        Parameters
        ----------
        path : Path
            The file.
        held_out : frozenset of str
            Ids of the lines with which it may be tested.

        Raises
        ------
        CheckpointError
            The file cannot be written.
        """
        state = {"weights": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "done": self.done}
        save_recogniser(TrainedRecogniser(self.average, held_out, state), path)

    def run(self, path: Path, held_out: frozenset[str], valid: Sequence[TextLine]) -> Recogniser:
        """Train to the end of the schedule, and save the recogniser from time to time.

        Parameters
        ----------
        path : Path
            The file to write.
        held_out : frozenset of str
            Ids of the lines with which it may be tested.
        valid : sequence of TextLine
            Lines whose error rate is logged whenever the recogniser is saved.

        Returns
        -------
        Recogniser
            The moving average of the weights, in evaluation mode.

        Raises
        ------
        TrainingError
            The loss is not finite.
        CheckpointError
            The file cannot be written.
        """
        losses: list[float] = []
        began = time.monotonic()
        for batch in batches(self.lines, self.weights, self.schedule.rows, self.schedule.seed, self.done):
            if self.done >= self.schedule.updates:
                break
            losses.append(self.update(batch))
            if self.done % self.schedule.save_every == 0 or self.done == self.schedule.updates:
                self.save(path, held_out)
                _log.info(
                    *("%d of %d updates: loss %.3f, error rate of the valid lines %.3f, %.2f s per update", self.done),
                    *(self.schedule.updates, np.mean(losses), self._error_rate(valid)),
                    (time.monotonic() - began) / len(losses),
                )
                losses, began = [], time.monotonic()
        return self.average

    def _error_rate(self, lines: Sequence[TextLine]) -> float:
        """Return the character error rate of lines."""
        read = read_ink(self.average, [line.ink for line in lines])
        wrong = sum(distance(line.text, found.text) for line, found in zip(lines, read, strict=True))
        return wrong / max(1, sum(len(line.text) for line in lines))

    def update(self, batch: Sequence[Example]) -> float:
        """Make one update.

        Parameters
        ----------
        batch : sequence of Example
            Features and text of each line.

        Returns
        -------
        float
            The loss, in nats per character.

        Raises
        ------
        TrainingError
            The loss is not finite.
        """
        inputs, texts = zip(*batch, strict=True)
        torch.manual_seed(self.schedule.seed + self.done)  # of dropout, so that a resumed run continues alike
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.done)
        with torch.autocast("cpu", torch.bfloat16):
            scores, steps = self.model(*pad(inputs))
        loss = _loss(scores, steps, [[self.index[character] for character in text] for text in texts])
        if not math.isfinite(value := float(loss.detach())):
            raise TrainingError(
                f"update {self.done + 1} of the recogniser: the loss is {value}; use a lower learning rate"
            )
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip)
        self.optimizer.step()
        self.done += 1
        decay = min(self.schedule.average, self.done / (self.done + 10))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
        return value


def _loss(scores: Tensor, steps: Tensor, texts: Sequence[Sequence[int]]) -> Tensor:
    """Return the CTC loss in nats per character; a line with too few steps for its text counts nothing."""
    lengths = torch.tensor([len(text) for text in texts])
    targets = torch.tensor([place for text in texts for place in text])
    total = nn.functional.ctc_loss(scores, targets, steps, lengths, reduction="sum", zero_infinity=True)
    return total / lengths.sum()
