"""The training loop: maximise the ELBO of a corpus, validate, keep the best and the last checkpoint."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from vrnn_engine.data.batches import Batch, Corpus
from vrnn_engine.data.pen import PenCorpus
from vrnn_engine.data.speech import SpeechCorpus
from vrnn_engine.errors import CheckpointError, TrainingError
from vrnn_engine.models.basis import build_basis
from vrnn_engine.models.families import build_model
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.recurrent import RecurrentModel, State, Unroll
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from vrnn_engine.training.interrupt import deferred_interrupts
from vrnn_engine.training.recipe import MAX_SEED, PenData, Recipe, Schedule, changed
from vrnn_engine.training.world import World, joined_world

BEST, LAST = "best.pt", "last.pt"


@dataclass(frozen=True)
class Progress:
    """Where a run stands after an update; bounds and KL are nats per frame."""

    update: int
    updates: int
    bound: float
    kl: float
    gradient_norm: float
    valid_bound: float | None
    """Of the last validation; None before the first."""


@dataclass(frozen=True)
class Bound:
    """The ELBO of a split, in nats of the normalised signal."""

    elbo: float
    """Per frame."""
    kl: float
    """Per frame."""
    sequences: int
    frames: int

    def metrics(self, prefix: str) -> dict[str, float]:
        """Return the values by name, for checkpoints and manifests."""
        return {
            f"{prefix}_elbo_per_frame": self.elbo,
            f"{prefix}_kl_per_frame": self.kl,
            f"{prefix}_elbo_per_sequence": self.elbo * self.frames / self.sequences,
        }


def open_corpus(recipe: Recipe, data: Path, strict: bool = False) -> PenCorpus | SpeechCorpus:
    """Read the corpus that a recipe is meant for; `strict` refuses one with recordings that cannot be read."""
    if isinstance(recipe.data, PenData):
        pen = recipe.data
        return PenCorpus(
            data,
            pen.rows,
            pen.chunk,
            pen.rate if pen.resample else None,
            pen.height_mm,
            pen.authors_normalisation,
            pen.max_points,
            pen.max_move,
            pen.split_by_form,
            pen.style,
            pen.rate,
            strict,
        )
    speech, model = recipe.data, recipe.model
    context = build_basis(model).context
    return SpeechCorpus(
        data,
        speech.rate,
        model.frame_size,
        speech.lanes,
        speech.chunk,
        speech.carry,
        context,
        speech.layout,
        strict,
    )


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    start: Path | None = None,
    strict: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Checkpoint:
    """Train a recipe and return its best checkpoint.

    Parameters
    ----------
    recipe : Recipe
        See `vrnn_engine.training.recipe`.
    data : Path
        Where the recipe's corpus lies.
    out : Path
        Folder for `best.pt` and `last.pt`; made if need be.
    resume : bool
        Go on from `out/last.pt`, to the same numbers as without the interruption.  A finished run may be given more
        updates, and goes on at the step sizes that so many have there.
    start : Path, optional
        A checkpoint whose weights a new run begins with, wherever the recipe's model has them: to
        fine-tune on other data, or to go on with a model that has grown a part.
    strict : bool
        Refuse a corpus with recordings that cannot be read, instead of leaving them out.
    report : callable
        Called after every update.

    Raises
    ------
    CheckpointError
        `out` holds another run (give `resume`, or another folder), or nothing to resume, or an unfinished run of
        another number of updates.
    DataError
        The corpus is not there or not usable.
    TrainingError
        The loss or a validation stopped being finite.  Both checkpoints are from before.

    An interrupt (Ctrl-C) leaves `out/last.pt` as after the last finished update; under torchrun (see
    `vrnn_engine.training.world`) as after the last validation.
    """
    with joined_world() as world:
        return _train(recipe, data, out, world, resume, start, strict, report)


def _train(
    recipe: Recipe,
    data: Path,
    out: Path,
    world: World,
    resume: bool,
    start: Path | None,
    strict: bool,
    report: Callable[[Progress], None],
) -> Checkpoint:
    last = out / LAST
    if resume:
        if start:
            raise CheckpointError(f"{last}: a run that is resumed has its weights; give either --resume or --from")
        interrupted = load_checkpoint(last)
        begun, wanted = interrupted.recipe.training.updates, recipe.training.updates
        if changed(interrupted.recipe, updates=wanted) != recipe:
            raise CheckpointError(
                f"{last}: written by another recipe; resume with the one it holds (--seed too) or use another --out"
            )
        if wanted < begun or (wanted > begun and interrupted.resume.get("done") != begun):
            raise CheckpointError(
                f"{last}: of a run of {begun:,} updates; resume with --updates {begun}, and with more when that is done"
            )
    elif last.exists():
        raise CheckpointError(f"{last}: a run is here already; add --resume to go on with it, or give another --out")
    base = load_checkpoint(start) if start else None
    corpus = open_corpus(recipe, data, strict)
    out.mkdir(parents=True, exist_ok=True)
    world.wait()  # all have seen that no run was here before the first one writes
    run = _Run(recipe, corpus, out, world)
    if resume:
        _check_normalisation(interrupted, corpus, last, data)
        try:
            run.restore(interrupted)
            if wanted > begun:
                run.begun.append(begun)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError):
            raise CheckpointError(
                f"{last}: another version of vrnn-engine wrote it, and left what this one cannot go on from; "
                "train anew in another --out"
            ) from None
    elif base:
        run.adopt(base, str(start))
    with deferred_interrupts() as let_through:
        try:
            for batch in run.batches():
                progress = run.update(batch)
                if world.first:
                    report(progress)
                let_through()
        except BaseException as error:
            # What is not finite is not to be gone on from.  And one of several processes may be alone here, and has
            # not all of the state.
            if world.size == 1 and not isinstance(error, TrainingError):
                run.save(LAST)
            raise
    if world.first:
        best = load_checkpoint(out / BEST)
        measured = validate(best.build().to(world.device), corpus, "test").metrics("test")
        save_checkpoint(dataclasses.replace(best, metrics=best.metrics | measured), out / BEST)
    world.wait()
    return load_checkpoint(out / BEST)


def _check_normalisation(interrupted: Checkpoint, corpus: Corpus, last: Path, data: Path) -> None:
    """Raise `CheckpointError` if a run began on another corpus: that has another mean and sd."""
    theirs, mine = ([*one.mean, *one.std] for one in (interrupted, corpus))
    if len(theirs) != len(mine) or not np.allclose(theirs, mine, rtol=1e-9, atol=0):
        raise CheckpointError(
            f"{last}: began on another corpus than {data}, whose mean and sd differ; resume with the one it began on, "
            "or begin a run with its weights (--from) in another --out"
        )


def validate(model: RecurrentModel, corpus: Corpus, split: str, seed: int = 0) -> Bound:
    """Return the ELBO of a split, one posterior sample a frame, noise fixed by `seed`."""
    noise = torch.Generator().manual_seed(seed)
    log_likelihood = kl = 0.0
    frames = sequences = 0
    state: State | None = None
    device = next(model.parameters()).device
    with torch.no_grad():
        for batch in corpus.epoch(split, None):
            signal, mask = torch.from_numpy(batch.signal).to(device), torch.from_numpy(batch.mask).to(device)
            sequences += _sequences(batch, model)
            state = None if batch.fresh else state
            latent = torch.randn(*batch.mask.shape, model.config.latent_size, generator=noise).to(device)
            unroll = model.unroll(model.basis.frames(signal), latent, state)
            state = unroll.state
            log_likelihood += float((unroll.log_likelihood * mask).sum())
            kl += float((unroll.kl * mask).sum())
            frames += int(mask.sum())
    return Bound((log_likelihood - kl) / frames, kl / frames, sequences, frames)


class _Run:
    """The mutable state of one run; `save` and `restore` are each other's inverse."""

    def __init__(self, recipe: Recipe, corpus: Corpus, out: Path, world: World):
        self.recipe, self.corpus, self.out, self.world = recipe, corpus, out, world
        torch.manual_seed(recipe.seed)
        self.model = build_model(recipe.model)
        self.model.basis.fit(torch.from_numpy(corpus.fitting_signal()))
        self.average = build_model(recipe.model)
        self.average.load_state_dict(self.model.state_dict())
        self.model.to(world.device)
        self.average.to(world.device)
        self.objective = world.wrap(_Objective(self.model))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=recipe.training.learning_rate)
        self.done = self.epoch = self.position = 0
        self.state: State | None = None
        self.best = -math.inf
        self.metrics: dict[str, float] = {}
        self.started_from = ""
        self.begun: list[int] = []
        """Updates that the run was to have before it was given more."""
        self.seconds = 0.0

    def batches(self) -> Iterator[Batch]:
        """Batches from where the run stands to its last update, epoch after epoch."""
        while self.done < self.recipe.training.updates:
            rng = np.random.default_rng([self.recipe.seed, self.epoch])
            for index, batch in enumerate(self.corpus.epoch("train", rng)):
                if index < self.position:
                    continue  # walked through before the interruption
                if self.done == self.recipe.training.updates:
                    return
                self.position = index + 1
                yield batch
            self.epoch, self.position = self.epoch + 1, 0

    def update(self, batch: Batch) -> Progress:
        """One step of Adam on the negative ELBO per frame."""
        began = time.monotonic()
        schedule, model, world = self.recipe.training, self.model, self.world
        count, mine = float(batch.mask.sum()), world.rows(batch.mask.shape[1])
        signal, mask = (torch.from_numpy(part[:, mine]).to(world.device) for part in (batch.signal, batch.mask))
        frames = model.basis.frames(signal)
        state = None if batch.fresh else self.state
        resampling = schedule.resample > 0 and self.done >= schedule.resample_from
        draws = _draw(model, (self.recipe.seed * 1_000_003 + self.done) % MAX_SEED, batch, resampling)
        weight = kl_weight(schedule, self.done)
        self.optimizer.zero_grad()
        sums, states = [], []
        parts = _parts(mask.shape[1], schedule.accumulate)
        for part in parts:
            drawn = draws.rows(slice(mine.start + part.start, mine.start + part.stop), world.device)
            old = None if state is None else State(*(rows[part] for rows in state))
            with world.together(self.objective, last=part == parts[-1]), self._autocast():
                shown = _resampled(model, frames[:, part], drawn, old, schedule.resample) if resampling else None
                unroll = self.objective(frames[:, part], drawn.latent, old, shown)
                terms = [(value * mask[:, part]).sum() / count for value in (unroll.log_likelihood, unroll.kl)]
                # The gradients of all processes are averaged, and each has but its share of the frames.
                (world.size * (weight * terms[1] - terms[0])).backward()
            sums.append([term.item() for term in terms])
            states.append(unroll.state)
        likelihood, kl = world.total(*(sum(terms) for terms in zip(*sums, strict=True)))
        loss = weight * kl - likelihood
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(schedule, self.done)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        if not (math.isfinite(loss) and torch.isfinite(norm)):
            raise self._not_finite(f"the loss became {loss} (gradient {norm.item()}) at update {self.done + 1}")
        self.optimizer.step()
        self.state = State(*(torch.cat(part).detach() for part in zip(*states, strict=True)))
        self.done += 1
        self._follow()
        self.seconds += time.monotonic() - began
        if self.done == schedule.resample_from:
            self.best = -math.inf
        if self.done % schedule.validate_every == 0 or self.done == schedule.updates:
            self._validate()
        return Progress(
            self.done,
            schedule.updates,
            likelihood - kl,
            kl,
            float(norm),
            self.metrics.get("valid_elbo_per_frame"),
        )

    def save(self, name: str) -> None:
        """Write the run as a checkpoint into its folder; a thing of all processes."""
        parts = {} if self.state is None else self.state._asdict()
        state = {name: self.world.gather(part) for name, part in parts.items()}
        if not self.world.first:
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
            "begun": self.begun,
        }
        kept = Checkpoint(
            self.recipe,
            {name: value.cpu() for name, value in self.average.state_dict().items()},
            self.corpus.mean,
            self.corpus.std,
            self.metrics,
            self.started_from,
            resume,
        )
        save_checkpoint(kept, self.out / name)

    def adopt(self, base: Checkpoint, where: str) -> None:
        """Begin with the weights of another run, wherever this model has them; `where` names it in errors."""
        mine, weights = self.model.state_dict(), base.model
        odd = [name for name, value in weights.items() if name not in mine or mine[name].shape != value.shape]
        if odd:
            raise CheckpointError(f"{where}: {odd[0]} does not fit the model of recipe {self.recipe.name}")
        for model in (self.model, self.average):
            model.load_state_dict(mine | weights)
        self.started_from = base.recipe.name

    def restore(self, start: Checkpoint) -> None:
        """Become the run that wrote a checkpoint."""
        resume = start.resume
        self.model.load_state_dict(resume["weights"])
        self.average.load_state_dict(start.model)
        self.optimizer.load_state_dict(resume["optimizer"])
        if resume["state"]:
            whole = {name: part.to(self.world.device) for name, part in resume["state"].items()}
            self.state = State(**{name: part[self.world.rows(len(part))] for name, part in whole.items()})
        self.done, self.epoch, self.position = resume["done"], resume["epoch"], resume["position"]
        self.begun = list(resume.get("begun", []))
        self.best, self.seconds, self.metrics = resume["best"], resume["seconds"], start.metrics
        self.started_from = start.started_from

    def _autocast(self) -> torch.autocast:
        half = self.recipe.training.precision == "bf16"
        return torch.autocast(self.world.device.type, torch.bfloat16, enabled=half)

    def _follow(self) -> None:
        """Move the running average of the weights."""
        # Early on the average is short, so that it forgets the random start.
        decay = min(self.recipe.training.average, self.done / (self.done + 10))
        with torch.no_grad():
            for mine, theirs in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mine.lerp_(theirs, 1 - decay)

    def _validate(self) -> None:
        bound = validate(self.average, self.corpus, "valid")
        if not math.isfinite(bound.elbo):
            raise self._not_finite(f"the validation after update {self.done} gave {bound.elbo}")
        self.metrics = bound.metrics("valid") | {"updates": float(self.done), "training_seconds": self.seconds}
        if bound.elbo > self.best:
            self.best = bound.elbo
            self.save(BEST)
        self.save(LAST)

    def _not_finite(self, what: str) -> TrainingError:
        """Return the error that says what happened, which checkpoints there are, and how to go on."""
        kept = [
            (self.out / name, load_checkpoint(self.out / name)) for name in (BEST, LAST) if (self.out / name).exists()
        ]
        if not kept:
            return TrainingError(
                f"{self.recipe.name}: {what}, before a checkpoint was kept; lower learning_rate or clip"
            )
        held = ", ".join(f"{path.name} holds update {checkpoint.resume['done']}" for path, checkpoint in kept)
        return TrainingError(
            f"{self.recipe.name}: {what}; {held}; go on with a lower learning_rate (or clip) by --from {kept[0][0]}, "
            "in another --out"
        )


def learning_rate(schedule: Schedule, done: int) -> float:
    """Half a cosine from `learning_rate` to `final_learning_rate`."""
    share = 0.5 * (1 + math.cos(math.pi * done / schedule.updates))
    return schedule.final_learning_rate + share * (schedule.learning_rate - schedule.final_learning_rate)


def kl_weight(schedule: Schedule, done: int) -> float:
    """Return the KL's weight: linear from `kl_start` to 1 over `kl_warmup` updates."""
    if done >= schedule.kl_warmup:
        return 1.0
    return schedule.kl_start + (1 - schedule.kl_start) * done / schedule.kl_warmup


class _Objective(nn.Module):
    """The unroll of a model as a module's forward, which is what gets its gradients averaged."""

    def __init__(self, model: RecurrentModel):
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor, noise: Tensor, state: State | None, shown: Tensor | None) -> Unroll:
        return self.model.unroll(frames, noise, state, shown)


class _Draws(NamedTuple):
    """All that is random in an update: standard normal noise [T, B, .], and uniform numbers [1, B, 1]."""

    latent: Tensor
    output: Tensor
    mixture: Tensor
    choice: Tensor

    def rows(self, rows: slice, device: torch.device) -> "_Draws":
        return _Draws(*(part[:, rows].to(device) for part in self))


def _draw(model: RecurrentModel, seed: int, batch: Batch, resampling: bool) -> _Draws:
    """Draw for the whole batch, so that a row's numbers do not depend on who walks it."""
    generator = torch.Generator().manual_seed(seed)
    frames, rows = batch.mask.shape
    used = int(resampling)
    return _Draws(
        torch.randn(frames, rows, model.config.latent_size, generator=generator),
        torch.randn(frames, rows * used, model.config.frame_size, generator=generator),
        torch.randn(frames, rows * used, model.output.mixture_size, generator=generator),
        torch.rand(1, rows * used, 1, generator=generator),
    )


def _parts(rows: int, count: int) -> list[slice]:
    """Return `count` parts of the rows of a batch; fewer, where there are fewer rows."""
    count = max(1, min(count, rows))
    return [slice(rows * i // count, rows * (i + 1) // count) for i in range(count)]


def _resampled(model: RecurrentModel, frames: Tensor, drawn: _Draws, state: State | None, share: float) -> Tensor:
    """Frames, with a share of the sequences drawn anew by the model itself."""
    with torch.no_grad():
        unroll = model.unroll(frames, drawn.latent, state)
        anew = model.resample(unroll, OutputNoise(drawn.output, drawn.mixture))
    return torch.where(drawn.choice < share, anew, frames)


def _sequences(batch: Batch, model: RecurrentModel) -> int:
    # The paper counts 0.5 s chunks of speech, and whole lines of ink.
    rows = batch.mask.shape[1]
    return rows if batch.fresh or model.config.modality == "audio" else 0
