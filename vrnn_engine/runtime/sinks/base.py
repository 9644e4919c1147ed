"""What every sink shares: the format it is opened with, its protocol, and files that appear only when finished."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from vrnn_engine.base.files import AtomicFile
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


def to_pcm16(block: np.ndarray) -> tuple[np.ndarray, int]:
    """Return float samples as little-endian int16, and how many were beyond full scale and cut to it."""
    scaled = np.rint(np.asarray(block, np.float32) * _FULL_SCALE)
    clipped = int(np.count_nonzero(np.abs(block) > 1.0))
    return np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1.0).astype("<i2"), clipped
