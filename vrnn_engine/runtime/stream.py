"""One live stream of a voice: its seed, its position, its state, and the controls that steer it.

What a stream yields depends on its seed, its controls and what it was primed with; not on block
sizes, on who shares its batch, or on restarts in between.

Threading contract: see `engine.py`; controls may be set from any thread while another reads.
"""

import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from vrnn_engine.errors import ControlError, StreamError
from vrnn_engine.runtime import snapshot as snapshots
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.frames import frame_count
from vrnn_engine.runtime.graph.session import OF_LATENTS
from vrnn_engine.runtime.noise import NoiseSource, check_seed

if TYPE_CHECKING:
    from vrnn_engine.runtime.engine import Engine
    from vrnn_engine.runtime.recording import Source
    from vrnn_engine.runtime.voice.voice import Voice


@dataclass(frozen=True)
class Observation:
    """What a voice made of a recording.  Of a voice without latents Z is 0, and so is every KL.

    Attributes
    ----------
    latents : float32 array [T, Z]
        Drawn from the posterior.
    posterior_mean, posterior_std : float32 array [T, Z]
    kl : float32 array [T]
        KL(posterior || prior) in nats.
    log_likelihood : float32 array [T]
        Of the normalised frame, in nats.
    conversions : tuple of str
        What was converted to make the recording fit, a line each.
    """

    latents: np.ndarray
    posterior_mean: np.ndarray
    posterior_std: np.ndarray
    kl: np.ndarray
    log_likelihood: np.ndarray
    conversions: tuple[str, ...]


class Stream:
    """One stream.  Made by `Engine.stream`, `Stream.fork`; leaves the engine when closed or forgotten.

    Attributes
    ----------
    engine : Engine
    controls : Controls
        What steers it; a write is effective at the next frame.
    latent : float32 array [Z]
        z of the last frame read or observed, not to be written to.  Zeros before the first; of a voice without latents
        Z is 0.
    """

    def __init__(self, engine: "Engine", seed: int) -> None:
        self.engine = engine
        self.controls = Controls(engine.voice.manifest.controls)
        self._noise = NoiseSource(check_seed(seed), engine.widths)
        self._frame = 0
        self._state: Mapping[str, np.ndarray] = engine.step.zero_state()
        self._latent = np.zeros(engine.step.latent_shape, np.float32)
        self._lock = threading.RLock()
        self._key = 0
        self._closed = False

    @property
    def seed(self) -> int:
        """The number that all its noise comes from."""
        return self._noise.seed

    @property
    def frame(self) -> int:
        """Position: frames generated or observed since zero state."""
        return self._frame

    @property
    def latent(self) -> np.ndarray:
        return self._latent

    @property
    def voice(self) -> "Voice":
        """The engine's voice."""
        return self.engine.voice

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames.

        Returns
        -------
        float32 array
            Audio: [frames * frame_size] samples, full scale +-1 (not clipped).  Pen: [frames, 3]: dx
            and dy in the voice's unit, pen-up 0 or 1.

        Raises
        ------
        StreamError
            The stream is closed, or its frames are not finite.
        ProviderError
            onnxruntime failed, as where a GPU was lost.
        """
        return self.engine.read(frames, [self])[0]

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """Yield blocks of that many frames, endlessly."""
        if frame_count(frames, "blocks") == 0:
            raise StreamError("blocks: a block has at least one frame")
        return self._blocks(frames)

    def prime(self, recording: "Source", rate: float | None = None) -> Observation:
        """Run the voice over a real signal and keep the state it ends in.

        Parameters
        ----------
        recording : path or array
            Sound or ink; see `vrnn_engine.runtime.recording.read_recording`.
        rate : float, optional
            Samples per second of an array; the voice's own if not given.

        Raises
        ------
        RecordingError
            The recording cannot be read or does not fit.
        VoiceError
            The voice has no observe graph.
        StreamError
            The stream is closed, or what it computes is not finite.  It has not moved then.
        ProviderError
            onnxruntime failed, as where a GPU was lost.
        """
        from vrnn_engine.runtime.recording import read_recording

        self._check_open()
        given = read_recording(recording, self.voice.manifest, rate)
        observe = self.engine.observe
        wanted = ("log_likelihood", *(name for name in OF_LATENTS if name in observe.outputs))
        seen: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
        with self._lock:
            self._check_open()
            state = self._state
            for t, frame in enumerate(given.frames):
                noise = {name: row[np.newaxis] for name, row in self._noise.at(self._frame + t).items()}
                state, outputs = self.engine._observed(state, noise, self.controls.table, frame[np.newaxis])
                for name in wanted:
                    seen[name].append(outputs[name][0])
            found = {name: np.stack(values).astype(np.float32, copy=False) for name, values in seen.items()}
            for name, values in (*found.items(), *state.items()):
                if not np.isfinite(values).all():
                    raise StreamError(f"voice {self.voice.name!r} observed {name} that is not finite; not primed")
            self._state = state
            self._frame += len(given.frames)
            if "latent" in found:
                self._latent = found["latent"][-1].copy()
        none = np.zeros((len(given.frames), 0), np.float32)
        return Observation(
            latents=found.get("latent", none),
            posterior_mean=found.get("posterior.mean", none),
            posterior_std=found.get("posterior.std", none),
            kl=found.get("kl", np.zeros(len(given.frames), np.float32)),
            log_likelihood=found["log_likelihood"],
            conversions=given.conversions,
        )

    def snapshot(self) -> bytes:
        """Return all that the next frames depend on: state, position, seed, controls."""
        with self._lock:
            self._check_open()
            controls = self.controls.snapshot()
            return snapshots.encode(
                snapshots.Snapshot(
                    voice=self.voice.name,
                    fingerprint=self.engine.fingerprint,
                    seed=self.seed,
                    frame=self._frame,
                    state={name: snapshots.Tensor.of(value[0]) for name, value in self._state.items()},
                    controls={name: value.tolist() for name, value in controls.items()},
                    latent=snapshots.Tensor.of(self._latent),
                )
            )

    def restore(self, saved: bytes) -> None:
        """Continue where a snapshot was taken, in this or another process.

        Raises
        ------
        StreamError
            Corrupted, truncated, of another voice, or of a newer version.  Nothing has changed then.
        """
        with self._lock:
            self._check_open()
            fingerprint = self.engine.fingerprint
            found = snapshots.decode(saved, fingerprint, self.engine.step.state, self.voice.name)
            noise = NoiseSource(found.seed, self.engine.widths)
            try:
                self.controls.restore(found.controls)
            except ControlError as error:
                raise StreamError(f"this snapshot's controls do not fit the voice: {error}") from None
            self._state = {name: tensor.array()[np.newaxis] for name, tensor in found.state.items()}
            self._noise = noise
            self._frame = found.frame
            self._latent = np.zeros_like(self._latent) if found.latent is None else found.latent.array()

    def reseed(self, seed: int) -> None:
        """Draw from here on what another seed draws; raise `StreamError` if it is none, or the stream is closed."""
        with self._lock:
            self._check_open()
            self._noise = NoiseSource(check_seed(seed), self.engine.widths)

    def continue_from(self, other: "Stream") -> None:
        """Go on from the state another stream is in; seed, position and controls stay.

        Raises
        ------
        StreamError
            The other is of another engine, or one of them is closed.
        """
        if other.engine is not self.engine:
            raise StreamError("continue_from: that stream belongs to another engine")
        with other._lock:
            other._check_open()
            # Copies: it may be one row of many streams' state, that would all be kept.
            state, latent = {name: value.copy() for name, value in other._state.items()}, other._latent
        with self._lock:
            self._check_open()
            self._state, self._latent = state, latent

    def fork(self, seed: int | None = None) -> "Stream":
        """Open a stream that continues from here on its own.

        Parameters
        ----------
        seed : int, optional
            A random one if not given; this stream's own seed makes it yield the very same.

        Raises
        ------
        StreamError
            This stream is closed, or the seed is not one.
        """
        with self._lock:
            self._check_open()
            child = Stream(self.engine, secrets.randbits(32) if seed is None else seed)
            child._state = {name: value.copy() for name, value in self._state.items()}
            child._latent = self._latent  # never written to, only replaced
            child._frame = self._frame
            child.controls.restore(self.controls.snapshot())
            return self.engine._admit(child)

    def close(self) -> None:
        """Leave the engine.  Closing twice does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self.engine._release(self)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"frame {self._frame}"
        return f"<Stream of {self.voice.name!r}, seed {self.seed}, {state}>"

    def _blocks(self, frames: int) -> Iterator[np.ndarray]:
        while True:
            yield self.read(frames)

    def _check_open(self) -> None:
        if self._closed:
            raise StreamError("this stream is closed; open another one with engine.stream()")
