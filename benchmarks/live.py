"""Playing live through a real sound server: is all of it heard, how soon is a control heard, what does the callback do?

    python benchmarks/live.py play     [--minutes 10] [--busy 1] [--latency 0.05] [--voice blizzard] [--json FILE]
    python benchmarks/live.py steer    [--times 100]
    python benchmarks/live.py callback [--minutes 1] [--channels 2]
    python benchmarks/live.py osc|midi [--minutes 1]

`play` compares what a PulseAudio server of its own heard with the same stream made anew, sample for sample.  `steer`
turns output.temperature to 0 and looks in what was heard for the first sample that is another.  Its delay is counted in
samples, from the last one that the device had taken when it was turned: the way through the engine and the ring.  To
that comes what the device holds.  `callback` times what runs on PortAudio's thread, then traces it: which functions are
called, and how much memory is asked for.  `osc` and `midi` make a thousand changes a second, by python-osc's client in
a process of its own, and through mido's own loop, and look when each took effect.  --busy N keeps N processes busy
meanwhile.

Needs PortAudio and PulseAudio (Debian: libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins).
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vrnn_engine import Engine, Player, Stream
from vrnn_engine.diagnostics.machine import measure_machine
from vrnn_engine.runtime.audio.output import OutputDevice
from vrnn_engine.runtime.live.control.midi import Midi
from vrnn_engine.runtime.live.control.midi_map import MidiMap
from vrnn_engine.runtime.live.control.osc import Osc
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.sinks import speakers
from vrnn_engine.runtime.sinks.speakers import SpeakersSink

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from following import ROUNDING, follow
from support import sound_server
from support.load_test import (
    BY_MIDI,
    BY_OSC,
    KNOBS,
    LoopbackInputs,
    bind_controllers,
    count_lost_midi,
    count_lost_osc,
    lateness,
    send_midi,
    send_osc,
)
from support.steered import TimedPerformance

SEED = 0
TURNED = "output.temperature"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["play", "steer", "callback", "osc", "midi"])
    parser.add_argument("--voice", default="blizzard")
    parser.add_argument("--precision")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--minutes", type=float, help="default: 10 of play, 1 of the others")
    parser.add_argument("--times", type=int, default=100, help="how often steer turns")
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--channels", type=int)
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="processes that keep a core busy each")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.to = "speakers" if options.channels is None else f"speakers?channels={options.channels}"
    if reason := sound_server.missing():
        sys.exit(f"live.py: {reason}")
    machine = measure_machine({})
    engine = Engine.load(options.voice, options.device, precision=options.precision)
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}; onnxruntime {machine.onnxruntime}")
    print(f"{engine.voice.name}: {engine.provider}, {engine.precision}; latency {options.latency:g} s, ", end="")
    print(f"{options.busy} busy processes", flush=True)
    with busy(options.busy), sound(options.channels or 1) as server:
        how = {"play": play, "steer": steer, "callback": callback, "osc": thousand, "midi": thousand}
        found = how[options.what](options, engine, server)
    if options.json:
        report = {
            "what": options.what,
            "voice": engine.voice.name,
            "provider": engine.provider,
            "precision": engine.precision,
            "latency": options.latency,
            "busy": options.busy,
            "machine": msgspec.to_builtins(machine),
            **found,
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def play(options: argparse.Namespace, engine: Engine, server: sound_server.SoundServer) -> dict[str, Any]:
    """Play, and compare with the same made anew."""
    seconds = 60 * (options.minutes or 10)
    recorder = server.record()
    with Player(engine.stream(SEED), to=options.to, latency=options.latency, seconds=seconds) as player:
        player.wait()
    heard = recorder.finish()
    heard = heard if heard.ndim == 1 else heard[:, 0]
    format = player.format
    count = round(seconds * format.rate)
    sent = engine.stream(SEED).read(-(-count // format.frame_size))[:count].clip(-1, 1)
    found = follow(sent, heard, format.rate)
    print(
        f"{seconds:g} s: {player.underruns} underruns, {player.dropped} samples dropped, {len(found.gaps)} gaps; ",
        end="",
    )
    print(f"{found.differing} of {found.compared} samples differ by more than half a step of 16 bits")
    return {"seconds": seconds, "underruns": player.underruns, "dropped": player.dropped, **asdict(found)}


def steer(options: argparse.Namespace, engine: Engine, server: sound_server.SoundServer) -> dict[str, Any]:
    """Turn a control again and again; find each turn in what was heard."""
    rng, events, turns = np.random.default_rng(SEED), [], []
    speakers.OutputDevice = Timed  # type: ignore[misc]
    recorder = server.record()
    performance = Performance(engine.stream(SEED), record=events.append)
    usual = performance.controls[TURNED]
    sink = SpeakersSink(options.to, options.latency)
    with Player(performance, to=sink, latency=options.latency) as player:
        device: Any = sink.device
        while player.seconds_played < 0.5:
            player.wait(0.01)
        for _ in range(options.times):
            player.wait(rng.uniform(0.1, 0.2))
            turns.append((time.perf_counter(), device.ring.taken))
            performance.controls[TURNED] = 0.0
            player.wait(0.2)
            performance.controls[TURNED] = usual
        player.wait(0.3)
    heard, format = recorder.finish(), player.format
    sent, untouched = again(engine.stream(SEED), events, performance.frame, format.frame_size)
    found = follow(sent.clip(-1, 1), heard, format.rate)
    taken, times = device.notes[: device.count, 2], device.notes[: device.count, 0]
    delays, waits = [], []
    for (when, position), (start, other) in zip(turns, untouched, strict=True):
        part = heard[found.place(start) :][: len(other)]
        apart = np.flatnonzero(np.abs(part - other[: len(part)].clip(-1, 1)) > ROUNDING)
        if len(apart):
            first = start + int(apart[0])
            delays.append(first - position)
            waits.append(float(times[min(np.searchsorted(taken, first, "right"), device.count - 1)]) - when)
    bound = device.ring.capacity + 2 * format.frame_size
    within = sum(delay <= bound for delay in delays)
    milliseconds = 1000 * np.array(delays) / format.rate
    print(f"turned {len(turns)} times, seen {len(delays)} times; {player.underruns} underruns, {len(found.gaps)} gaps")
    print(f"through engine and ring: p50 {np.median(milliseconds):.1f} ms, most {milliseconds.max():.1f}; ", end="")
    print(
        f"{within} of {len(delays)} within the ring's {1000 * device.ring.capacity / format.rate:.1f} ms and 2 frames"
    )
    print(
        f"by the clock, until the device took it: p50 {1000 * np.median(waits):.1f} ms, most {1000 * max(waits):.1f}; ",
        end="",
    )
    print(f"it holds {1000 * device.delay:.0f} ms more, as PortAudio says")
    return {
        "turned": len(turns),
        "seen": len(delays),
        "within": within,
        "bound_samples": bound,
        "delays_samples": delays,
        "waits_seconds": waits,
        "device_seconds": device.delay,
        "underruns": player.underruns,
        **asdict(found),
    }


def callback(options: argparse.Namespace, engine: Engine, server: sound_server.SoundServer) -> dict[str, Any]:
    """Time what runs on PortAudio's thread, then trace it."""
    recorder = server.record()  # a server whose output nobody hears takes two seconds of it at a time
    seconds = 60 * (options.minutes or 1)
    found: dict[str, Any] = {"seconds": seconds}
    for kind in (Timed, Traced):
        speakers.OutputDevice = kind  # type: ignore[misc]
        sink = SpeakersSink(options.to, options.latency)
        device: Any = None
        with Player(engine.stream(SEED), to=sink, latency=options.latency, seconds=seconds) as player:
            device = sink.device
            player.wait()
        notes = device.notes[: device.count]
        if kind is Timed:
            p50, p99, most = np.percentile(1000 * notes[:, 1], [50, 99, 100]).tolist()
            found |= {"callbacks": len(notes), "p50": p50, "p99": p99, "max": most, "underruns": player.underruns}
            print(f"{len(notes)} callbacks: p50 {p50:.4f} ms, p99 {p99:.4f}, most {most:.4f}; ", end="")
            print(f"{player.underruns} underruns")
        else:
            p50, p99, most = np.percentile(notes, [50, 99, 100]).astype(int).tolist()
            found |= {"calls": sorted(device.calls), "bytes": {"p50": p50, "p99": p99, "max": most}}
            print(f"calls {', '.join(found['calls'])}")
            print(f"asks for at most {p50} bytes at a time (p50; p99 {p99}, most {most}, of all threads meanwhile)")
    recorder.finish()
    return found


def thousand(options: argparse.Namespace, engine: Engine, server: sound_server.SoundServer) -> dict[str, Any]:
    """Let a client make a thousand changes a second, and look which took effect and when."""
    recorder = server.record()  # as above
    performance, count = TimedPerformance(engine), round(60_000 * (options.minutes or 1))
    with Player(performance, to=options.to, latency=options.latency) as player:
        player.wait(0.5)
        sent, targets, lost_of = by_osc(performance, count) if options.what == "osc" else by_midi(performance, count)
        player.wait(0.5)
    recorder.finish()
    lost, frames = lost_of(performance, count), np.array(lateness(performance, targets, sent))
    p50, p99, most = np.percentile(frames, [50, 99, 100]).tolist()
    more = int(np.count_nonzero(frames > 2))
    print(f"{count} changes: {lost} lost; late p50 {p50:.2f} frames, p99 {p99:.2f}, most {most:.2f}; ", end="")
    print(f"{more} by more than 2; {player.underruns} underruns")
    return {"changes": count, "lost": lost, "late": {"p50": p50, "p99": p99, "max": most}, "more_than_two": more} | {
        "underruns": player.underruns
    }


Sent = tuple[list[float], list[tuple[str, int | None]], Callable[[TimedPerformance, int], int]]


def by_osc(performance: TimedPerformance, count: int) -> Sent:
    """Send changes by OSC; return when each was sent, what it changed, and who counts those that were lost."""
    source = Osc()
    source.start(performance)
    try:
        return send_osc(source.port, count), BY_OSC, count_lost_osc
    finally:
        time.sleep(0.5)
        source.stop()


def by_midi(performance: TimedPerformance, count: int) -> Sent:
    """As `by_osc`."""
    with tempfile.TemporaryDirectory() as folder:
        bindings, loop = MidiMap(Path(folder) / "midi.json"), LoopbackInputs()
        bind_controllers(bindings)
        source = Midi(KNOBS, bindings, inputs=loop)
        source.start(performance)
        try:
            return send_midi(loop.port, count), BY_MIDI, count_lost_midi
        finally:
            time.sleep(0.5)
            source.stop()


class Timed(OutputDevice):
    """Notes of each callback when it began, how many seconds it took, and how many samples had been taken by then."""

    def __init__(self, *given: Any) -> None:
        self.notes = np.zeros((1 << 20, 3))  # two hours and more; memory is used as it is written
        self.count = 0
        super().__init__(*given)

    def _play(self, *given: Any) -> None:
        began = time.perf_counter()
        try:
            super()._play(*given)
        finally:
            self.notes[self.count] = began, time.perf_counter() - began, self.ring.taken
            self.count += 1


class Traced(OutputDevice):
    """Notes of every other callback the bytes that it asked for at most; of the rest, in `calls`, what was called."""

    def __init__(self, *given: Any) -> None:
        self.notes = np.zeros(1 << 20)
        self.count = 0
        self.calls: set[str] = set()
        self._odd = False
        super().__init__(*given)
        tracemalloc.start()

    def _play(self, *given: Any) -> None:
        self._odd = not self._odd
        if self._odd:
            sys.setprofile(self._note)
            try:
                super()._play(*given)
            finally:
                sys.setprofile(None)
            return
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            super()._play(*given)
        finally:
            self.notes[self.count] = tracemalloc.get_traced_memory()[1] - before
            self.count += 1

    def _note(self, frame: Any, event: str, what: Any) -> None:
        if event == "call":
            self.calls.add(frame.f_code.co_qualname)
        elif event == "c_call" and what is not sys.setprofile:
            self.calls.add(what.__qualname__)

    def close(self) -> None:
        """Stop tracing."""
        super().close()
        tracemalloc.stop()


def again(stream: Stream, events: list[Any], frames: int, size: int) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """Make anew what was played; and for each turn to 0, where it was and what would have come without it."""
    made, untouched, at = [], [], 0
    for event in events:
        made.append(stream.read(event.frame - at))
        at = event.frame
        if event.value == 0:
            untouched.append((at * size, stream.fork(stream.seed).read(4)))
        stream.controls[event.control] = event.value
    made.append(stream.read(frames - at))
    return np.concatenate(made), untouched


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep so many cores busy."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


@contextlib.contextmanager
def sound(channels: int) -> Iterator[sound_server.SoundServer]:
    """Run a sound server, which PortAudio in this process then uses."""
    with tempfile.TemporaryDirectory() as folder:
        server = sound_server.SoundServer(Path(folder), channels)
        os.environ.update(server.environment)
        try:
            yield server
        finally:
            server.close()


if __name__ == "__main__":
    main()
