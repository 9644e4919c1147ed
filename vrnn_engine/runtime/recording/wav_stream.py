"""Reads sound from a pipe: a WAV stream, or raw PCM whose format the user gives."""

import struct
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
import numpy as np

from vrnn_engine.base.reading.rates import RATES
from vrnn_engine.errors import RecordingError
from vrnn_engine.runtime.options import Options
from vrnn_engine.runtime.recording.pipe import Pipe

MOST_BYTES = 1 << 16
"""Largest number of bytes decoded at a time; a live pipe delivers fewer, which are decoded at once."""
MOST_HEADER = 1 << 16
"""Largest number of bytes that are kept of a chunk before the samples."""
_UNKNOWN = ((0, 0), (0x7FFFF000, 0x80000000), (0xFFFFF000, 0xFFFFFFFF))
"""Sizes of a data chunk that programs write if the size is unknown; the data then last until the end.

ffmpeg writes 0xFFFFFFFF, arecord 0x80000000 or less, SoX 0x7FFFFFFF less its header, others 0.
"""


class RawOptions(Options, frozen=True, kw_only=True):
    """Options of raw PCM on stdin, as in `-?rate=48000&channels=2&format=s16le`."""

    rate: Annotated[float, msgspec.Meta(ge=RATES[0], le=RATES[1])]
    """Samples per second."""
    channels: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    """Number of channels."""
    format: Literal["u8", "s16le", "s24le", "s32le", "f32le", "f64le"] = "s16le"
    """Type of a sample, as ffmpeg names it."""


class WavStream:
    """Samples of a pipe.

    Parameters
    ----------
    pipe : Pipe
        The pipe; a WAV header is read when the object is made.
    raw : RawOptions, optional
        The format of raw PCM; without it, a WAV header says the format.

    Attributes
    ----------
    label : str
        Name of the pipe in messages.
    rate : float
        Samples per second.
    channels : int
    count : int or None
        Samples per channel; None if it is not known before the end.
    conversions : tuple of str
        Empty.

    Raises
    ------
    RecordingError
        There is no WAV header, or its format cannot be read.
    """

    conversions: tuple[str, ...] = ()

    def __init__(self, pipe: Pipe, raw: RawOptions | None = None) -> None:
        self.label = pipe.label
        self._pipe = pipe
        self._left: int | None = None  # bytes
        if raw is not None:
            self.rate, self.channels = raw.rate, raw.channels
            self._format: str = raw.format
        else:
            self._read_header()
        self._width = {"u8": 1, "s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4, "f64le": 8}[self._format]
        self.count = None if self._left is None else self._left // (self._width * self.channels)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the samples in blocks as they arrive, float32 or float64 [n, channels], full scale +-1."""
        step = self._width * self.channels
        rest = b""
        while self._left != 0:
            data = self._pipe.read_some(MOST_BYTES if self._left is None else min(MOST_BYTES, self._left))
            if not data:
                return
            if self._left is not None:
                self._left -= len(data)
            data = rest + data
            whole = len(data) // step * step
            rest = data[whole:]
            if whole:
                yield _decode(data[:whole], self._format).reshape(-1, self.channels)

    def interrupt(self) -> None:
        """Make a waiting iterator end."""
        self._pipe.interrupt()

    def close(self) -> None:
        """Close the pipe."""
        self._pipe.close()

    def _read_header(self) -> None:
        """Read up to the first sample."""
        magic = self._pipe.read(12)
        if not magic:
            raise RecordingError(f"{self.label}: is empty, nothing was written to it")
        if magic[:4] not in (b"RIFF", b"RF64") or magic[8:] != b"WAVE":
            raise RecordingError(
                f"{self.label}: is not a WAV stream; convert it (ffmpeg -i FILE -f wav -), or give the format of raw "
                "samples, as in '-?rate=16000'"
            )
        described, long_size = b"", None
        while len(head := self._pipe.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                self._describe(described)
                unknown = any(first <= size <= last for first, last in _UNKNOWN)
                self._left = long_size if unknown else size
                return
            content = self._pipe.read(min(size + size % 2, MOST_HEADER))
            self._pipe.skip(size + size % 2 - len(content))
            if name == b"fmt ":
                described = content
            elif name == b"ds64" and len(content) >= 16:
                long_size = struct.unpack("<Q", content[8:16])[0] or None
        raise RecordingError(f"{self.label}: the WAV stream ends in its header")

    def _describe(self, described: bytes) -> None:
        """Take the format from the chunk `fmt `."""
        if len(described) < 16:
            raise RecordingError(f"{self.label}: the WAV stream does not say its format")
        kind, self.channels, self.rate, _, step, _ = struct.unpack("<HHIIHH", described[:16])
        if kind == 0xFFFE and len(described) >= 26:  # WAVE_FORMAT_EXTENSIBLE
            kind = struct.unpack("<H", described[24:26])[0]
        width = step // self.channels if self.channels else 0
        names = {(1, 1): "u8", (1, 2): "s16le", (1, 3): "s24le", (1, 4): "s32le", (3, 4): "f32le", (3, 8): "f64le"}
        if not self.rate or (kind, width) not in names:
            raise RecordingError(
                f"{self.label}: a WAV stream of format {kind} with {8 * width} bits cannot be read; convert it to PCM "
                "(ffmpeg -i - -c:a pcm_s16le -f wav -)"
            )
        self._format = names[kind, width]


def _decode(data: bytes, format: str) -> np.ndarray:
    """Return samples with full scale +-1, as libsndfile scales them: the least integer is -1."""
    match format:
        case "f32le" | "f64le":
            return np.frombuffer(data, "<f4" if format == "f32le" else "<f8")
        case "u8":
            return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / np.float32(128)
        case "s24le":
            padded = np.zeros((len(data) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            return (padded.view("<i4")[:, 0] / np.float64(2**31)).astype(np.float32)
    kind = np.dtype("<i2" if format == "s16le" else "<i4")
    return (np.frombuffer(data, kind) / -np.float64(np.iinfo(kind).min)).astype(np.float32)
