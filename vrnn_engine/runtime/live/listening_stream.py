"""A stream that listens while it plays: for each frame that it makes, it takes one from an input.

Threads: one reads (a `Player`'s producer); any may write `controls`.
"""

from typing import Literal, Self, get_args

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.runtime.live.inputs import Input
from vrnn_engine.runtime.stream import Stream
from vrnn_engine.runtime.voice.voice import Voice

Mode = Literal["observe", "resynthesise", "continue"]
MODES: tuple[Mode, ...] = get_args(Mode)

QUIET = 0.003
"""Root mean square of a frame, full scale 1, below which a microphone is taken to hear nobody."""
PAUSE = 0.4
"""Seconds of that after which the voice goes on by itself."""


class Life:
    """Reads an input and a stream together.  A `Performance` or a `Player` can be given it in place of the stream.

    Parameters
    ----------
    stream : Stream
        From now on only to be read through this.
    input : Input
        What it listens to.
    mode : str
        `observe`: the state follows the input, which is passed on as it is; ends with the input.
        `resynthesise`: each frame's latent is drawn from the posterior of the input's, in a state that follows the
        input; the stream is held to it and makes its own frame, from its own state.  Ends with the input.
        `continue`: observes until the input ends, or a microphone hears nobody, and goes on by itself from there.
    through : bool, optional
        Whether what it observes is passed on; else silence.  Not from a microphone if not given, for it would howl.

    Attributes
    ----------
    controls : Controls
        What to steer with.  Those of the latent act on what the posterior gives.
    heard : int
        Frames observed.
    latent : float32 array [Z]
        Of the last frame: what was observed, or drawn where the voice goes on by itself.
    kl, log_likelihood : float
        Mean of these frames, nats; NaN before the first.
    kl_now : float
        Of the last frame alone; NaN where it was not observed.
    delay : float
        Seconds from an input to the frame that it led to, as of the last frame: what waited in the input, and a frame.

    Raises
    ------
    VoiceError
        The voice has no observe graph.
    StreamError
        Of `resynthesise`: it has no latents to be held to.
    """

    def __init__(self, stream: Stream, input: Input, mode: Mode, through: bool | None = None) -> None:
        voice = stream.voice
        if mode == "resynthesise" and "latent.target" not in stream.controls:
            raise StreamError(f"voice {voice.name!r} has no latents to resynthesise from; observe or continue")
        _ = stream.engine.observe  # loaded now, or the first frame would wait for it
        self.stream = stream
        self.input = input
        self.mode = mode
        self.controls = Controls(voice.manifest.controls)
        self.controls.restore(stream.controls.snapshot())
        self.heard = 0
        self.latent = stream.latent
        self.kl_now = float("nan")
        self.delay = 0.0
        self._through = not input.live if through is None else through
        self._listener = stream.fork(stream.seed) if mode == "resynthesise" else stream
        self._table: object = None  # of the controls, as the streams have them
        self._sums = np.zeros(2)
        self._quiet = 0  # frames in which a microphone heard nobody, up to now

    @property
    def voice(self) -> Voice:
        """The stream's voice."""
        return self.stream.voice

    @property
    def engine(self) -> Engine:
        """The stream's engine."""
        return self.stream.engine

    @property
    def seed(self) -> int:
        """The stream's seed."""
        return self.stream.seed

    @property
    def kl(self) -> float:
        """Mean KL(posterior || prior) of the frames heard, nats."""
        return float(self._sums[0] / self.heard) if self.heard else float("nan")

    @property
    def log_likelihood(self) -> float:
        """Mean log-likelihood of the frames heard, nats."""
        return float(self._sums[1] / self.heard) if self.heard else float("nan")

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames as `Stream.read` does; fewer where the input has ended, and it with it."""
        made = []
        for _ in range(frames):
            frame = self._next()
            if frame is None:
                break
            made.append(frame)
        return np.concatenate(made) if made else self.stream.read(0)

    def snapshot(self) -> bytes:
        """Return what the stream's next frames depend on, less the input."""
        self.stream.controls.restore(self.controls.snapshot())  # while resynthesising, it is held to a latent
        return self.stream.snapshot()

    def restore(self, saved: bytes) -> None:
        """Go on where a snapshot was taken, with the input as it is now."""
        self.stream.restore(saved)
        self.controls.restore(self.stream.controls.snapshot())

    def reseed(self, seed: int) -> None:
        """Draw from here on what another seed draws."""
        self.stream.reseed(seed)
        self._listener.reseed(seed)

    def continue_from(self, other: Stream) -> None:
        """Go on from the state another stream is in."""
        self.stream.continue_from(other)

    def fork(self, seed: int | None = None) -> Stream:
        """Open a stream that goes on from here by itself, without the input."""
        self.snapshot()
        return self.stream.fork(seed)

    def close(self) -> None:
        """Let go of the input."""
        self.input.close()
        if self._listener is not self.stream:
            self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _next(self) -> np.ndarray | None:
        """Return the next frame, or None where the input has ended it."""
        heard = self.input.read()
        manifest = self.voice.manifest
        self.delay = self.input.delay + manifest.samples_per_frame / manifest.rate
        self._steer()
        if self.mode == "continue" and (heard is None or self._alone(heard)):
            made = self.stream.read(1)
            self.latent, self.kl_now = self.stream.latent, float("nan")
            return made
        if heard is None:
            return None
        latent = self._observe(heard)
        if self.mode == "resynthesise":
            target = self.controls.specs["latent.target"]
            held = np.clip(latent, target.minimum, target.maximum)
            self.stream.controls.update({"latent.hold": 1.0, "latent.target": held})
            return self.stream.read(1)
        passed = heard if self._through else np.zeros_like(heard)
        return passed if manifest.modality == "audio" else passed[np.newaxis]

    def _steer(self) -> None:
        """Let the streams have the controls, if they have been written to."""
        table = self.controls.table
        if table is not self._table:
            values = self.controls.snapshot()
            self._listener.controls.restore(values)
            if self.stream is not self._listener:
                self.stream.controls.restore(values)
            self._table = table

    def _observe(self, heard: np.ndarray) -> np.ndarray:
        """Let the listener hear a frame `[F]`; return the latent it draws, `[Z]`."""
        ink = self.voice.manifest.modality == "pen"
        seen = self._listener.prime(heard[np.newaxis] if ink else heard)
        self._sums += seen.kl[0], seen.log_likelihood[0]
        self.heard += 1
        self.latent, self.kl_now = seen.latents[0], float(seen.kl[0])
        return self.latent

    def _alone(self, heard: np.ndarray) -> bool:
        """Whether a microphone has heard nobody for long enough."""
        if not self.input.live:
            return False
        loud = float(np.sqrt(np.mean(np.square(heard)))) > QUIET
        self._quiet = 0 if loud else self._quiet + 1
        return self._quiet >= round(PAUSE * self.voice.manifest.frames_per_second)
