"""One live stream of a voice: its seed, its position, its state, and the controls that steer it.

The frames depend on the seed, the controls, the priming and the text, but not on block sizes, other streams in a batch,
or restarts. Threading contract: any thread may call any method; a second caller on the same stream waits for the first.
Controls may be written while another thread reads. `state` is the state after the last frame, and may be read at any
time; code that steps streams holds their `lock` from reading the states until it has written the next ones.
"""

import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import replace

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.controls import Controls, Settable
from vrnn_engine.runtime.frames import frame_count
from vrnn_engine.runtime.noise import random_seed
from vrnn_engine.runtime.observation import Observation
from vrnn_engine.runtime.recording import RecordingLike, open_recording
from vrnn_engine.runtime.snapshot import Snapshot, decode, encode
from vrnn_engine.runtime.stepper import Stepper
from vrnn_engine.runtime.stream_group import StreamGroup
from vrnn_engine.runtime.stream_state import StreamState
from vrnn_engine.runtime.text_stream import TextStream, check_characters, on_new_line, one_line
from vrnn_engine.runtime.voice.voice import Voice


class Stream(TextStream, AbstractContextManager["Stream"]):
    """One stream of a voice. `Engine.stream` opens a stream; closing or garbage collection removes it from the engine.

    Parameters
    ----------
    stepper : Stepper
        Steps the state; shared by all streams of an engine.
    state : StreamState
        State to continue from.
    group : StreamGroup
        The open streams of the engine; this stream is added to them.
    controls : mapping of str to number or array, optional
        Values of controls; other controls have their defaults.

    Attributes
    ----------
    controls : Controls
        A write takes effect in the next frame, or in the next word of a text.
    closed : bool
    """

    def __init__(
        self,
        stepper: Stepper,
        state: StreamState,
        group: "StreamGroup[Stream]",
        controls: Mapping[str, Settable] | None = None,
    ) -> None:
        self.stepper = stepper
        self.state = state
        self.controls = Controls(stepper.voice.manifest.controls)
        self.controls.restore(controls or {})
        self.lock, self.closed = threading.RLock(), False
        self._group = group
        group.add(self)  # last, because the engine may step the stream from here on

    @property
    def seed(self) -> int:
        """The number that determines all noise of the stream."""
        return self.state.noise.seed

    @property
    def frame(self) -> int:
        """Position: frames generated or observed since the zero state."""
        return self.state.frame

    @property
    def latent(self) -> np.ndarray:
        """Latent of the last frame, float32 [Z]; zeros before the first frame. Do not write to it."""
        return self.state.latent

    @property
    def voice(self) -> Voice:
        """The voice that generates the stream."""
        return self.stepper.voice

    @property
    def fingerprint(self) -> str:
        """`Voice.fingerprint` of the precision in use; a snapshot can be restored only with the same fingerprint."""
        return self.stepper.fingerprint

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames.

        Parameters
        ----------
        frames : int
            0 or more.

        Returns
        -------
        float32 array
            Audio: [frames * frame_size] samples, full scale +-1, not clipped; stereo: [samples, 2]. Pen: [frames, 3]:
            dx and dy in the voice's unit, and pen-up, 0 or 1.

        Raises
        ------
        NotFiniteError
            A frame is NaN or infinite. The stream has not moved.
        StreamError
            The stream is closed, `frames` is not a whole number, the memory does not suffice, or a word is wider than
            the line. The stream has not moved.
        ProviderError
            onnxruntime failed, for example because a GPU was lost.
        """
        frames = frame_count(frames, "read")
        with self.lock:
            self.check_open()
            (block,), (self.state,) = self.stepper.advance(frames, [self.state], [self.controls])
        return block

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """Return an endless iterator over blocks, each as `read` returns it.

        Parameters
        ----------
        frames : int
            Frames per block, 1 or more.

        Raises
        ------
        StreamError
            `frames` is not a positive integer.
        """
        if frame_count(frames, "blocks") == 0:
            raise StreamError("blocks: a block has at least one frame")
        return (self.read(frames) for _ in itertools.repeat(None))

    def prime(
        self, recording: RecordingLike, rate: float | None = None, trace: bool = True, text: str | None = None
    ) -> Observation:
        """Observe a recording, which is read block by block, and continue from the state after it.

        A voice that writes a text then begins a new line in the hand of the ink.

        Parameters
        ----------
        recording : path or array
            Sound or ink; see `vrnn_engine.runtime.recording.open_recording`.
        rate : float, optional
            Samples per second of an array; the voice's own rate by default.
        trace : bool
            Whether to return the values of all frames, not only of the last one.
        text : str, optional
            What the ink says: one line, for a voice that writes a text. By default what a file says.

        Returns
        -------
        Observation

        Raises
        ------
        RecordingError
            The recording cannot be read or does not fit the voice.
        VoiceError
            The voice has no observe graph.
        StreamError, ProviderError
            As for `read`; also `StreamError` if a result is not finite. The stream has not moved.
        """
        self.check_open()
        line = one_line(self.stepper, text, recording)
        with closing(open_recording(recording, self.voice.manifest, rate)) as given:
            return replace(self.observe(given, trace, line), conversions=given.conversions)

    def observe(self, frames: Iterable[np.ndarray], trace: bool = True, text: str | None = None) -> Observation:
        """Observe frames that are in the format of the voice, and continue from the state after them, as `prime` does.

        Parameters
        ----------
        frames : iterable of float32 arrays [n, frame_size]
        trace, text
            As for `prime`.

        Returns
        -------
        Observation
        """
        _ = self.stepper.graphs.observe  # loaded before taking the lock, because loading takes long
        with self.lock:
            self.check_open()
            outputs, self.state = self.stepper.observe(frames, self.state, self.controls, trace, text)
        return Observation.of(outputs, ())

    def snapshot(self) -> bytes:
        """Return everything that the next frames depend on: state, position, seed and controls; see `restore`."""
        with self.lock:
            self.check_open()
            return encode(Snapshot.of(self.state, self.controls.snapshot(), self.voice.name, self.fingerprint))

    def restore(self, saved: bytes) -> None:
        """Continue from a snapshot that was taken in this or another process.

        Parameters
        ----------
        saved : bytes

        Raises
        ------
        StreamError
            The snapshot is damaged, of another voice or newer, or the stream is closed. The stream has not changed.
        """
        with self.lock:
            self.check_open()
            found = decode(saved, self.fingerprint, self.stepper.graphs.step.state, self.voice.name)
            state = found.applied_to(self.state)
            check_characters(self.stepper, state)
            found.restore_controls(self.controls)
            self.state = state

    def reseed(self, seed: int) -> None:
        """Use the noise of another seed from the next frame or word on, without changing state or position.

        Parameters
        ----------
        seed : int

        Raises
        ------
        StreamError
            The seed is not an integer from 0 to 2**64-1, or the stream is closed.
        """
        with self.lock:
            self.check_open()
            self.state = self.state.reseeded(seed)

    def continue_from(self, other: "Stream") -> None:
        """Continue from the current state of another stream, without changing seed, position, controls or text.

        A stream that writes a text begins a new line in the hand of the other stream.

        Parameters
        ----------
        other : Stream
            A stream of the same engine, which does not change.

        Raises
        ------
        StreamError
            The other object is not a stream of this engine, or one of the two is closed.
        """
        if not isinstance(other, Stream) or other.stepper is not self.stepper:
            raise StreamError(f"continue_from: {other!r:.60} is not a stream of this engine; give one of its streams")
        with other.lock:
            other.check_open()
            arrays, latent = other.state.copied_arrays(), other.latent
        with self.lock:
            self.check_open()
            self.state = replace(on_new_line(self.stepper, self.state), arrays=arrays, latent=latent)

    def fork(self, seed: int | None = None) -> "Stream":
        """Return a new stream of the engine that continues from the current state with the same controls.

        Parameters
        ----------
        seed : int, optional
            0 to 2**64-1; random by default. With this stream's own seed, both streams yield the same frames.

        Raises
        ------
        StreamError
            This stream is closed, or the seed is out of range.
        """
        with self.lock:
            self.check_open()
            state = self.state.reseeded(random_seed() if seed is None else seed)
            state = replace(state, arrays=self.state.copied_arrays())
            return Stream(self.stepper, state, self._group, self.controls.snapshot())

    def open_another(self, seed: int | None = None) -> "Stream":
        """Return a new stream of the engine in zero state, with default controls, as `Engine.stream` does.

        Parameters
        ----------
        seed : int, optional
            0 to 2**64-1; by default a random seed of 32 bits.
        """
        return Stream(self.stepper, self.stepper.initial_state(random_seed() if seed is None else seed), self._group)

    def close(self) -> None:
        """Close the stream and remove it from the engine. Closing twice does nothing."""
        with self.lock:
            self.closed = True
            self._group.discard(self)

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        position = "closed" if self.closed else f"frame {self.frame}"
        return f"<Stream of {self.voice.name!r}, seed {self.seed}, {position}>"
