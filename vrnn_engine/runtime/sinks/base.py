"""What every sink shares: the format it is opened with, its protocol, and files that appear only when finished."""

import contextlib
import io
import os
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NoReturn, Protocol, runtime_checkable

import numpy as np

from vrnn_engine.base.places import other_than_file
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.targets import list_targets
from vrnn_engine.runtime.voice.manifest import Manifest

_MADE = {"audio": "sound", "pen": "ink"}
_FULL_SCALE = 32768.0


@dataclass(frozen=True)
class Format:
    """What a stream is about to write.

    Parameters
    ----------
    modality
        `audio` (blocks are float32 `[samples]`, full scale +-1) or `pen` (float32 `[points, 3]`:
        dx, dy, pen-up; y grows downwards; pen-up 1 lifts the pen *after* the point).
    rate
        Samples or points per second.
    frame_size
        Samples in an audio frame; 3 for a pen.
    unit
        Unit of the values: `full scale` for audio, e.g. `mm` for a pen.
    name
        The voice's name.
    """

    modality: Literal["audio", "pen"]
    rate: int
    frame_size: int
    unit: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> "Format":
        """Return the format in which a voice streams."""
        return cls(manifest.modality, manifest.rate, manifest.frame_size, manifest.unit, manifest.name)

    @property
    def samples_per_frame(self) -> int:
        """Samples an audio frame covers, or 1 (one point) for a pen."""
        return self.frame_size if self.modality == "audio" else 1

    def require(self, modality: Literal["audio", "pen"], target: str) -> None:
        """Raise `SinkError` naming the targets that fit, unless the voice is of this modality."""
        if self.modality != modality:
            raise SinkError(
                f"{target} takes {_MADE[modality]}, but voice {self.name!r} makes {_MADE[self.modality]}; "
                f"send it to {list_targets(self.modality)}"
            )


@runtime_checkable
class SinkLike(Protocol):
    """The three methods that any object must have to be used as a sink; see `Sink` for what they do."""

    def open(self, format: Format) -> None:
        """Prepare for blocks of this format."""

    def write(self, block: np.ndarray) -> None:
        """Write one block."""

    def close(self) -> None:
        """Finish the output."""


class Sink(ABC):
    """Base class of everything that a stream can be written to.

    A subclass implements `open`, `write` and `close`, and overrides what else applies to it.  Each attribute below has
    a default; a subclass may replace it by a property.

    Threads: one thread calls `open`; from then on one thread calls `write`, `close` and `abort`.  Any thread may call
    `interrupt`, read the attributes and set `volume`.

    Examples
    --------
    >>> class Peak(Sink):
    ...     peak = 0.0
    ...     def open(self, format):
    ...         format.require("audio", "the peak meter")
    ...     def write(self, block):
    ...         self.peak = max(self.peak, float(np.abs(block).max()))
    ...     def close(self):
    ...         print(self.peak)
    """

    Options: ClassVar[Any] = None
    """The options that may follow the target, an `options.Options` or a union of them; None: no options."""

    label: str = ""
    """Name of the sink in messages, e.g. the file's path or the device's full name.  Empty: the name of its class."""
    live: bool = False
    """Whether somebody listens or watches.  The player then writes small blocks, so that a control acts soon."""
    patience: float = 5.0
    """Seconds within which `write` and `close` return after `interrupt`."""
    full: bool = False
    """Whether the sink can take no more, e.g. because its page is full.  The player then ends."""
    underruns: int | None = None
    """How often a device had nothing to play.  None: the sink is not a device that this can happen to."""
    pending: int | None = None
    """Samples or points that `write` has accepted and that are still to be played or drawn.  None: nothing waits."""
    delay: float = 0.0
    """Seconds of output that the device itself buffers."""
    dropped: int = 0
    """Samples that were generated but not played, because the device was disconnected."""
    clipped: int = 0
    """Samples beyond full scale, which were limited to it."""
    volume: float | None = None
    """Volume in dB, which any thread may set.  None: the sink has no volume."""

    @abstractmethod
    def open(self, format: Format) -> None:
        """Prepare for blocks of a format.

        Parameters
        ----------
        format : Format
            Modality, rate and unit of the blocks that follow.

        Raises
        ------
        SinkError
            The sink cannot be opened, or does not take this modality (see `Format.require`).
        """

    @abstractmethod
    def write(self, block: np.ndarray) -> None:
        """Write one block; wait until there is room for it.

        Parameters
        ----------
        block : ndarray, float32, shape [samples] or [points, 3]
            As `Stream.read` returns it.

        Raises
        ------
        SinkError
            The block cannot be written, e.g. because the disk is full.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the output: play what is pending, or complete the file and rename it to its final path."""

    def abort(self) -> None:  # noqa: B027  # a default, not an omission
        """Release what `open` acquired, and leave no half-written output.  Called instead of `close` after an error."""

    def interrupt(self) -> None:  # noqa: B027
        """Make a `write` or `close` that waits return soon.  Called from another thread when the player is stopped."""


class AtomicFile(io.RawIOBase):
    """A file written beside its final path and renamed to it by `commit`; `abort` leaves nothing behind.

    It is unbuffered, so that a full disk shows in the very write that met it.  The first `OSError` of a write is kept
    in `failure`, for writers in between (libsndfile) that lose it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(os.path.realpath(path))
        self.failure: OSError | None = None
        _require_file(path)
        self._beside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.part")
        try:
            # Not tempfile: it makes files that only their owner may read, whatever the umask says.
            descriptor = os.open(self._beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            fail_writing(str(path), error)
        self._file = io.FileIO(descriptor, "r+b")

    def readable(self) -> bool:
        """Libsndfile reads its header back."""
        return True

    def writable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """A header is completed at the end."""
        return True

    def readinto(self, buffer) -> int | None:  # type: ignore[no-untyped-def]
        """Read as a raw file does."""
        return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as a raw file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Position in bytes."""
        return self._file.tell()

    def write(self, data) -> int:  # type: ignore[no-untyped-def]
        """Write everything; on an `OSError` keep it in `failure` and return 0."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view) and self.failure is None:
                done += self._file.write(view[done:])
        except OSError as error:
            self.failure = error
        return done if self.failure is None else 0

    def append(self, data: bytes) -> None:
        """Write everything, or raise `SinkError`."""
        self.write(data)
        self.check()

    def check(self) -> None:
        """Raise `SinkError` if a write has failed."""
        if self.failure is not None:
            fail_writing(str(self.path), self.failure)

    def commit(self) -> None:
        """Close the file and give it its name; raise `SinkError` (and leave nothing) if that fails."""
        try:
            self._file.close()
            self.check()
            self._beside.replace(self.path)
        except OSError as error:
            self.abort()
            fail_writing(str(self.path), error)
        except SinkError:
            self.abort()
            raise

    def abort(self) -> None:
        """Close and remove what was written."""
        with contextlib.suppress(OSError):  # it is thrown away anyhow
            self._file.close()
        self._beside.unlink(missing_ok=True)


class FileSink(Sink):
    """The part that sinks writing one file share.  `label` is the path as the person gave it."""

    def __init__(self, target: str, latency: float = 0.05) -> None:
        self.label = target
        self._atomic: AtomicFile | None = None

    @property
    def file(self) -> AtomicFile:
        """The file being written; opened by the first use."""
        if self._atomic is None:
            self._atomic = AtomicFile(self.label)
        return self._atomic

    def close(self) -> None:
        """Give the file its name."""
        self.file.commit()

    def abort(self) -> None:
        """Remove what was written."""
        if self._atomic is not None:
            self._atomic.abort()


def _require_file(path: str | Path) -> None:
    """Raise `SinkError` if a file at a path would take the place of something else."""
    with contextlib.suppress(OSError):  # nothing is there; or else it shows when it is written to
        kind = other_than_file(path)
        if kind == "a folder":
            raise SinkError(f"{path} is a folder; name a file in it")
        if kind is not None:
            raise SinkError(f"{path} is {kind}, and a file would take its place; name a file")


def fail_writing(target: str, error: OSError) -> NoReturn:
    """Raise the `SinkError` that says why `target` cannot be written, and what to do."""
    if isinstance(error, BrokenPipeError):
        raise SinkError(f"{target}: the program reading it closed the pipe") from error
    reason = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        folder = Path(os.path.realpath(target)).parent
        raise SinkError(f"cannot write {target}: there is no folder {folder}; make it first") from error
    if isinstance(error, PermissionError):
        raise SinkError(f"cannot write {target}: {reason}; choose a place you may write to") from error
    raise SinkError(f"cannot write {target}: {reason}") from error


def to_pcm16(block: np.ndarray) -> tuple[np.ndarray, int]:
    """Return float samples as little-endian int16, and how many were beyond full scale and cut to it."""
    scaled = np.rint(np.asarray(block, np.float32) * _FULL_SCALE)
    clipped = int(np.count_nonzero(np.abs(block) > 1.0))
    return np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1.0).astype("<i2"), clipped
