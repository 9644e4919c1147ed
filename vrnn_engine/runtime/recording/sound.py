"""Converts sound to frames of a voice, block by block: to its channels, to the voice's rate, into frames."""

from collections.abc import Iterator

import numpy as np

from vrnn_engine.base.reading.rates import check_ratio
from vrnn_engine.base.resampler import Resampler
from vrnn_engine.errors import RecordingError
from vrnn_engine.runtime.recording.samples import SampleSource
from vrnn_engine.runtime.voice.manifest import Manifest


class SoundFrames:
    """Frames of a sound.  The last one is filled with zeros.

    A mono voice hears the mean of all channels; a stereo voice hears the first two, or a mono sound on both sides.

    Parameters
    ----------
    source : SampleSource
        The sound.
    manifest : Manifest
        Manifest of the voice.

    Raises
    ------
    RecordingError
        The rate of the sound is not plausible; see `check_ratio`.

    Attributes
    ----------
    label : str
        Name of the recording in messages.
    length : int or None
        Number of frames; None if it is not known before the end.
    """

    def __init__(self, source: SampleSource, manifest: Manifest) -> None:
        self.label = source.label
        self._source = source
        self._frame_size, self._channels = manifest.samples_per_frame, manifest.channels
        self._shape = (-1, manifest.frame_size)
        self._rate = manifest.rate
        self._given = source.rate if source.rate is not None else manifest.rate
        check_ratio(self._given, self._rate, self.label, RecordingError)
        self._filled = 0
        self.length: int | None = None
        if source.count is not None:
            samples = source.count
            if self._given != self._rate:
                samples = int(samples * self._rate / self._given + 0.5)  # as soxr rounds
            self.length = -(-samples // self._frame_size)
            self._filled = -samples % self._frame_size

    @property
    def conversions(self) -> tuple[str, ...]:
        """How the sound is converted, one line for each conversion; complete once all frames are read."""
        lines = list(self._source.conversions)
        if self._source.channels != self._channels:
            given = "1 channel" if self._source.channels == 1 else f"{self._source.channels} channels"
            lines.append(f"{given} to {'mono' if self._channels == 1 else 'stereo'}")
        if self._given != self._rate:
            lines.append(f"{self._given:g} Hz to {self._rate} Hz")
        if self._filled:
            lines.append(f"last frame filled up with {self._filled} zeros")
        return tuple(lines)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the frames in blocks, float32 [n, frame_size]."""
        rest = np.zeros(0 if self._channels == 1 else (0, self._channels), np.float32)
        seen = False
        for samples in self._resampled(self._mixed()):
            seen = seen or len(samples) > 0
            samples = np.concatenate([rest, samples]) if len(rest) else samples
            whole = len(samples) // self._frame_size * self._frame_size
            rest = samples[whole:]
            if whole:
                yield np.ascontiguousarray(samples[:whole].reshape(self._shape))
        if not seen:
            if self._source.count:
                raise RecordingError(f"{self.label}: too short to be resampled to {self._rate} Hz")
            raise RecordingError(f"{self.label}: ends before its first sample")
        self._filled = -len(rest) % self._frame_size
        if len(rest):
            filled = np.concatenate([rest, np.zeros((self._filled, *rest.shape[1:]), np.float32)])
            yield filled.reshape(self._shape)

    def interrupt(self) -> None:
        """Make an iterator that waits for a pipe end."""
        self._source.interrupt()

    def close(self) -> None:
        """Close the file or pipe."""
        self._source.close()

    def _mixed(self) -> Iterator[np.ndarray]:
        for block in self._source.blocks():
            if not np.isfinite(block).all():
                raise RecordingError(f"{self.label}: some samples are NaN or infinite")
            if self._channels == 1:
                yield block.mean(axis=1, dtype=np.float64).astype(np.float32)
            else:
                pair = block[:, :2] if block.shape[1] > 1 else np.repeat(block, 2, axis=1)
                yield np.ascontiguousarray(pair, np.float32)

    def _resampled(self, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        if self._given == self._rate:
            yield from blocks
            return
        resampler = Resampler(self._given, self._rate, self._channels)
        for block in blocks:
            yield from resampler.push_in_parts(block)
        yield resampler.finish()
