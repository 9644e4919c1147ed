"""Lets a voice run for long, and shows whether anything drifts: memory, time, sound or ink, latents.

    python benchmarks/soak.py blizzard --seconds 3600 --seeds 10
    python benchmarks/soak.py handwriting --seconds 3600 --seeds 10 --realtime

Runs one stream after another, through a performance as a live stream is played, and prints a row for each window of
ten minutes of sound or ink: resident memory in MiB, 99th percentile of the time of a frame in ms, frames that were not
finite, and recoveries by the watch on the level; of sound, level and the largest change of a third octave since the
first window, in dB; of ink, the medians of stroke length, curvature, slant and size, and strokes per point; the mean
and sd of the latents, and how far their means moved, in sds of the first window.  A voice that reads a text writes one
without end.  The last line says `flat`, or what drifted; the exit code is then 1.  `soak_windows.py` has the limits.
"""

import argparse
import logging
import sys
import time
from collections.abc import Iterator

import numpy as np
from soak_windows import Ink, Latents, Row, Sound, compare, drifted

from vrnn_engine import Engine
from vrnn_engine.diagnostics.process_memory import resident_memory
from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.evaluation.sound import SHORTEST
from vrnn_engine.runtime.live.events import AnyEvent, Reset
from vrnn_engine.runtime.live.performance import Performance

WINDOW = 600.0
"""Length of a window in seconds of sound or ink."""
TEXT = "The removal van came at noon, an hour early, and all the boxes stood in the yard under a grey and windy sky. "
LINE = 160.0
"""Width of a line of text, in the unit of the voice: that of a page."""
SOON = 100
"""Number of pending characters below which more text is added."""


class NotFinite(logging.Handler):
    """Counts the warnings about frames that are not finite."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a warning."""
        self.count += "not finite" in record.getMessage()


class Run:
    """One stream of a voice that is read for long.

    Parameters
    ----------
    engine : Engine
        Holds the voice.
    seed : int
        Seed of the stream.
    realtime : bool
        Whether frames are read at the rate at which they would be played.
    """

    def __init__(self, engine: Engine, seed: int, realtime: bool = False) -> None:
        self._manifest, self._realtime = engine.voice.manifest, realtime
        self._writes = self._manifest.text is not None
        self._stream = engine.stream(seed, text=TEXT, width=LINE) if self._writes else engine.stream(seed)
        self._recoveries = 0
        self._performance = Performance(self._stream, record=self._count)
        self._began = time.perf_counter()

    def rows(self, windows: int, seconds: float) -> Iterator[Row]:
        """Yield the values of each window.

        Parameters
        ----------
        windows : int
            Number of windows.
        seconds : float
            Length of a window in seconds of sound or ink; at least 4.
        """
        logger, not_finite = logging.getLogger("vrnn_engine"), NotFinite()
        logger.addHandler(not_finite)
        try:
            first: Row | None = None
            for _ in range(windows):
                before = self._recoveries, not_finite.count, self._faults()
                row = self._window(round(seconds * self._manifest.frames_per_second), seconds)
                row["recoveries"] = self._recoveries - before[0]
                row["not_finite"] = not_finite.count - before[1]
                if self._writes:
                    row["faults"] = self._faults() - before[2]
                first = first or row
                yield row | compare(first, row)
        finally:
            logger.removeHandler(not_finite)
            self._performance.close()
            self._stream.close()

    def _window(self, frames: int, seconds: float) -> Row:
        sound = self._manifest.modality == "audio"
        made, latents = Sound(self._manifest, seconds) if sound else Ink(self._manifest), Latents()
        taken = np.zeros(frames)
        for frame in range(frames):
            if self._writes and self._stream.pending < SOON:
                self._performance.write(TEXT)
            if self._realtime:
                due = self._began + self._performance.frame / self._manifest.frames_per_second
                time.sleep(max(0.0, due - time.perf_counter()))
            began = time.perf_counter()
            block = self._performance.read(1)
            taken[frame] = time.perf_counter() - began
            made.add(block)
            latents.add(self._stream.latent)
        row = {"p99": 1000 * float(np.percentile(taken, 99)), **made.row(), **latents.row()}
        del made, taken, block  # the memory of the window does not count
        return {"memory": resident_memory() / 2**20, **row}

    def _faults(self) -> int:
        return self._stream.faults if self._writes else 0

    def _count(self, event: AnyEvent) -> None:
        self._recoveries += isinstance(event, Reset)


def show(seed: int, number: int, row: Row) -> str:
    """Return the line of a window.

    Parameters
    ----------
    seed, number : int
        Seed of the stream, and number of the window.
    row : Row
        Its values.
    """
    shown = {name: value for name, value in row.items() if not name.startswith(("band_", "mean_", "sd_"))}
    return f"seed {seed} window {number}: " + "  ".join(f"{name} {value:.4g}" for name, value in shown.items())


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice")
    parser.add_argument("--seconds", type=float, default=3600.0, help="sound or ink of each seed (default: 3600)")
    parser.add_argument("--seeds", type=int, default=10, help="number of streams (default: 10)")
    parser.add_argument("--window", type=float, default=WINDOW, help="seconds of a window (default: 600)")
    parser.add_argument(
        "--realtime", action="store_true", help="read at the rate of playing (default: as fast as possible)"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision")
    options = parser.parse_args()
    windows = int(options.seconds / options.window) if options.window > 0 else 0
    if windows < 2 or options.window < SHORTEST or options.seeds < 1:
        parser.error(f"--seconds must be two windows or more, --window at least {SHORTEST:g}, and --seeds at least 1")
    engine = Engine.load(options.voice, options.device, precision=options.precision)
    found = []
    for seed in range(options.seeds):
        rows = []
        for number, row in enumerate(Run(engine, seed, options.realtime).rows(windows, options.window), 1):
            print(show(seed, number, row), flush=True)
            rows.append(row)
        found += [f"seed {seed}: {phrase}" for phrase in drifted(rows)]
    what = f"{engine.voice.name}, {options.seeds} seeds, {options.seeds * windows} windows of {options.window:g} s"
    print(f"drifted: {what}: {'; '.join(found)}" if found else f"flat: {what}")
    return int(bool(found))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except VRNNEngineError as error:
        sys.exit(f"error: {error}")
