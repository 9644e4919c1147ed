"""A stream that listens while it plays: for each frame that it returns, it reads one frame from an input.

Threads: one thread reads (a `Player`'s producer); any thread may write `controls`.
"""

import math
from typing import Self

import numpy as np

from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.live.inputs import FrameInput
from vrnn_engine.runtime.live.listening.imitation import SeenFrame, imitator_for
from vrnn_engine.runtime.live.listening.modes import Mode
from vrnn_engine.runtime.stepper import Stepper
from vrnn_engine.runtime.stream import Stream
from vrnn_engine.runtime.voice.voice import Voice

QUIET = 0.003
"""Largest root mean square of a microphone's frame (full scale 1) that counts as silence."""
PAUSE = 0.4
"""Seconds of silence after which the voice generates by itself."""


class ListeningStream:
    """Reads a stream together with an input.  A `Performance` or a `Player` accepts it in place of a stream.

    Parameters
    ----------
    stream : Stream
        The stream; from now on it must be read only through this object.
    input : FrameInput
        A file or a microphone; see `open_input`.
    mode : {"observe", "resynthesise", "continue"}
        `observe`: the voice observes the input, and the input is passed on unchanged.  Ends with the input.
        `resynthesise`: the stream imitates the input.  For each frame, a latent is drawn from its posterior, and a
        frame is generated from this latent; see `listening.imitation`.  Ends with the input.
        `continue`: the voice observes until the input ends or a microphone hears silence, then generates from the state
        reached.
    through : bool, optional
        Whether observed frames are passed on; otherwise silence is returned for them.  By default only the frames of a
        file are passed on, because a microphone would hear its own sound.
    tail : float
        Seconds for which `continue` generates after the end of the input; without end by default.

    Attributes
    ----------
    stream : Stream
    input : FrameInput
    mode : str
    controls : Controls
        The controls to write to.  The latent controls also apply to the latent drawn from the posterior.
    heard : int
        Number of frames observed.
    latent : float32 array [Z]
        Latent of the last frame, drawn from the posterior if the frame was observed, and otherwise from the prior.
    kl_now : float
        KL(posterior || prior) of the last frame in nats; NaN if it was not observed.
    delay : float
        Seconds from a sound to the frame that results from it: the delay of the input plus the length of a frame.

    Raises
    ------
    VoiceError
        The graph that observes is missing, or cannot be loaded.
    StreamError
        The mode is `resynthesise`, and the voice has no latents that can be held.
    """

    def __init__(
        self, stream: Stream, input: FrameInput, mode: Mode, through: bool | None = None, tail: float = math.inf
    ) -> None:
        # Graphs are loaded here, so that the first frame does not wait for them.
        self._imitator = imitator_for(stream) if mode == "resynthesise" else None
        if self._imitator is None:
            _ = stream.stepper.graphs.observe
        self.stream = stream
        self.input = input
        self.mode = mode
        self.controls = Controls(stream.voice.manifest.controls)
        self.controls.restore(stream.controls.snapshot())
        self.heard = 0
        self.latent = stream.latent
        self.kl_now = float("nan")
        self.delay = 0.0
        self._through = not input.live if through is None else through
        self._table: object = None  # the last table of `controls` copied to the streams
        self._sums = np.zeros(2)  # of KL and log-likelihood
        self._quiet = 0  # silent frames up to now
        self._tail = tail * stream.voice.manifest.frames_per_second  # frames to generate after the end

    @property
    def voice(self) -> Voice:
        """The stream's voice."""
        return self.stream.voice

    @property
    def fingerprint(self) -> str:
        """The stream's fingerprint."""
        return self.stream.fingerprint

    @property
    def seed(self) -> int:
        """The stream's seed."""
        return self.stream.seed

    @property
    def stepper(self) -> Stepper:
        """Steps the stream."""
        return self.stream.stepper

    @property
    def written(self) -> int:
        """Number of characters that the stream has written."""
        return self.stream.written

    @property
    def pending(self) -> int:
        """Number of characters that the stream has still to write."""
        return self.stream.pending

    @property
    def kl(self) -> float:
        """Mean KL(posterior || prior) of the observed frames in nats; NaN before the first."""
        return float(self._sums[0] / self.heard) if self.heard else float("nan")

    @property
    def log_likelihood(self) -> float:
        """Mean log-likelihood of the observed frames in nats; NaN before the first."""
        return float(self._sums[1] / self.heard) if self.heard else float("nan")

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames as `Stream.read` does; fewer if the input has ended.

        Parameters
        ----------
        frames : int

        Returns
        -------
        float32 array
            Audio: samples; pen: [frames, 3].
        """
        made = []
        for _ in range(frames):
            frame = self._next()
            if frame is None:
                break
            made.append(frame)
        return np.concatenate(made) if made else self.stream.read(0)

    def interrupt(self) -> None:
        """Make a `read` that waits for the input return soon.  Any thread may call this."""
        self.input.interrupt()

    def snapshot(self) -> bytes:
        """Return the stream's snapshot, which does not include the input."""
        self.stream.controls.restore(self.controls.snapshot())  # a `LatentImitator` has set latent.hold
        return self.stream.snapshot()

    def restore(self, saved: bytes) -> None:
        """Continue from a snapshot; the input continues at its current position."""
        self.stream.restore(saved)
        self.controls.restore(self.stream.controls.snapshot())

    def reseed(self, seed: int) -> None:
        """Use the noise of another seed from here on."""
        (self._imitator or self.stream).reseed(seed)

    def continue_from(self, other: Stream) -> None:
        """Continue from the state of another stream."""
        self.stream.continue_from(other)
        if self._imitator is not None:
            self._imitator.restart()

    def open_another(self, seed: int | None = None) -> Stream:
        """Open a stream of the same engine in zero state, with default controls."""
        return self.stream.open_another(seed)

    def fork(self, seed: int | None = None) -> Stream:
        """Return a stream that continues from here without the input."""
        self.snapshot()
        return self.stream.fork(seed)

    def write(self, text: str) -> None:
        """Add text behind what the stream is to write."""
        self.stream.write(text)

    def erase(self, count: int) -> int:
        """Remove the last characters that the stream is to write, and return how many were removed."""
        return self.stream.erase(count)

    def close(self) -> None:
        """Close the input."""
        self.input.close()
        if self._imitator is not None:
            self._imitator.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _next(self) -> np.ndarray | None:
        """Return the next frame; None if the stream has ended with its input."""
        heard = self.input.read()
        self._prepare()
        if self._imitator is None:
            return self._observe_or_continue(heard)
        if heard is None:
            return None
        made, seen = self._imitator.imitate(heard)
        self._add(seen)
        return made

    def _prepare(self) -> None:
        """Take the delay of the input, and the controls if they have changed, after the input was read."""
        manifest, table = self.voice.manifest, self.controls.table
        self.delay = self.input.delay + manifest.samples_per_frame / manifest.rate
        if table is self._table:
            return
        values = self.controls.snapshot()
        if self._imitator is None:
            self.stream.controls.restore(values)
        else:
            self._imitator.set_controls(values)
        self._table = table

    def _observe_or_continue(self, heard: np.ndarray | None) -> np.ndarray | None:
        """Observe a frame [F], or generate one; return None if the stream has ended with its input."""
        if heard is None:
            self._tail -= 1
        if self.mode == "continue" and self._tail >= 0 and (heard is None or self._is_pause(heard)):
            made = self.stream.read(1)
            self.latent, self.kl_now = self.stream.latent, float("nan")
            return made
        if heard is None:
            return None
        seen = self.stream.observe([heard[np.newaxis]])
        self._add(SeenFrame(seen.latents[0], float(seen.kl[0]), float(seen.log_likelihood[0])))
        passed = heard if self._through else np.zeros_like(heard)
        return passed.reshape(self.voice.manifest.block_shape)

    def _add(self, seen: SeenFrame) -> None:
        """Count an observed frame."""
        self._sums += seen.kl, seen.log_likelihood
        self.heard += 1
        self.latent, self.kl_now = seen.latent, seen.kl

    def _is_pause(self, heard: np.ndarray) -> bool:
        """Return whether a microphone has heard silence for at least `PAUSE` seconds."""
        if not self.input.live:
            return False
        loud = float(np.sqrt(np.mean(np.square(heard)))) > QUIET
        self._quiet = 0 if loud else self._quiet + 1
        return self._quiet >= round(PAUSE * self.voice.manifest.frames_per_second)


LiveStream = Stream | ListeningStream
"""The streams that a performance can steer."""
