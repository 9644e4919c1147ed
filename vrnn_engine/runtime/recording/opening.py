"""Opens a recording, sound or ink, as a stream of the frames that a voice observes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vrnn_engine.base.file_errors import read_error
from vrnn_engine.base.file_kinds import non_file_kind
from vrnn_engine.base.reading.rates import check_rate
from vrnn_engine.errors import RecordingError
from vrnn_engine.runtime.voice.manifest import Manifest

if TYPE_CHECKING:
    from vrnn_engine.runtime.recording.pipe import Pipe

RecordingLike = str | os.PathLike[str] | np.ndarray | list[Any]
"""A path, `-` for stdin, or an array of samples or of points."""


@dataclass(frozen=True)
class Recording:
    """Frames of a recording in the format of a voice.

    Attributes
    ----------
    frames : float32 array [T, frame_size]
        Audio: samples, full scale +-1. Pen: dx and dy in the voice's unit, and pen-up, 0 or 1.
    conversions : tuple of str
        How the recording was converted, one line for each conversion; empty if no conversion was needed.
    """

    frames: np.ndarray
    conversions: tuple[str, ...]


class FrameBlocks(Protocol):
    """Frames of a recording, which are read and converted while they are iterated."""

    label: str
    """Name of the recording in messages."""
    length: int | None
    """Number of frames; None if it is not known before the end."""

    @property
    def conversions(self) -> tuple[str, ...]:
        """How the recording is converted, one line for each conversion; complete once all frames are read."""
        ...

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield blocks, float32 [n, frame_size].  Raises `RecordingError` if the recording turns out unfit."""
        ...

    def interrupt(self) -> None:
        """Make an iterator that waits for a pipe end soon.  Any thread may call this."""

    def close(self) -> None:
        """Close the file or pipe."""


def read_recording(source: RecordingLike, manifest: Manifest, rate: float | None = None) -> Recording:
    """Read a whole recording and convert it to the format of a voice.

    Parameters
    ----------
    source, manifest, rate
        As for `open_recording`.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        As `open_recording`; or the recording contains NaN or infinity.

    See Also
    --------
    open_recording : Read it block by block.
    vrnn_engine.Stream.prime : Read and observe a recording.
    """
    opened = open_recording(source, manifest, rate)
    try:
        return Recording(np.concatenate(list(opened)), opened.conversions)
    finally:
        opened.close()


def open_recording(source: RecordingLike, manifest: Manifest, rate: float | None = None) -> FrameBlocks:
    """Open a recording, to be converted to the format of a voice block by block, in a fixed amount of memory.

    Sound is mixed to mono and resampled to the voice's rate; its last frame is padded with zeros. Ink is converted
    if it says its unit and rate.

    Parameters
    ----------
    source : path or array
        Audio: a sound file (WAV, FLAC, OGG, MP3), or samples [n] or [n, channels]: float with full scale +-1, int16 or
        int32. Pen: an .npz or .jsonl file with dx, dy and pen_up, or an array [T, 3] of them. `-` is stdin and a path
        may be a pipe, with a WAV stream or JSON lines of ink; `-?rate=16000` is raw PCM, see `RawOptions`.
    manifest : Manifest
        Manifest of the voice.
    rate : float, optional
        Samples per second of an array; the voice's own rate by default. Ignored for a sound file, which has its own.

    Returns
    -------
    FrameBlocks
        Close it after use.

    Raises
    ------
    RecordingError
        The recording is missing, unreadable or empty, or has the wrong shape; its rate or `rate` is not a number within
        `RATES`, or less than 1/`MOST_RATIO` of the voice's. An error in a later part of a file is raised
        while that part is read.
    """
    # Here, as these imports would delay the first sound of a stream that reads no recording.
    from vrnn_engine.runtime.recording.pipe import open_pipe
    from vrnn_engine.runtime.recording.samples import ArraySource
    from vrnn_engine.runtime.recording.sound import SoundFrames

    pen = manifest.modality == "pen"
    if hasattr(source, "read") and not isinstance(source, str | os.PathLike):
        raise RecordingError(f"{source!r:.100} is an open file; give the path of a recording, or an array")
    check_rate(rate, os.fspath(source) if isinstance(source, str | os.PathLike) else ArraySource.label, RecordingError)
    if not isinstance(source, str | os.PathLike):
        if pen:
            from vrnn_engine.runtime.recording.ink import InkFrames

            return InkFrames.of(source, None, rate, manifest, ArraySource.label)
        return SoundFrames(ArraySource(source, rate), manifest)
    where = os.fspath(source)
    place, query = ("-", where[2:]) if where.startswith("-?") else (where, "")
    pipe = open_pipe(place)
    try:
        if pen:
            return _open_ink(where, query, pipe, manifest)
        sound = _open_sound(where, query, pipe)
        try:
            return SoundFrames(sound, manifest)
        except BaseException:
            sound.close()
            raise
    except BaseException:
        if pipe is not None:
            pipe.close()
        raise


def _open_sound(where: str, query: str, pipe: "Pipe | None") -> Any:
    from vrnn_engine.runtime.recording.pipe import is_regular
    from vrnn_engine.runtime.recording.samples import FileSource

    if pipe is None:
        _require_file(where)
        return FileSource(where, where)
    if is_regular(pipe) and not query:
        return FileSource(pipe.descriptor, pipe.label)
    from vrnn_engine.runtime.options import read_options, split_target
    from vrnn_engine.runtime.recording.wav_stream import RawOptions, WavStream

    raw = None
    if query:
        place, given = split_target(where, RecordingError)
        raw = read_options(place, given, RawOptions, RecordingError)
    return WavStream(pipe, raw)


def _open_ink(where: str, query: str, pipe: "Pipe | None", manifest: Manifest) -> FrameBlocks:
    from vrnn_engine.runtime.recording.ink import InkFrames, read_ink_file

    if query:
        raise RecordingError(f"{where}: ink on stdin is JSON lines and takes no options; write -")
    if pipe is not None:
        from vrnn_engine.runtime.recording.piped_ink import PipedInk

        return PipedInk(pipe, manifest)
    _require_file(where)
    points, unit, rate = read_ink_file(Path(where))
    return InkFrames.of(points, unit, rate, manifest, where)


def _require_file(where: str) -> None:
    try:
        kind = non_file_kind(where)
    except FileNotFoundError:
        raise RecordingError(f"{where}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise read_error(where[:300], error, RecordingError) from None
    if kind is not None:
        raise RecordingError(f"{where}: is {kind}, not a file; give the path of a recording")
