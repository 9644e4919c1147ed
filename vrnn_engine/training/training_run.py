"""The state of one training run; makes updates, validates, and writes checkpoints to resume from."""

import copy
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from vrnn_engine.data.batches import Batch, Corpus
from vrnn_engine.errors import CheckpointError
from vrnn_engine.models.families import build_model
from vrnn_engine.models.recurrent import RecurrentModel, State
from vrnn_engine.training.checkpoint import BEST, LAST, Checkpoint, diverged, save_checkpoint
from vrnn_engine.training.command import Start, start_from
from vrnn_engine.training.gradient import ElboGradient
from vrnn_engine.training.progress import Progress
from vrnn_engine.training.recipe import MAX_SEED, Recipe, Schedule
from vrnn_engine.training.schedule import average_decay, learning_rate
from vrnn_engine.training.validation import validate
from vrnn_engine.training.world import World


class TrainingRun:
    """The mutable state of one run.

    Parameters
    ----------
    recipe : Recipe
        Describes model and training.
    corpus : Corpus
        The data.
    out : Path
        Folder of the checkpoints; it must exist.
    world : World
        The processes that train together.

    Attributes
    ----------
    done : int
        Number of updates made.
    data_moments : list of float
        Mean and sd of the corpus itself; those of `corpus` may be another run's.
    initial : dict of str to Tensor
        The weights that the run started from, if its recipe keeps a share of them; else empty.
    earlier_totals : list of int
        The numbers of updates that the run was trained for before it was resumed with more, in order.
    time_limit : dict of str to float
        The time that a run with a limit was given and has used; see `vrnn_engine.training.budget.Planner.stamp`.
    validation_seconds, all_validation_seconds : float
        How long the last validation took, with the checkpoints that it wrote, and all of them since the run was begun
        or resumed.
    """

    def __init__(self, recipe: Recipe, corpus: Corpus, out: Path, world: World):
        self.recipe, self.corpus, self.out, self.world = recipe, corpus, out, world
        self.data_moments = [*corpus.mean, *corpus.std]
        torch.manual_seed(recipe.seed)
        self.model = build_model(recipe.model)
        self.model.basis.fit(torch.from_numpy(corpus.fitting_signal()))
        self.average = build_model(recipe.model)
        self.average.load_state_dict(self.model.state_dict())
        self.average.eval()
        self.model.to(world.device)
        self.average.to(world.device)
        self.gradient = ElboGradient(self.model, recipe.training, world)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=recipe.training.learning_rate)
        self.done = self.epoch = self.position = 0
        self.state: State | None = None
        self.best = -math.inf
        self.metrics: dict[str, float] = {}
        self.start = Start()
        self.initial: dict[str, Tensor] = {}
        self.earlier_totals: list[int] = []
        self.seconds = self.validation_seconds = self.all_validation_seconds = 0.0
        self.time_limit: dict[str, float] = {}

    def follow(self, schedule: Schedule) -> None:
        """Follow another schedule from the next update on."""
        self.recipe = msgspec.structs.replace(self.recipe, training=schedule)
        self.gradient.schedule = schedule

    def batches(self) -> Iterator[Batch]:
        """Yield the batches of the remaining updates, epoch after epoch."""
        while self.done < self.recipe.training.updates:
            rng = np.random.default_rng([self.recipe.seed, self.epoch])
            for index, batch in enumerate(self.corpus.epoch("train", rng)):
                if index < self.position:
                    continue  # used before the interruption
                if self.done == self.recipe.training.updates:
                    return
                self.position = index + 1
                yield batch
            self.epoch, self.position = self.epoch + 1, 0

    def update(self, batch: Batch) -> Progress:
        """Make one step of Adam on the negative ELBO per frame; validate and save if the recipe's schedule says so.

        Parameters
        ----------
        batch : Batch
            The next batch of `batches`.

        Returns
        -------
        Progress
            The progress after this update.

        Raises
        ------
        TrainingError
            The loss, the gradient or the validation is not finite.
        """
        began = time.monotonic()
        schedule = self.recipe.training
        self.optimizer.zero_grad()
        seed = (self.recipe.seed * 1_000_003 + self.done) % MAX_SEED
        terms = self.gradient.backward(batch, None if batch.fresh else self.state, self.done, seed)
        # No scheduler of torch: the rate depends on `done` alone, so a resumed or extended run needs no more state.
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(schedule, self.done)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), schedule.clip)
        if not (math.isfinite(terms.loss) and torch.isfinite(norm)):
            what = f"the loss became {terms.loss} (gradient norm {norm.item()}) at update {self.done + 1}"
            raise diverged(self.recipe.name, what, self.out)
        self.optimizer.step()
        self.state = terms.state
        self.done += 1
        self.move_average()
        self.seconds += time.monotonic() - began
        if self.done == schedule.resample_from:
            self.best = -math.inf
        if self.done % schedule.validate_every == 0 or self.done == schedule.updates:
            self.validate()
        return Progress(
            self.done,
            schedule.updates,
            terms.log_likelihood - terms.kl,
            terms.kl,
            float(norm),
            self.metrics.get("valid_elbo_per_frame"),
        )

    def move_average(self) -> None:
        """Move the exponential moving average of the weights towards the weights."""
        # Not torch's AveragedModel: its first update copies the weights whatever the decay is.
        decay = average_decay(self.recipe.training, self.done)
        with torch.no_grad():
            for average, weights in zip(self.average.parameters(), self.model.parameters(), strict=True):
                average.lerp_(weights, 1 - decay)

    def exported(self) -> RecurrentModel:
        """Return the model that is validated and exported: the moving average, with the recipe's share of `initial`."""
        if not self.initial:
            return self.average
        mixed = copy.deepcopy(self.average)
        with torch.no_grad():
            for name, weight in mixed.named_parameters():
                weight.lerp_(self.initial[name], self.recipe.training.keep)
        return mixed

    def save(self, name: str) -> None:
        """Write the run as a checkpoint into its folder; all processes must call this together.

        Parameters
        ----------
        name : str
            File name, `BEST` or `LAST`.

        Raises
        ------
        CheckpointError
            The file cannot be written.
        """
        state = {name: self.world.gather(part) for name, part in (self.state._asdict() if self.state else {}).items()}
        if not self.world.is_rank_zero:
            return
        resume: dict[str, Any] = {
            "weights": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "state": state,
            "done": self.done,
            "epoch": self.epoch,
            "position": self.position,
            "best": self.best,
            "seconds": self.seconds,
            "begun": self.earlier_totals,
            "data_moments": self.data_moments,
            "initial": self.initial,
        }
        if self.time_limit:
            resume["time_limit"] = self.time_limit
        if self.initial:
            resume["average"] = self.average.state_dict()
        checkpoint = Checkpoint(
            self.recipe,
            {name: value.cpu() for name, value in self.exported().state_dict().items()},
            self.corpus.mean,
            self.corpus.std,
            self.metrics,
            self.start.recipe,
            resume,
            self.start.commands,
        )
        save_checkpoint(checkpoint, self.out / name)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue the run that wrote a checkpoint with `save`.

        Parameters
        ----------
        checkpoint : Checkpoint
            A checkpoint of the same recipe; its number of updates may differ.

        Raises
        ------
        AttributeError, KeyError, RuntimeError, TypeError, ValueError
            The checkpoint's state does not fit, since another version of this package wrote it.
        """
        resume = checkpoint.resume
        self.model.load_state_dict(resume["weights"])
        self.average.load_state_dict(resume.get("average", checkpoint.model))
        self.optimizer.load_state_dict(resume["optimizer"])
        if resume["state"]:
            whole = {name: part.to(self.world.device) for name, part in resume["state"].items()}
            kind = type(self.model.initial_state(1))
            self.state = kind(**{name: part[self.world.rows(len(part))] for name, part in whole.items()})
        self.done, self.epoch, self.position = resume["done"], resume["epoch"], resume["position"]
        self.earlier_totals = list(resume.get("begun", []))
        self.best, self.seconds, self.metrics = resume["best"], resume["seconds"], checkpoint.metrics
        self.start = Start(checkpoint.started_from, checkpoint.earlier)
        self.time_limit = dict(resume.get("time_limit", {}))
        self.initial = {name: part.to(self.world.device) for name, part in resume.get("initial", {}).items()}
        if "data_moments" in resume:
            self.corpus.mean, self.corpus.std = checkpoint.mean, checkpoint.std

    def load_weights(self, base: Checkpoint, where: str) -> None:
        """Replace the initial weights by those of another run; parts that the other model lacks stay random.

        A model that reads a text also keeps the other run's mean and sd, since its ink has the same unit.  If the
        recipe keeps a share of these weights, they are validated.

        Parameters
        ----------
        base : Checkpoint
            A checkpoint of the other run.
        where : str
            Path of the checkpoint, for the error message.

        Raises
        ------
        CheckpointError
            This model has no such weight, or the weight has another shape.
        """
        mine, weights = self.model.state_dict(), base.model
        unfit = [name for name, value in weights.items() if name not in mine or mine[name].shape != value.shape]
        if unfit:
            raise CheckpointError(
                f"{where}: {unfit[0]} does not fit the model of recipe {self.recipe.name}; use another checkpoint"
            )
        for model in (self.model, self.average):
            model.load_state_dict(mine | weights)
        self.start = start_from(base)
        if self.recipe.model.text:
            self.corpus.mean, self.corpus.std = base.mean, base.std
        if self.recipe.training.keep:
            self.initial = {name: weight.detach().clone() for name, weight in self.model.named_parameters()}
            self.validate()

    def validate(self) -> None:
        """Validate the weights that are exported, and save the run.

        Raises
        ------
        TrainingError
            The bound is not finite.
        """
        began = time.monotonic()
        bound = validate(self.exported(), self.corpus, "valid")
        if not math.isfinite(bound.elbo):
            what = f"the validation after update {self.done} gave {bound.elbo}"
            raise diverged(self.recipe.name, what, self.out)
        self.metrics = bound.metrics("valid") | {"updates": float(self.done), "training_seconds": self.seconds}
        self.metrics |= {name: self.time_limit[name] for name in ("planned_minutes", "run_minutes") if self.time_limit}
        if bound.elbo > self.best:
            self.best = bound.elbo
            self.save(BEST)
        self.save(LAST)
        self.validation_seconds = time.monotonic() - began
        self.all_validation_seconds += self.validation_seconds
