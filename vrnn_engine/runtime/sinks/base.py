"""Base of all sinks: the format of the blocks, the base class with its defaults, and the base class of file sinks."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from vrnn_engine.base.files import AtomicFile
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.targets import Modality, list_targets
from vrnn_engine.runtime.voice.manifest import Manifest

_PRODUCTS = {"audio": "sound", "pen": "ink"}


@dataclass(frozen=True)
class Format:
    """Format of the blocks that a sink receives.

    Parameters
    ----------
    modality : {'audio', 'pen'}
        An audio block is float32 [samples], or [samples, 2] of stereo, full scale +-1.  A pen block is float32
        [points, 3]: dx, dy, pen-up; y points down, and pen-up 1 lifts the pen *after* the point.
    rate : int
        Samples or points per second.
    frame_size : int
        Samples in an audio frame, those of all channels together; 3 for a pen.
    unit : str
        Unit of the values: `full scale` for audio, a unit of length such as `mm` for a pen.
    name : str
        Name of the voice.
    line_height : float, optional
        Distance of two baselines, in `unit`, of a voice that writes a text.  At the end of a line, such a voice moves
        the pen to the beginning of the next one; while it waits for more text, it yields points 0, 0, pen-up 1, which
        are no ink.  None: the voice writes no text.
    channels : int
        1, or 2 for stereo sound.
    """

    modality: Modality
    rate: int
    frame_size: int
    unit: str
    name: str
    line_height: float | None = None
    channels: int = 1

    @classmethod
    def of(cls, manifest: Manifest) -> "Format":
        """Return the format in which a voice streams.

        Parameters
        ----------
        manifest : Manifest
            The voice's manifest.

        Returns
        -------
        Format
        """
        line_height = manifest.text.line_height if manifest.text is not None else None
        whole = (manifest.modality, manifest.rate, manifest.frame_size, manifest.unit, manifest.name)
        return cls(*whole, line_height, manifest.channels)

    @property
    def samples_per_frame(self) -> int:
        """Number of samples per channel in an audio frame; 1 (one point) for a pen."""
        return self.frame_size // self.channels if self.modality == "audio" else 1

    def require(self, modality: Modality, target: str) -> None:
        """Raise an error unless the voice has a modality.

        Parameters
        ----------
        modality : {'audio', 'pen'}
            The modality that the sink accepts.
        target : str
            Name of the sink in the message.

        Raises
        ------
        SinkError
            The voice has the other modality; the message lists the targets that accept it.
        """
        if self.modality != modality:
            raise SinkError(
                f"{target} takes {_PRODUCTS[modality]}, but voice {self.name!r} makes {_PRODUCTS[self.modality]}; "
                f"send it to {list_targets(self.modality)}"
            )


@runtime_checkable
class SinkLike(Protocol):
    """The three methods that any object must have to be used as a sink; `Sink` describes them."""

    def open(self, format: Format) -> None:
        """Prepare for blocks of this format."""

    def write(self, block: np.ndarray) -> None:
        """Write one block."""

    def close(self) -> None:
        """Finish the output."""


class Sink(ABC):
    """Base class of sinks, to which a stream can be written.

    A subclass implements `open`, `write` and `close`, and overrides other members as needed.  Each attribute below has
    a default, which a subclass may replace with a property.

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
    """Class of the options that may follow the target: an `options.Options` or a union of them.  None: no options."""

    label: str = ""
    """Name of the sink in messages, e.g. the file's path or the device's full name.  Empty: the name of its class."""
    live: bool = False
    """Whether the output is heard or seen at once.  The player then writes small blocks, so that controls act soon."""
    patience: float = 5.0
    """Seconds within which `write` and `close` return after `interrupt`."""
    full: bool = False
    """Whether the sink can take no more frames, e.g. because its page is full.  The player then ends."""
    waiting: bool = False
    """Whether `write` or `close` waits for `next_page`, because somebody has to change the paper."""
    underruns: int | None = None
    """Number of gaps in the sound, because a device had no samples to play.  None: the sink has no such device."""
    pending: int | None = None
    """Samples or points that `write` has accepted but that are not yet played or drawn.  None: nothing is queued."""
    delay: float = 0.0
    """Seconds of output that the device itself buffers."""
    dropped: int = 0
    """Number of samples that were generated but not played, because the device was disconnected."""
    clipped: int = 0
    """Number of samples that exceeded full scale and were clipped."""
    limited: int = 0
    """Number of samples that exceeded the ceiling of a sound device, and were limited."""
    lines: int | None = None
    """Number of lines of writing on the pages so far.  None: the sink has no pages."""
    pages: int | None = None
    """Number of pages so far.  None: the sink has no pages."""
    volume: float | None = None
    """Volume in dB, which any thread may set.  None: the sink has no volume."""

    def line_width(self, format: Format) -> float | None:
        """Return the width that a line of a text may have, in the unit of the format; None: it has no limit.

        It may be called before `open`, so that a voice can break the lines of its text between words.

        Parameters
        ----------
        format : Format
            Format of a pen voice that writes a text.

        Raises
        ------
        SinkError
            The sink has no room for a line.
        """
        return None

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
            A block as `Stream.read` returns it.

        Raises
        ------
        SinkError
            The block cannot be written, e.g. because the disk is full.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the output: play the pending samples, or complete the file and rename it to its final path."""

    def abort(self) -> None:  # noqa: B027  # a default, not an omission
        """Release the resources of `open`, and remove incomplete output.  Called instead of `close` after an error."""

    def interrupt(self) -> None:  # noqa: B027
        """Make a waiting `write` or `close` return soon.  Called from another thread when the player is stopped."""

    def next_page(self, more: bool = True) -> None:  # noqa: B027
        """Continue on new paper, or end if there is no more.  Called from another thread while `waiting` is true.

        Parameters
        ----------
        more : bool
            Whether there is further paper.
        """


class FileSink(Sink):
    """Base class of sinks that write one file, which appears at its path when it is complete.

    Parameters
    ----------
    target : str
        Path of the file.
    latency : float
        Ignored; every sink's constructor takes it.
    """

    def __init__(self, target: str, latency: float = 0.05) -> None:
        self.label = target
        self._atomic: AtomicFile | None = None

    @property
    def file(self) -> AtomicFile:
        """The file being written; the first access creates it."""
        if self._atomic is None:
            self._atomic = AtomicFile(self.label, take=True)
        return self._atomic

    def close(self) -> None:
        """Rename the complete file to its path. The sink may then be opened again, and will replace that file."""
        file, self._atomic = self.file, None
        file.commit()

    def abort(self) -> None:
        """Remove the incomplete file; an earlier file at that path stays unchanged."""
        file, self._atomic = self._atomic, None
        if file is not None:
            file.abort()
