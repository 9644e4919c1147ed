"""The voices that a server has loaded: an engine and a batch for each."""

import sys
import time
from collections.abc import Callable

from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.serve.metrics import Metrics
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.sessions.admission import SHARES, Admission
from vrnn_engine.serve.sessions.batch import Batch

CALIBRATED_ROWS = (1, 8)
"""Numbers of rows whose time is measured before the first session."""
CALIBRATED_FRAMES = 8
SWITCH_INTERVAL = 0.0001
"""Longest time in seconds for which the event loop may hold the interpreter while a batch waits for it.

A batch gives it up some tens of times in a tick: for each step, each large array, and each row's new noise.
"""


class ServedVoices:
    """Loads voices, and steps their sessions until it is closed.

    Parameters
    ----------
    options : ServeOptions
    metrics : Metrics, optional
        Told of every tick.

    Raises
    ------
    VRNNEngineError
        A voice cannot be loaded, or the device cannot run here.
    """

    def __init__(self, options: ServeOptions, metrics: Metrics | None = None) -> None:
        # By default a thread may keep the interpreter for 5 ms, several times in each tick of 25 ms.
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._batches: dict[str, Batch] = {}
        for where in options.voices:
            engine = Engine.load(where, options.device, options.rows, options.precision, options.threads)
            name = engine.voice.name
            if engine.voice.manifest.channels > 1:
                raise VoiceError(f"voice {name!r} is stereo, and a server plays mono; use `vrnn-engine stream`")
            if name in self._batches:
                raise VoiceError(f"two of the voices to serve have the name {name!r}; give only one of them")
            manifest = engine.voice.manifest
            share = options.share or SHARES[manifest.modality]
            admission = Admission(1 / manifest.frames_per_second, options.max_sessions, share)
            _calibrate(engine, admission)
            self._batches[name] = Batch(engine, admission, options.idle, _observer(metrics, name))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the voices, in the order in which they were given."""
        return tuple(self._batches)

    def engine(self, name: str) -> Engine:
        """Return the engine of a voice; raise `VoiceError`, which suggests a name, if it is not served."""
        return self.batch(name).engine

    def batch(self, name: str) -> Batch:
        """Return the batch of a voice; raise `VoiceError`, which suggests a name, if it is not served."""
        try:
            return self._batches[name]
        except KeyError:
            hint = suggest(name, self._batches, "this server has")
            raise VoiceError(f"no voice {name[:80]!r} is served{hint}") from None

    def close(self) -> None:
        """End all sessions, each with a token, and stop the batches."""
        for batch in self._batches.values():
            batch.close()


def _observer(metrics: Metrics | None, name: str) -> Callable[[float, int, int], None] | None:
    if metrics is None:
        return None
    return lambda seconds, rows, frames: metrics.tick(name, seconds, rows, frames)


def _calibrate(engine: Engine, admission: Admission) -> None:
    """Measure the time of a frame before the first session, so that the first sessions are judged as well."""
    for rows in CALIBRATED_ROWS:
        streams = [engine.stream(seed=row) for row in range(rows)]
        engine.read(1, streams)
        start = time.perf_counter()
        engine.read(CALIBRATED_FRAMES, streams)
        admission.calibrate(rows, (time.perf_counter() - start) / CALIBRATED_FRAMES)
        for stream in streams:
            stream.close()
