"""A run that is fitted to its recordings and ends in its time."""

import msgspec
import pytest
from support.corpora import make_speech, split_names
from support.recipes import pen_recipe, speech_recipe

from vrnn_engine.data.options import SpeechData
from vrnn_engine.errors import CheckpointError
from vrnn_engine.training.budget import Clock, Costs, updates_in
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint
from vrnn_engine.training.command import training_command
from vrnn_engine.training.plan.fit import fitted, fitted_to
from vrnn_engine.training.plan.stretch import stretched
from vrnn_engine.training.recipe import load_recipe
from vrnn_engine.training.schedule import learning_rate
from vrnn_engine.training.trainer import train
from vrnn_engine.training.training_run import TrainingRun


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return make_speech(tmp_path_factory.mktemp("speech"), split_names(3))


class Time:
    """Seconds that pass only when updates are reported; from update `slow` on, three times as many."""

    def __init__(self, slow=10**9):
        self.seconds, self.slow, self.totals = 0.0, slow, []

    def now(self):
        return self.seconds

    def report(self, progress):
        self.seconds += 1.0 if progress.update < self.slow else 3.0
        self.totals.append(progress.updates)

    def stopped_at(self, update):
        """Return a report that interrupts the run at an update."""

        def report(progress):
            self.report(progress)
            if progress.update == update:
                raise KeyboardInterrupt

        return report


def last_of(folder):
    return load_checkpoint(folder / "last.pt")


def test_run_ends_in_its_time_and_the_learning_rate_with_it(speech, tmp_path):
    time = Time()
    train(speech_recipe(), speech, tmp_path, clock=Clock(1, now=time.now), report=time.report)
    schedule = last_of(tmp_path).recipe.training
    assert 50 <= len(time.totals) == schedule.updates <= 60
    assert time.totals[0] == 24  # the recipe's, before an update is measured
    assert learning_rate(schedule, schedule.updates) == pytest.approx(1e-3)
    assert schedule.kl_warmup == pytest.approx(10 * schedule.updates / 24, abs=1)
    metrics = load_checkpoint(tmp_path / "best.pt").metrics
    assert metrics["planned_minutes"] == 1
    assert 0.8 < metrics["run_minutes"] <= 1.01


def test_weights_are_validated_once_if_the_time_ends_after_a_validation(speech, tmp_path, monkeypatch):
    time, done = Time(), []
    validate = TrainingRun.validate
    monkeypatch.setattr(TrainingRun, "validate", lambda run: (done.append(run.done), validate(run)))
    train(speech_recipe(), speech, tmp_path, clock=Clock(0.03, now=time.now), report=time.report)
    last = last_of(tmp_path)
    assert done == sorted(set(done))
    assert done[-1] == last.metrics["updates"] == last.recipe.training.updates == len(time.totals)


def test_run_on_a_machine_that_becomes_slower_ends_in_its_time(speech, tmp_path):
    time = Time(slow=20)
    train(speech_recipe(), speech, tmp_path, clock=Clock(1, now=time.now), report=time.report)
    assert 55 <= time.seconds <= 63
    assert last_of(tmp_path).resume["done"] == time.totals[-1] == len(time.totals)
    assert max(time.totals) > len(time.totals)  # more had been planned


def test_resumed_run_has_the_time_that_is_left(speech, tmp_path):
    time = Time()
    with pytest.raises(KeyboardInterrupt):
        train(speech_recipe(), speech, tmp_path, clock=Clock(1, now=time.now), report=time.stopped_at(30))
    with pytest.raises(CheckpointError, match="another recipe, seed or number of updates"):
        train(speech_recipe(updates=25), speech, tmp_path, resume=True)
    time.seconds = 1000.0  # the time between the two parts does not count
    train(speech_recipe(), speech, tmp_path, resume=True, clock=Clock(1, now=time.now), report=time.report)
    assert 50 <= len(time.totals) == last_of(tmp_path).resume["done"] <= 60
    best = load_checkpoint(tmp_path / "best.pt")
    assert 0.8 < best.metrics["run_minutes"] <= 1.01
    # It is given another minute.
    train(speech_recipe(), speech, tmp_path, resume=True, clock=Clock(2, now=time.now), report=time.report)
    # The second that passes in the last report of each part is in no checkpoint.
    assert 105 <= len(time.totals) == last_of(tmp_path).resume["done"] <= 123
    assert training_command(last_of(tmp_path)) == "vrnn-engine train tiny-speech.toml --data DATA --minutes 2"


def test_limited_run_resumes_without_naming_its_limit(speech, tmp_path):
    time = Time()
    with pytest.raises(KeyboardInterrupt):
        train(speech_recipe(), speech, tmp_path, clock=Clock(0.7, now=time.now), report=time.stopped_at(40))
    totals = []
    train(speech_recipe(), speech, tmp_path, resume=True, report=lambda p: totals.append(p.updates))
    assert last_of(tmp_path).metrics["planned_minutes"] == 0.7
    assert totals


def test_run_without_a_limit_is_not_given_one_when_it_is_resumed(speech, tmp_path):
    train(speech_recipe(updates=10), speech, tmp_path)
    with pytest.raises(CheckpointError, match="begun without a time limit"):
        train(speech_recipe(updates=10), speech, tmp_path, resume=True, clock=Clock(1))


def test_resampling_that_has_begun_continues_and_other_resampling_begins_later(speech, tmp_path):
    time = Time(slow=30)
    recipe = speech_recipe(resample=0.5, resample_from=16)
    train(recipe, speech, tmp_path, clock=Clock(1, now=time.now), report=time.report)
    schedule = last_of(tmp_path).recipe.training
    assert 10 < schedule.resample_from < schedule.updates
    now = msgspec.structs.replace(recipe.training, updates=90, resample_from=60)
    assert stretched(recipe.training, 30, done=50, now=now).resample_from == 51
    assert stretched(recipe.training, 120, done=60, now=now).resample_from == 60
    assert stretched(recipe.training, 120, done=60, now=now).validate_every == now.validate_every


def test_stretched_schedule_keeps_its_proportions():
    schedule = pen_recipe(warmup=4, decay=8).training
    assert stretched(schedule, 24) == schedule
    other = stretched(schedule, 240)
    assert (other.updates, other.warmup, other.decay, other.kl_warmup, other.validate_every) == (240, 40, 80, 100, 80)


def test_updates_fill_the_time():
    schedule = speech_recipe().training  # a validation every 8 updates
    costs = Costs(update=1.0, validation=4.0)
    assert updates_in(90, schedule, costs, done=0, validations=False) == 90
    assert updates_in(90, schedule, costs, done=10, validations=True) == 70
    assert updates_in(-5, schedule, costs, done=10, validations=True) == 11
    resampling = msgspec.structs.replace(schedule, resample=0.5, resample_from=12)
    assert updates_in(120, resampling, costs, done=0, validations=False) == 100  # half of them take 1.4 s


@pytest.mark.parametrize(
    ("rate", "channels", "fits", "size"),
    [
        (48000, 1, 48000, 1024),
        (44100, 2, 44100, 2048),
        (96000, 1, 48000, 1024),
        (22050, 2, 22050, 1024),
        (32000, 1, 32000, 1024),
    ],
)
def test_recipe_has_the_rate_and_the_channels_of_the_recordings(rate, channels, fits, size):
    recipe = fitted_to(load_recipe("sound"), rate, channels)
    found = (recipe.data.rate, recipe.model.channels, recipe.model.frame_size, recipe.fit)
    assert found == (fits, channels, size, False)


def test_frame_is_not_shorter_at_a_lower_rate(tmp_path):
    make_speech(tmp_path, ["a.wav"], rate=16000)
    assert fitted(load_recipe("sound"), tmp_path).model.frame_size == 512
    assert fitted(load_recipe("blizzard"), tmp_path) == load_recipe("blizzard")


def test_fitted_run_with_a_limit_names_the_command_that_trains_it_again():
    recipe = fitted_to(load_recipe("sound"), 44100, 1)
    planned = msgspec.structs.replace(recipe, training=stretched(recipe.training, 777))
    one = Checkpoint(planned, {}, (), (), {}, "", {"time_limit": {"planned_minutes": 60.0}})
    assert training_command(one) == "vrnn-engine train sound --data DATA --minutes 60"
    two = Checkpoint(recipe, {}, (), (), {}, "", {})
    assert training_command(two) == "vrnn-engine train sound --data DATA"
    assert isinstance(recipe.data, SpeechData)
