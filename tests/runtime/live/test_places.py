"""What the events of a performance may read and write, and how many copies they may start."""

import json
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from support.command import the_error

from vrnn_engine import Performance
from vrnn_engine.errors import SinkError, StreamError
from vrnn_engine.runtime.live.events import Follow, Fork, Prime
from vrnn_engine.runtime.live.forks import MOST_FORKS
from vrnn_engine.runtime.live.safety.places import Places
from vrnn_engine.runtime.live.timeline import Timeline
from vrnn_engine.runtime.stream import Stream
from vrnn_engine.runtime.stream_group import StreamGroup


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    (tmp_path / "inside").mkdir()
    return tmp_path / "inside"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    soundfile.write(tmp_path / "outside" / "secret.wav", np.full(4000, 0.1), 16000)
    np.save(tmp_path / "outside" / "secret.npy", np.zeros((4, 4), np.float32))
    return tmp_path / "outside"


@pytest.mark.parametrize("through", ["direct", "dots", "link"])
@pytest.mark.parametrize(
    "event", [lambda at: Prime(file=f"{at}/secret.wav"), lambda at: Follow(path=f"{at}/secret.wav"),
              lambda at: Follow(path=f"{at}/secret.npy"), lambda at: Fork(to=f"{at}/new.wav", seconds=1.0)]
)  # fmt: skip
def test_an_event_cannot_leave_its_folders(engine, inside, outside, event, through, logged) -> None:
    (inside / "link").symlink_to(outside)
    event = event({"direct": outside, "dots": inside / ".." / "outside", "link": inside / "link"}[through])
    performance = Performance(engine.stream(1), places=Places.within([inside]))
    with pytest.raises((StreamError, SinkError), match="outside of the folders that events may use"):
        performance.send(event)
    plan = Timeline((msgspec.structs.replace(event, frame=2),))
    if isinstance(event, Follow) and event.path.endswith(".npy"):  # it is read when it is due
        planned = Performance(engine.stream(1), plan, places=Places.within([inside]))
        planned.read(4)
        assert "outside of the folders that events may use" in logged[-1]
    else:
        with pytest.raises((StreamError, SinkError), match="outside of the folders that events may use"):
            Performance(engine.stream(1), plan, places=Places.within([inside]))
    assert not (outside / "new.wav").exists()
    allowed = Performance(engine.stream(1), places=Places.within([inside, outside]))
    allowed.send(event)
    allowed.read(2)
    allowed.close()


@pytest.mark.parametrize("kind", [lambda path: Prime(file=path), lambda path: Follow(path=path)])
def test_a_name_with_a_question_mark_cannot_leave_its_folders(engine, inside, outside, kind) -> None:
    (inside / "x.wav?y.wav").symlink_to(outside / "secret.wav")
    event = kind(str(inside / "x.wav?y.wav"))
    with pytest.raises(StreamError, match="outside of the folders that events may use"):
        Performance(engine.stream(1), places=Places.within([inside])).send(event)
    Performance(engine.stream(1), places=Places.within([inside, outside])).send(event)


def test_a_fork_does_not_replace_a_file(engine, inside) -> None:
    (inside / "take.wav").write_bytes(b"mine")
    event = Fork(to=str(inside / "take.wav"), seconds=0.1)
    performance = Performance(engine.stream(1))
    with pytest.raises(SinkError, match=r"take\.wav exists, and a fork does not replace files"):
        performance.send(event)
    assert (inside / "take.wav").read_bytes() == b"mine"
    allowed = Performance(engine.stream(1), places=Places(overwrite=True))
    allowed.send(event)
    allowed.read(1)
    allowed.close()
    assert soundfile.info(inside / "take.wav").frames == 1600


def test_a_file_that_appears_after_the_check_is_not_replaced(engine, inside, logged) -> None:
    performance = Performance(engine.stream(1), [Fork(frame=2, to=str(inside / "take.wav"), seconds=0.1)])
    (inside / "take.wav").write_bytes(b"mine")
    performance.read(4)
    performance.close()
    assert (inside / "take.wav").read_bytes() == b"mine"
    assert [line for line in logged if "fork at frame 2" in line and "exists" in line]


def test_two_forks_do_not_write_the_same_file(engine, inside) -> None:
    performance = Performance(engine.stream(1))
    performance.send(Fork(to=str(inside / "take.wav"), seconds=0.1))
    with pytest.raises(SinkError, match=r"a fork is writing .* already"):
        performance.send(Fork(to=str(inside / "take.wav"), seconds=0.1))
    performance.read(1)
    performance.close()


@pytest.mark.parametrize("other", ["./take.wav", "link.wav", "../inside/take.wav"])
def test_two_names_of_a_file_are_the_same_file(engine, inside, monkeypatch, other) -> None:
    monkeypatch.chdir(inside)
    (inside / "link.wav").symlink_to(inside / "take.wav")
    performance = Performance(engine.stream(1), places=Places(overwrite=True))
    performance.send(Fork(to="take.wav", seconds=0.1))
    with pytest.raises(SinkError, match=r"a fork is writing .* already"):
        performance.send(Fork(to=other, seconds=0.1))
    performance.read(1)
    performance.close()
    performance.send(Fork(to=other, seconds=0.1))  # the first has ended


def test_a_fork_that_fails_for_any_reason_gives_its_place_back(engine) -> None:
    class StreamThatCannotFork(Stream):
        def fork(self, seed=None):
            raise MemoryError

    performance = Performance(StreamThatCannotFork(engine.stepper, engine.stream(1).state, StreamGroup()))
    for _ in range(MOST_FORKS + 1):
        performance.send(Fork(to="null", seconds=1.0))
        performance.read(1)


def test_a_target_with_a_null_byte_is_refused(engine) -> None:
    with pytest.raises(SinkError, match="is not a path"):
        Performance(engine.stream(1)).send(Fork(to="a\0.wav", seconds=1.0))


def test_three_hundred_forks_are_not_started(engine) -> None:
    performance = Performance(engine.stream(1))
    before, refused = threading.active_count(), []
    for _ in range(300):
        try:
            performance.send(Fork(to="null", seconds=1e6))
        except SinkError as error:
            refused.append(str(error))
    assert len(refused) == 300 - MOST_FORKS
    assert refused[0] == f"{MOST_FORKS} forks are playing, which is the limit; refused: null"
    made = performance.read(10)
    assert threading.active_count() <= before + 2 * MOST_FORKS  # each has a player
    assert np.array_equal(made, engine.stream(1).read(10))
    with pytest.raises(ZeroDivisionError), performance:
        raise ZeroDivisionError  # this stops the forks
    performance.send(Fork(to="null", seconds=1.0))  # there is room again


def test_a_timeline_starts_no_more_forks_than_the_limit(engine, logged) -> None:
    plan = [Fork(frame=1, to="null", seconds=1e6)] * (MOST_FORKS + 2)
    with pytest.raises(ZeroDivisionError), Performance(engine.stream(1), plan) as performance:
        performance.read(3)
        raise ZeroDivisionError
    assert len([line for line in logged if "which is the limit" in line]) == 2


def test_a_timeline_reads_and_writes_beside_itself_only(run, work, tmp_path, toy_audio) -> None:
    (tmp_path / "piece").mkdir()
    plan = tmp_path / "piece" / "plan.jsonl"
    words = ("stream", "--voice", toy_audio, "--to", "null", "--seconds", 0.2, "--timeline", plan)

    def write(to: Path) -> None:
        plan.write_text(json.dumps({"do": "fork", "frame": 2, "to": str(to), "seconds": 0.1}) + "\n")

    write(tmp_path / "elsewhere.wav")
    line = the_error(run(*words))
    assert line.startswith(f"error: {plan}:1: fork at frame 2: {tmp_path}/elsewhere.wav is outside of the folders")
    assert line.endswith("allow its folder (--allow)")
    assert run(*words, "--allow", tmp_path).returncode == 0
    assert (tmp_path / "elsewhere.wav").exists()
    for to in (tmp_path / "piece" / "take.wav", work / "take.wav"):
        write(to)
        assert run(*words).returncode == 0
        assert the_error(run(*words)).endswith("name another file, or allow it (--overwrite)")
        assert run(*words, "--overwrite").returncode == 0
