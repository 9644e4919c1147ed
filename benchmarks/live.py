"""Plays live through a sound server, and measures lost samples, the delay of control changes, and the audio callback.

    python benchmarks/live.py play     [--minutes 10] [--busy 1] [--latency 0.05] [--voice blizzard] [--json FILE]
    python benchmarks/live.py steer    [--times 100]
    python benchmarks/live.py callback [--minutes 1] [--channels 2]
    python benchmarks/live.py osc|midi [--minutes 1]

The script starts a private PulseAudio server and records its output.
`play` compares the recording with the same stream generated again, sample for sample.
`steer` sets output.temperature to 0 and finds the first sample of the recording that differs.  The delay is the number
of samples from the last sample that the device had taken when the control was set to the first one that differs: the
delay of the engine and the ring.  The device's own buffer adds to it.
`callback` times the audio callback, then traces which functions it calls and how much memory it allocates.
`osc` and `midi` make a thousand changes a second, by python-osc's client in another process or through mido's echo
port, and measure when each took effect.
--busy N runs N busy processes during the measurement.

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
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vrnn_engine import Engine, Player, Stream
from vrnn_engine.diagnostics.machine import measure_machine
from vrnn_engine.runtime.live.control.midi import Midi
from vrnn_engine.runtime.live.control.midi_map import MidiMap
from vrnn_engine.runtime.live.control.osc import Osc
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.sinks import speakers
from vrnn_engine.runtime.sinks.speakers import SpeakersSink

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from alignment import ROUNDING, align
from instrumented_output import TimedOutput, TracedOutput
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
    parser.add_argument("--minutes", type=float, help="default: 10 for play, 1 for the others")
    parser.add_argument("--times", type=int, default=100, help="how often steer sets the control")
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--channels", type=int)
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="processes that each keep one core busy")
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
        how = {"play": play, "steer": steer, "callback": callback, "osc": send_thousand, "midi": send_thousand}
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
    """Play, and compare the recording with the same stream generated again."""
    seconds = 60 * (options.minutes or 10)
    recorder = server.record()
    with Player(engine.stream(SEED), to=options.to, latency=options.latency, seconds=seconds) as player:
        player.wait()
    heard = recorder.finish()
    heard = heard if heard.ndim == 1 else heard[:, 0]
    format = player.format
    count = round(seconds * format.rate)
    sent = engine.stream(SEED).read(-(-count // format.frame_size))[:count].clip(-1, 1)
    found = align(sent, heard, format.rate)
    print(
        f"{seconds:g} s: {player.underruns} underruns, {player.dropped} samples dropped, {len(found.gaps)} gaps; ",
        end="",
    )
    print(f"{found.differing} of {found.compared} samples differ by more than half a 16-bit step")
    return {"seconds": seconds, "underruns": player.underruns, "dropped": player.dropped, **asdict(found)}


def steer(options: argparse.Namespace, engine: Engine, server: sound_server.SoundServer) -> dict[str, Any]:
    """Set a control many times; find each change in the recording."""
    rng, events, turns = np.random.default_rng(SEED), [], []
    speakers.OutputDevice = TimedOutput  # type: ignore[misc]
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
    sent, untouched = replay(engine.stream(SEED), events, performance.frame, format.frame_size)
    found = align(sent.clip(-1, 1), heard, format.rate)
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
    print(f"set {len(turns)} times, found {len(delays)} times; {player.underruns} underruns, {len(found.gaps)} gaps")
    print(f"through engine and ring: p50 {np.median(milliseconds):.1f} ms, max {milliseconds.max():.1f}; ", end="")
    print(
        f"{within} of {len(delays)} within the ring's {1000 * device.ring.capacity / format.rate:.1f} ms plus 2 frames"
    )
    print(
        f"by the clock, until the device took it: p50 {1000 * np.median(waits):.1f} ms, max {1000 * max(waits):.1f}; ",
        end="",
    )
    print(f"the device buffers {1000 * device.delay:.0f} ms more, as PortAudio reports")
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
    """Time the audio callback, then trace it."""
    recorder = server.record()  # without a recorder, the server requests two seconds at a time
    seconds = 60 * (options.minutes or 1)
    found: dict[str, Any] = {"seconds": seconds}
    for kind in (TimedOutput, TracedOutput):
        speakers.OutputDevice = kind  # type: ignore[misc]
        sink = SpeakersSink(options.to, options.latency)
        device: Any = None
        with Player(engine.stream(SEED), to=sink, latency=options.latency, seconds=seconds) as player:
            device = sink.device
            player.wait()
        notes = device.notes[: device.count]
        if kind is TimedOutput:
            p50, p99, most = np.percentile(1000 * notes[:, 1], [50, 99, 100]).tolist()
            found |= {"callbacks": len(notes), "p50": p50, "p99": p99, "max": most, "underruns": player.underruns}
            print(f"{len(notes)} callbacks: p50 {p50:.4f} ms, p99 {p99:.4f}, max {most:.4f}; ", end="")
            print(f"{player.underruns} underruns")
        else:
            p50, p99, most = np.percentile(notes, [50, 99, 100]).astype(int).tolist()
            found |= {"calls": sorted(device.calls), "bytes": {"p50": p50, "p99": p99, "max": most}}
            print(f"calls {', '.join(found['calls'])}")
            print(f"allocates at most {p50} bytes at a time (p50; p99 {p99}, max {most}; other threads included)")
    recorder.finish()
    return found


def send_thousand(options: argparse.Namespace, engine: Engine, server: sound_server.SoundServer) -> dict[str, Any]:
    """Make a thousand changes a second, and measure which took effect and when."""
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
    print(f"{count} changes: {lost} lost; late p50 {p50:.2f} frames, p99 {p99:.2f}, max {most:.2f}; ", end="")
    print(f"{more} by more than 2; {player.underruns} underruns")
    return {"changes": count, "lost": lost, "late": {"p50": p50, "p99": p99, "max": most}, "more_than_two": more} | {
        "underruns": player.underruns
    }


Sent = tuple[list[float], list[tuple[str, int | None]], Callable[[TimedPerformance, int], int]]


def by_osc(performance: TimedPerformance, count: int) -> Sent:
    """Send changes by OSC; return when each was sent, their targets, and the function that counts lost ones."""
    source = Osc()
    source.start(performance)
    try:
        return send_osc(source.port, count), BY_OSC, count_lost_osc
    finally:
        time.sleep(0.5)
        source.stop()


def by_midi(performance: TimedPerformance, count: int) -> Sent:
    """Send changes by MIDI; the result is as that of `by_osc`."""
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


def replay(
    stream: Stream, events: list[Any], frames: int, size: int
) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """Generate the played stream again; for each change to 0, return its sample and the next samples without it."""
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
    """Keep some cores busy."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


@contextlib.contextmanager
def sound(channels: int) -> Iterator[sound_server.SoundServer]:
    """Run a sound server that PortAudio in this process uses."""
    with tempfile.TemporaryDirectory() as folder:
        server = sound_server.SoundServer(Path(folder), channels)
        os.environ.update(server.environment)
        try:
            yield server
        finally:
            server.close()


if __name__ == "__main__":
    main()
