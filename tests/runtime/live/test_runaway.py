"""A stream whose sound runs away is noticed within a second and brought back, however its frames are read."""

import numpy as np
import pytest

from vrnn_engine.errors import NotFiniteError
from vrnn_engine.runtime.live.events import Reset, Set
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.safety.level_watch import GOOD, LOUDEST, LevelWatch
from vrnn_engine.runtime.live.saved import SavedFolder
from vrnn_engine.runtime.stream import Stream
from vrnn_engine.runtime.stream_group import StreamGroup

HEAT = "output.temperature"


@pytest.fixture
def saved(tmp_path):
    return SavedFolder("toy", tmp_path / "saved")


class RunawayStream(Stream):
    """A stream whose level grows by 6 dB a frame while it is hot, and does not fall again by itself."""

    def __init__(self, stream: Stream, stuck: bool = False) -> None:
        super().__init__(stream.stepper, stream.state, StreamGroup())
        self.gain, self.stuck, self.restores, self.restarts = 1.0, stuck, 0, 0
        self.gains: dict[int, float] = {}  # the gain is a part of the state before each frame

    def read(self, frames: int) -> np.ndarray:
        blocks = [super().read(0)]
        for _ in range(frames):
            self.gains[self.frame] = self.gain
            if self.controls[HEAT] > 1.5:
                self.gain = min(self.gain * 2, 1e30)
            blocks.append(super().read(1) * np.float32(self.gain))
        return np.concatenate(blocks)

    def restore(self, saved: bytes) -> None:
        super().restore(saved)
        self.restores += 1
        if not self.stuck:
            self.gain = self.gains.get(self.frame, 1.0)

    def continue_from(self, other: Stream) -> None:
        super().continue_from(other)
        self.restarts += 1
        self.gain = 1.0


def levels(made: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(made.reshape(-1, 200).astype(np.float64)).mean(1))


def test_a_runaway_is_brought_back_within_a_second(engine, saved, said) -> None:
    stream, noted = RunawayStream(engine.stream(3)), []
    performance = Performance(stream, [Set(frame=100, control=HEAT, value=2.0)], noted.append, saved)
    made = levels(performance.read(300))
    loud = np.flatnonzero(made > LOUDEST)
    assert loud[0] < 110
    assert loud[-1] < loud[0] + engine.voice.manifest.frames_per_second
    assert made[loud[-1] + 1 :].max() < GOOD
    assert (stream.restores, stream.restarts) == (1, 0)
    assert [type(event) for event in noted] == [Set, Reset]
    assert performance.controls[HEAT] == 1.0
    assert said == [
        f"frame {loud[-1] + 1}: the sound ran away; it continues from its last good state, with default controls"
    ]


def read_in_blocks(performance: Performance, frames: int, most: int) -> np.ndarray:
    """Read frames as the server does: up to `most` at once."""
    made = []
    while performance.frame < frames:
        performance.steer()
        count = performance.steady_frames(min(most, frames - performance.frame))
        made.append(performance.stream.read(count))
        performance.accept(made[-1], count)
    return np.concatenate(made)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("hot", [43, 100, 139])
def test_a_performance_without_memory_returns_to_the_same_state(engine, saved, said, most, hot) -> None:
    plan = [Set(frame=11, control="latent.shift", value=0.5), Set(frame=hot, control=HEAT, value=2.0)]
    remembering = Performance(RunawayStream(engine.stream(3)), plan, saved=saved).read(300)
    stream = RunawayStream(engine.stream(3))
    performance = Performance(stream, plan, memory=0)
    assert np.array_equal(read_in_blocks(performance, 300, most), remembering)
    assert (stream.restores, stream.restarts, performance.recovery.count) == (1, 0, 1)
    assert said[0] == said[1]
    assert said[0].endswith("it continues from its last good state, with default controls")


@pytest.mark.parametrize("start", [3, 58])
def test_a_performance_that_continues_returns_to_a_state_since_then(engine, said, start) -> None:
    before = Performance(engine.stream(3))
    before.read(start)
    stream = RunawayStream(engine.stream())
    performance = Performance(stream, [Set(frame=start + 1, control=HEAT, value=2.0)], memory=0)
    performance.continue_from(before.checkpoint())
    made = levels(read_in_blocks(performance, 300, 2))
    assert (stream.restores, stream.restarts) == (2, 0)
    assert made[150:].max() < GOOD


@pytest.mark.parametrize("memory", [60.0, 0.0])
def test_if_there_is_no_good_state_the_stream_restarts(engine, saved, said, memory) -> None:
    stream = RunawayStream(engine.stream(3), stuck=True)
    performance = Performance(stream, [Set(frame=100, control=HEAT, value=2.0)], saved=saved, memory=memory)
    made = levels(performance.read(300))
    assert made[250:].max() < GOOD
    assert (stream.restores, stream.restarts) == (1, 1)
    assert said[-1].endswith("it continues from its initial state, with default controls")


@pytest.mark.parametrize("memory", [60.0, 0.0])
@pytest.mark.parametrize("most", [1, 7])
def test_a_checkpoint_from_before_the_last_return_is_not_good(engine, saved, said, memory, most) -> None:
    # The alarm comes before frame 60.  The window that begins there is good, but its checkpoint is that of frame 56.
    plan = [Set(frame=at, control=HEAT, value=2.0) for at in (21, 81)]
    stream = RunawayStream(engine.stream(3))
    made = levels(read_in_blocks(Performance(stream, plan, saved=saved, memory=memory), 300, most))
    assert made[60:81].max() < GOOD
    assert made[120:].max() < GOOD
    assert (stream.restores, stream.restarts) == (1, 1)
    assert [line.split(":")[0] for line in said] == ["frame 60", "frame 120"]
    assert said[-1].endswith("it continues from its initial state, with default controls")


class StreamWithBadState(Stream):
    """A stream that becomes not finite while it is hot, and stays so until another state is restored."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream.stepper, stream.state, StreamGroup())
        self.broken, self.restores = False, 0

    def read(self, frames: int) -> np.ndarray:
        self.broken = self.broken or self.controls[HEAT] > 1.5
        if self.broken and frames:
            raise NotFiniteError("not finite")
        return super().read(frames)

    def restore(self, saved: bytes) -> None:
        super().restore(saved)
        self.broken, self.restores = False, self.restores + 1

    def continue_from(self, other: Stream) -> None:
        super().continue_from(other)
        self.broken = False


@pytest.mark.parametrize("memory", [60.0, 0.0])
def test_a_state_that_stays_not_finite_is_replaced_by_the_last_good_one(engine, saved, said, memory) -> None:
    stream = StreamWithBadState(engine.stream(3))
    plan = [Set(frame=100, control=HEAT, value=2.0)]
    made = Performance(stream, plan, saved=saved, memory=memory).read(200)
    assert stream.restores == 1
    assert np.array_equal(made[100 * 200 :], engine.stream(3).read(180)[80 * 200 :])
    assert said[-1] == "frame 100 is still not finite: the stream restarts from its last good state"


def test_a_performance_that_continues_restarts_if_it_has_no_checkpoint_yet(engine, saved, said) -> None:
    before = Performance(engine.stream(3))
    before.read(3)
    stream = StreamWithBadState(engine.stream())
    performance = Performance(stream, [Set(frame=4, control=HEAT, value=2.0)], saved=saved)
    performance.continue_from(before.checkpoint())
    assert len(performance.read(100)) == 100 * 200
    assert (stream.restores, performance.recovery.count) == (1, 1)
    assert said[-1] == "frame 4 is still not finite: the stream restarts from its initial state"


class StreamThatFailsLater(Stream):
    """A stream that, once it was hot, is not finite from frame 80 on, whatever its controls are then."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream.stepper, stream.state, StreamGroup())
        self.fails, self.restores = {self.frame: False}, 0

    def read(self, frames: int) -> np.ndarray:
        blocks = [super().read(0)]
        for _ in range(frames):
            fails = self.fails[self.frame]
            if fails and self.frame >= 80:
                raise NotFiniteError("not finite")
            blocks.append(super().read(1))
            self.fails[self.frame] = fails or self.controls[HEAT] > 1.5
        return np.concatenate(blocks)

    def restore(self, saved: bytes) -> None:
        super().restore(saved)
        self.restores += 1

    def continue_from(self, other: Stream) -> None:
        super().continue_from(other)
        self.fails[self.frame] = False


@pytest.mark.parametrize("memory", [60.0, 0.0])
def test_the_state_before_a_frame_that_stayed_not_finite_is_not_good(engine, saved, said, memory) -> None:
    # Frame 80 fails and continues from the state before frame 56.  The checkpoint of frame 80 was made before that, and
    # the window that begins there is good.  The stream is then at its own frame 80 before frame 104, and fails again.
    plan = [Set(frame=at, control=HEAT, value=2.0) for at in (78, 101)]
    stream = StreamThatFailsLater(engine.stream(3))
    Performance(stream, plan, saved=saved, memory=memory).read(200)
    assert stream.restores == 1
    assert [line for line in said if "still" in line] == [
        "frame 80 is still not finite: the stream restarts from its last good state",
        "frame 104 is still not finite: the stream restarts from its initial state",
    ]


class StreamWithBadNoise(RunawayStream):
    """A stream whose level grows over some of its frames, whatever its controls are, and again if they are repeated."""

    def read(self, frames: int) -> np.ndarray:
        blocks = []
        for _ in range(frames):
            if 100 <= self.frame < 130:
                self.gain = min(self.gain * 2, 1e30)
            blocks.append(super().read(1))
        return np.concatenate(blocks)


def test_with_default_controls_the_same_noise_is_not_repeated(engine, saved, said) -> None:
    stream = StreamWithBadNoise(engine.stream(3))
    made = levels(Performance(stream, saved=saved).read(600))
    assert (stream.restores, stream.restarts) == (0, 1)
    assert made[200:].max() < GOOD
    (line,) = said
    assert line.endswith("it continues from its initial state, with default controls")


def test_a_control_that_stays_at_its_end_runs_away_again_and_is_brought_back_again(engine, saved, said) -> None:
    plan = [Set(frame=at, control=HEAT, value=2.0) for at in (100, 200, 300)]
    made = levels(Performance(RunawayStream(engine.stream(3)), plan, saved=saved).read(400))
    assert len(said) == 3
    assert made[360:].max() < GOOD


@pytest.mark.parametrize("most", [1, 3, 8, 20])
def test_the_frame_of_the_alarm_does_not_depend_on_the_blocks(engine, said, most) -> None:
    performance = Performance(RunawayStream(engine.stream(3)), [Set(frame=43, control=HEAT, value=2.0)], memory=0)
    made = read_in_blocks(performance, 200, most)
    (line,) = said
    assert line.startswith("frame 80: ")
    assert np.array_equal(made[: 43 * 200], engine.stream(3).read(43))


def test_a_voice_is_not_interrupted(engine, said) -> None:
    assert np.array_equal(Performance(engine.stream(3)).read(400), engine.stream(3).read(400))
    assert said == []


def test_a_watch_measures_whole_windows(engine) -> None:
    rng = np.random.default_rng(1)
    sound = np.float32(3.0) * np.sign(rng.standard_normal(200 * 100)).astype(np.float32)
    for count in (1, 7, 20, 33, 100):
        watch = LevelWatch(engine.voice.manifest)
        frame = 0
        while frame < 40:
            frames = min(count, 40 - frame)
            watch.hear(frame, sound[frame * 200 : (frame + frames) * 200], frames)
            frame += frames
            assert watch.alarm() == (frame >= 40)
