"""Plug-ins for vrnn-engine: `--steer swing:CONTROL,DEPTH,SECONDS` and `--to FILE.levels`."""

import math
import threading
from pathlib import Path

import numpy as np

from vrnn_engine import SourceError
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.sinks import AtomicFile, Format

NAP = 0.01


class Swing:
    """Swings a control around the value that it has, by DEPTH up and down, once in SECONDS of what is played."""

    def __init__(self, text: str) -> None:
        try:
            self.control, depth, seconds = text.split(",")
            self.depth, self.seconds = float(depth), float(seconds)
        except ValueError:
            raise SourceError(f"swing:{text}: write swing:CONTROL,DEPTH,SECONDS") from None
        self._stop = threading.Event()

    def start(self, performance: Performance) -> None:
        """Swing from now on, in a thread."""
        spec = performance.controls.specs[self.control] if self.control in performance.controls else None
        if spec is None or spec.shape != (1,):
            raise SourceError(f"swing: {self.control!r} is no control of one number of this voice")
        middle, fps = performance.controls[self.control], performance.voice.manifest.frames_per_second

        def swing() -> None:
            while not self._stop.wait(NAP):
                turn = 2 * math.pi * performance.frame / (fps * self.seconds)
                wanted = middle + self.depth * math.sin(turn)
                performance.controls[self.control] = min(max(wanted, spec.minimum), spec.maximum)

        self._thread = threading.Thread(target=swing, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave it where it is."""
        self._stop.set()
        self._thread.join()


class LevelsSink:
    """Draws how loud it was: a line of text for each tenth of a second."""

    def __init__(self, target: str, latency: float) -> None:
        self.label, self._samples, self._count = target, np.zeros(0, np.float32), 0

    def open(self, format: Format) -> None:
        """Begin the file; it appears when it is whole."""
        format.require("audio", self.label)
        self._count = format.rate // 10
        self._file = AtomicFile(Path(self.label))

    def write(self, block: np.ndarray) -> None:
        """Draw what is whole, and keep the rest."""
        self._samples = np.append(self._samples, block)
        while len(self._samples) >= self._count:
            part, self._samples = np.split(self._samples, [self._count])
            level = 20 * math.log10(float(np.sqrt(np.mean(part**2))) + 1e-6)
            self._file.append(f"{level:6.1f} dB {'#' * max(0, round(level + 60))}\n".encode())

    def close(self) -> None:
        """Give the file its name."""
        self._file.commit()

    def abort(self) -> None:
        """Leave nothing."""
        self._file.abort()
