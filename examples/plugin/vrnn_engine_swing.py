"""Plug-ins for vrnn-engine: control source `--steer swing:CONTROL,DEPTH,SECONDS` and sink `--to FILE.levels`."""

import math
import threading
from pathlib import Path

import numpy as np

from vrnn_engine import SourceError
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.sinks import AtomicFile, Format, Sink

POLL_SECONDS = 0.01


class Swing:
    """Moves a control as a sine around its current value, with amplitude DEPTH and a period of SECONDS."""

    def __init__(self, text: str) -> None:
        try:
            self.control, depth, seconds = text.split(",")
            self.depth, self.seconds = float(depth), float(seconds)
        except ValueError:
            raise SourceError(f"swing:{text}: write swing:CONTROL,DEPTH,SECONDS") from None
        self._stop = threading.Event()

    def start(self, performance: Performance) -> None:
        """Start to move the control, in a thread."""
        spec = performance.controls.specs[self.control] if self.control in performance.controls else None
        if spec is None or spec.shape != (1,):
            raise SourceError(f"swing: this voice has no scalar control {self.control!r}")
        middle, fps = performance.controls[self.control], performance.voice.manifest.frames_per_second

        def swing() -> None:
            while not self._stop.wait(POLL_SECONDS):
                phase = 2 * math.pi * performance.frame / (fps * self.seconds)
                value = middle + self.depth * math.sin(phase)
                performance.controls[self.control] = min(max(value, spec.minimum), spec.maximum)

        self._thread = threading.Thread(target=swing, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; the control keeps its value."""
        self._stop.set()
        self._thread.join()


class LevelsSink(Sink):
    """Writes the level of the sound as text, one line for each tenth of a second."""

    def __init__(self, target: str, latency: float) -> None:
        self.label, self._samples, self._count = target, np.zeros(0, np.float32), 0

    def open(self, format: Format) -> None:
        """Create the file under a temporary name."""
        format.require("audio", self.label)
        self._count = format.rate // 10
        self._file = AtomicFile(Path(self.label))

    def write(self, block: np.ndarray) -> None:
        """Write a line for each complete tenth of a second, and keep the remaining samples."""
        self._samples = np.append(self._samples, block)
        while len(self._samples) >= self._count:
            part, self._samples = np.split(self._samples, [self._count])
            level = 20 * math.log10(float(np.sqrt(np.mean(part**2))) + 1e-6)
            self._file.append(f"{level:6.1f} dB {'#' * max(0, round(level + 60))}\n".encode())

    def close(self) -> None:
        """Rename the complete file to its path."""
        self._file.commit()

    def abort(self) -> None:
        """Remove the incomplete file."""
        self._file.abort()
