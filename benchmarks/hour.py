"""Streams a voice for an hour in real time, and compares step times, memory and underruns with the first minute.

    python benchmarks/hour.py [--voice blizzard] [--precision int8] [--device cpu] [--minutes 60] [--to null]
                              [--latency 0.05] [--json FILE]

One process plays a stream through a `Player`.  The measured times are those of the player's calls of `stream.read`, in
its thread.  A target that is not a sound device receives the stream at the speed of a sound device and in blocks of the
same size, and its underruns are counted in the same way.  Memory is the resident memory at the end of each minute.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import msgspec
import numpy as np

from vrnn_engine import Engine, Player, Stream
from vrnn_engine.diagnostics.machine import measure_machine
from vrnn_engine.diagnostics.process_memory import resident_memory
from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.runtime.sinks import Format, Sink, make_sink

MINUTE = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", default="blizzard")
    parser.add_argument("--precision")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--to", metavar="TARGET", default="null")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds of sound that are buffered")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.minutes < 2 or not options.latency > 0 or options.to == "-":
        parser.error("--minutes must be at least 2, --latency more than 0, and --to not - (stdout has the report)")
    machine = measure_machine({})
    engine = Engine.load(options.voice, options.device, precision=options.precision)
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}; onnxruntime {machine.onnxruntime}")
    print(f"{engine.voice.name}: {engine.provider}, {engine.precision}, to {options.to}")
    minutes = play(engine.stream(0), options.to, options.latency, options.minutes)
    first, last = minutes[0], minutes[-1]
    slower = last["p99"] / first["p99"]
    growth = last["memory"] - first["memory"]
    print(f"p99 of the last minute / p99 of the first: {slower:.2f}; {last['underruns']} underruns")
    print(f"memory since the end of the first minute: {growth / 2**20:+.2f} MiB")
    if options.json:
        report = {
            "voice": engine.voice.name,
            "provider": engine.provider,
            "precision": engine.precision,
            "to": options.to,
            "latency": options.latency,
            "machine": msgspec.to_builtins(machine),
            "minutes": minutes,
            "p99_last_over_first": slower,
            "memory_growth": growth,
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def play(stream: Stream, to: str, latency: float, count: int) -> list[dict]:
    """Play for some minutes; print and return the measurements of each."""
    seconds = MINUTE * count
    fps, sink = stream.voice.manifest.frames_per_second, make_sink(to, latency)
    timed = Timed(stream, round((seconds + latency + MINUTE) * fps))
    minutes: list[dict] = []
    print(f"{'minute':>6}  {'frames':>7}{'p50 ms':>9}{'p99':>9}{'max':>9}{'late':>7}{'MiB':>9}{'underruns':>11}")
    with Player(timed, to=sink if sink.live else Paced(sink, latency), latency=latency) as player:
        began, before = time.monotonic(), 0
        for minute in range(1, count + 1):
            player.wait(max(0.0, began + minute * MINUTE - time.monotonic()))
            after = timed.count
            taken = 1000 * timed.taken[before:after]
            before = after
            p50, p99 = np.percentile(taken, [50, 99]).tolist()
            memory = resident_memory()
            minutes.append(
                {
                    "frames": len(taken),
                    "p50": p50,
                    "p99": p99,
                    "max": float(taken.max()),
                    "late": int((taken > 1000 / fps).sum()),
                    "memory": memory,
                    "underruns": player.underruns,
                }
            )
            print(f"{minute:6}  {len(taken):7}{p50:9.3f}{p99:9.3f}{taken.max():9.3f}", end="")
            print(f"{minutes[-1]['late']:7}{memory / 2**20:9.2f}{player.underruns:11}", flush=True)
    return minutes


class Timed:
    """A stream for a player; `taken` is the time, in seconds, of each of the first `count` frames."""

    def __init__(self, stream: Stream, most: int) -> None:
        self.voice, self._read = stream.voice, stream.read
        self.taken = np.full(most, np.nan)  # allocated now, so that the memory of the process does not grow later
        self.count = 0

    def read(self, frames: int) -> np.ndarray:
        """Read frames, and record an equal share of the time for each."""
        began = time.perf_counter()
        block = self._read(frames)
        self.taken[self.count : self.count + frames] = (time.perf_counter() - began) / frames
        self.count += frames
        return block


class Paced(Sink):
    """Takes blocks at the speed of a sound device that starts when `latency` seconds are buffered."""

    live = True

    def __init__(self, sink: Sink, latency: float) -> None:
        self.sink, self.latency = sink, latency
        self.label = sink.label
        self.underruns = 0
        self._buffered = 0.0
        self._empty: float | None = None
        """When the buffer will be empty; None before the start."""

    def open(self, format: Format) -> None:
        """Open the sink."""
        self.rate = format.rate
        self.sink.open(format)

    def write(self, block: np.ndarray) -> None:
        """Write a block, and wait until at most `latency` seconds are buffered."""
        now, length = time.perf_counter(), len(block) / self.rate
        if self._empty is None:
            self._buffered += length
            if self._buffered >= self.latency:
                self._empty = now + self._buffered
        else:
            if self._empty < now:
                self.underruns += 1
            self._empty = max(self._empty, now) + length
        self.sink.write(block)
        if self._empty is not None:
            time.sleep(max(0.0, self._empty - self.latency - time.perf_counter()))

    def close(self) -> None:
        """Finish the sink."""
        self.sink.close()

    def abort(self) -> None:
        """Remove what was written."""
        self.sink.abort()


if __name__ == "__main__":
    try:
        main()
    except VRNNEngineError as error:
        sys.exit(f"error: {error}")
