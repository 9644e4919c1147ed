"""Admission by measured times, and the clock of a session."""

import itertools

import numpy as np
import pytest
from support.clock import Clock
from support.served import Served, listener, run, serve
from websockets.exceptions import InvalidStatus

from vrnn_engine.runtime.sinks.pcm import to_pcm16
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.protocol import Open
from vrnn_engine.serve.sessions.admission import Admission
from vrnn_engine.serve.sessions.pacing import Pace, Pacer, frames_in
from vrnn_engine.serve.sessions.packing import Packer, encode_blocks
from vrnn_engine.serve.voices import ServedVoices

FRAME = 0.0125


def admitted(time_of, attempts=500):
    """Return how many sessions are admitted when a frame of `rows` rows takes `time_of(rows)` seconds."""
    clock = Clock()
    admission = Admission(FRAME, clock=clock)
    for rows in (1, 8):
        admission.calibrate(rows, time_of(rows))
    for _ in range(attempts):
        if not admission.admit():
            break
        for _ in range(10):
            clock.now += 2 * FRAME
            admission.measured(admission.sessions, time_of(admission.sessions))
    return admission.sessions


@pytest.mark.parametrize(
    ("time_of", "fits"),
    [
        (lambda rows: 0.0005 + 0.0001 * rows, 101),  # 0.85 * 12.5 ms = 10.6 ms
        (lambda rows: 0.001 * rows, 10),
        (lambda rows: 0.02, 1),
        (lambda rows: 1e-6 * rows, 500),
    ],
    ids=["linear", "no fixed part", "too slow", "fast"],
)
def test_as_many_are_admitted_as_the_measured_times_leave_room_for(time_of, fits) -> None:
    assert admitted(time_of) == pytest.approx(fits, abs=1)


def test_a_machine_that_slows_down_admits_fewer_and_recovers() -> None:
    clock = Clock()
    admission = Admission(FRAME, clock=clock)
    admission.calibrate(1, 0.0001)

    def run_for(seconds, per_row):
        for _ in range(round(seconds / FRAME / 2)):
            clock.now += 2 * FRAME
            admission.measured(admission.sessions, per_row * admission.sessions)

    for _ in range(20):
        assert admission.admit()
    run_for(1, 0.0001)
    assert admission.has_room
    run_for(3, 0.0006)
    assert not admission.has_room
    run_for(30, 0.0001)
    assert admission.has_room


def test_a_single_slow_tick_refuses_nobody() -> None:
    clock = Clock()
    admission = Admission(FRAME, clock=clock)
    admission.calibrate(1, 0.0005)
    admission.calibrate(8, 0.0008)
    for _ in range(5):
        assert admission.admit()
    for tick in range(100):
        clock.now += 2 * FRAME
        admission.measured(5, 0.05 if tick == 50 else 0.0007)
    assert admission.has_room


@pytest.mark.parametrize(("every", "has_room"), [(50, False), (200, True)])
def test_nobody_is_admitted_while_more_than_one_tick_in_a_hundred_is_late(every, has_room) -> None:
    clock = Clock()
    admission = Admission(FRAME, clock=clock)
    assert admission.admit()
    for tick in range(1, 2001):
        clock.now += 2 * FRAME
        admission.measured(1, 1.5 * FRAME if tick % every == 0 else 0.001)
    assert admission.predicted(2) < 0.5 * FRAME
    assert admission.has_room == has_room
    clock.now += 60
    assert admission.has_room


@pytest.mark.parametrize(("spread", "fits"), [(0.0, 101), (0.1, 91), (0.3, 62)])
def test_fewer_are_admitted_the_more_ticks_differ(spread, fits) -> None:
    """A tick takes the mean time, more or less by a share of it: with a share of 0.3, 1.9 times the mean must fit."""
    signs = itertools.cycle((1, -1))
    found = admitted(lambda rows: (0.0005 + 0.0001 * rows) * (1 + spread * next(signs)))
    assert found == pytest.approx(fits, rel=0.15)  # the deviations are those of the last five seconds, with fewer rows


def test_the_time_to_wait_is_that_between_two_sessions_that_leave() -> None:
    clock = Clock()
    admission = Admission(FRAME, clock=clock)
    assert admission.retry_after == 10
    for _ in range(12):
        admission.admit()
    for _ in range(12):
        clock.now += 4
        admission.leave()
    assert admission.retry_after == 5
    clock.now += 100
    assert admission.retry_after == 10


def test_the_largest_number_of_sessions_holds_whatever_the_times_are() -> None:
    admission = Admission(FRAME, limit=2)
    assert [admission.admit() for _ in range(3)] == [True, True, False]
    admission.leave()
    assert admission.admit()


@pytest.mark.parametrize(("given", "audio", "pen"), [(None, True, False), (0.9, True, True), (0.7, False, False)])
def test_ticks_of_ink_may_take_less_of_the_time_than_those_of_sound(toy_audio, toy_pen, given, audio, pen) -> None:
    """A tick takes four fifths of the time that its frames last."""
    voices = ServedVoices(ServeOptions((str(toy_audio), str(toy_pen)), device="cpu", share=given))
    try:
        for name, has_room in (("toy-audio", audio), ("toy-pen", pen)):
            batch = voices.batch(name)
            assert batch.admission.admit()
            for _ in range(1000):
                batch.admission.measured(1, 0.8 / batch.pace.frames_per_second)
                batch.admission.measured(3, 0.8 / batch.pace.frames_per_second)
            assert batch.admission.has_room is has_room
    finally:
        voices.close()


def test_a_server_whose_steps_take_too_long_refuses_the_second_listener(fragile) -> None:
    """No measurement is injected: the share of the time that may be used is so small that one session fills it."""

    async def second(server: Served) -> None:
        async with listener(server.url("toy-audio")) as one:
            await one.open(Open(credit=80))
            await one.listen(20)
            async with listener(server.url("toy-audio")):
                pass

    with serve(str(fragile), share=0.001) as server, pytest.raises(InvalidStatus) as error:
        run(second(server))
    assert error.value.response.status_code == 503


def pace() -> Pace:
    return Pace(80.0, 2, 20)


def test_a_session_is_a_lead_ahead_of_its_clock_and_no_more() -> None:
    pacer = Pacer(pace(), 1_000_000, 2, now=0.0)
    made = 0
    for tick in range(4000):
        now = tick * 0.025
        ready = min(2, pacer.ready(now, 0))
        while ready:
            pacer.spend(ready)
            made += ready
            ready = min(2, pacer.ready(now, 0)) if pacer.is_behind else 0
        assert 9 + 80 * now <= made <= 20 + 80 * now


def test_a_player_whose_buffer_is_full_waits_for_the_next_tick() -> None:
    pacer = Pacer(pace(), 40, 2, now=0.0)
    assert pacer.is_behind
    for tick in range(10):
        pacer.spend(pacer.ready(0.25 * tick, 0))
    pacer.give(4)
    assert pacer.ready(9.0, 0) == 4
    assert not pacer.is_behind
    pacer.give(17)
    assert pacer.is_behind


def test_a_pause_is_not_caught_up_beyond_the_lead() -> None:
    pacer = Pacer(pace(), 20, 2, now=0.0)
    assert pacer.ready(0.0, 0) == 20
    pacer.spend(20)
    assert pacer.ready(60.0, 0) == 0  # no credit
    assert pacer.stalled(60.0) == 60
    pacer.give(1000)
    assert pacer.ready(60.0, 0) == 20
    assert pacer.ready(60.0, 15) == 5  # frames that wait to be sent count
    assert pacer.ready(60.0, 25) == 0


def test_two_messages_always_fit_into_the_lead() -> None:
    """Else a session with long messages would wait for ever for the end of its first one."""
    assert Pacer(pace(), 1000, 50, now=0.0).ready(0.0, 49) == 51


def test_the_paces_of_sound_and_ink() -> None:
    assert (Pace.of(80.0, ink=False).tick, Pace.of(80.0, ink=False).lead) == (2, 20)
    assert (Pace.of(30.0, ink=True).tick, Pace.of(30.0, ink=True).lead) == (6, 30)
    assert Pace.of(80.0, ink=False).period == 0.025
    assert [frames_in(0.02, rate) for rate in (10, 50, 80, 1000)] == [1, 1, 2, 20]


def test_frames_are_cut_into_messages_of_one_length() -> None:
    packer = Packer(3, 8, first=5)
    samples = np.arange(20, dtype=np.float32)
    data = samples.tobytes()
    messages = packer.add(data[:16]) + packer.add(data[16:56]) + packer.add(data[56:])
    assert [int.from_bytes(message[:8], "little") for message in messages] == [5, 8, 11]
    assert np.array_equal(np.frombuffer(b"".join(message[8:] for message in messages), "<f4"), samples[:18])
    assert packer.held == 1
    (short,) = packer.flush()
    assert (short[:8], short[8:]) == ((14).to_bytes(8, "little"), samples[18:].tobytes())
    assert (packer.flush(), packer.add(data[:16])) == ([], [])
    assert packer.skip_to(20) == 2
    assert packer.add(data[:24])[0][:8] == (20).to_bytes(8, "little")


def test_blocks_are_encoded_together_as_each_is_alone() -> None:
    blocks = [np.linspace(-1.5, 1.5, 8, dtype=np.float32) * scale for scale in (1, 0.1, 0.5)]
    formats = ("s16le", "f32le", "s16le")
    together = encode_blocks(blocks, formats)
    assert together == [encode_blocks([block], [format])[0] for block, format in zip(blocks, formats, strict=True)]
    assert together[0] == to_pcm16(blocks[0])[0].tobytes()
    assert together[1] == blocks[1].tobytes()
    assert encode_blocks([], []) == []
