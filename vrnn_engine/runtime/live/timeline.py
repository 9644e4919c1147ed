"""Reads and writes timelines: events as JSON lines, one event per line, in the order of their frames.

The first line may be a head: the voice, seed and controls at the start.  A performance log has a head; a timeline
written by hand does not need one.

    {"timeline": 1, "voice": "blizzard", "fingerprint": "...", "seed": 7, "controls": {"latent.temperature": [1.0]}}
    {"do": "set", "second": 1.5, "control": "latent.temperature", "value": 0.2, "ramp": 2}
    {"do": "rewind", "frame": 400, "seconds": 3}
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Self

import msgspec

from vrnn_engine.base.file_errors import newer_error, read_error
from vrnn_engine.base.files import AtomicFile
from vrnn_engine.base.reading.decoding import decode_json
from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.errors import SinkError, StreamError, VRNNEngineError
from vrnn_engine.runtime.live.events import AnyEvent, fault_of
from vrnn_engine.runtime.stream import Stream

VERSION = 1


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The stream with which a performance began."""

    timeline: int = VERSION
    """Version of the format."""
    voice: str
    """Name of the voice."""
    fingerprint: str
    """`Voice.fingerprint` of the precision in use."""
    seed: int
    controls: dict[str, list[float]]
    """Values before the first frame."""
    start: bytes | None = None
    """Snapshot of a stream that had already played or observed frames, or may have a text; otherwise None."""

    @classmethod
    def of(cls, stream: Stream) -> "Head":
        """Return the head for a performance of this stream as it is now.

        Parameters
        ----------
        stream : Stream

        Returns
        -------
        Head
        """
        return cls(
            voice=stream.voice.name,
            fingerprint=stream.fingerprint,
            seed=stream.seed,
            controls={name: value.tolist() for name, value in stream.controls.snapshot().items()},
            start=stream.snapshot() if stream.frame or stream.state.text is not None else None,
        )

    def bring(self, stream: Stream) -> None:
        """Set a new stream to the state in which the performance began.

        Parameters
        ----------
        stream : Stream

        Raises
        ------
        StreamError, ControlError
            The stream belongs to another voice, which does not fit.
        """
        if self.start is not None:
            stream.restore(self.start)
        else:
            stream.reseed(self.seed)
            stream.controls.restore(self.controls)


class Timeline(msgspec.Struct, frozen=True):
    """A timeline in memory."""

    events: tuple[AnyEvent, ...] = ()
    """The events in order, each with its `frame`."""
    head: Head | None = None
    places: tuple[str, ...] = ()
    """Where each event was read, as FILE:LINE; empty if the events were not read from a file."""

    @contextlib.contextmanager
    def naming(self, index: int) -> Iterator[None]:
        """While the block runs, errors begin with the place, the name and the frame of an event.

        Parameters
        ----------
        index : int
            Index of the event.
        """
        place, event = f"{self.places[index]}: " if self.places else "", self.events[index]
        try:
            yield
        except VRNNEngineError as error:
            message = f"{place}{event_name(event)} at frame {event.frame}: {error}"
            raise type(error)(message, error.parameters) from None


def event_name(event: AnyEvent) -> str:
    """Return the name of an event in timelines and messages.

    Parameters
    ----------
    event : event
    """
    return str(event.__struct_config__.tag)


def read_timeline(path: str | os.PathLike[str], frames_per_second: float) -> Timeline:
    """Read a timeline or a performance log.

    Parameters
    ----------
    path : path
        The file: JSON lines.
    frames_per_second : float
        Frame rate of the voice, which converts an event's `second` to its `frame`.

    Returns
    -------
    Timeline

    Raises
    ------
    StreamError
        The file cannot be read, or a line is not an event or is earlier than the line above it; the message has the
        line's number.
    """
    try:
        lines = read_text_bytes(path).splitlines()
    except OSError as error:
        raise read_error(path, error, StreamError) from error
    head: Head | None = None
    events: list[AnyEvent] = []
    places: list[str] = []
    reached = 0
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            if not events and head is None and b'"timeline"' in line:
                head = decode_json(line, Head)
                if head.timeline > VERSION:
                    raise newer_error(where, head.timeline, StreamError)
                continue
            event: AnyEvent = decode_json(line, AnyEvent)  # type: ignore[arg-type]  # a union of types
        except ValueError as error:
            raise StreamError(f"{where}: not an event: {_fault_of(line, error)}") from None
        if (event.frame is None) == (event.second is None):
            raise StreamError(f"{where}: an event in a timeline needs either a frame or a second")
        frame = event.frame if event.frame is not None else round((event.second or 0.0) * frames_per_second)
        if frame < reached:
            raise StreamError(f"{where}: at frame {frame}, but the line above it is at {reached}; put them in order")
        reached = frame
        events.append(msgspec.structs.replace(event, frame=frame, second=None))
        places.append(where)
    return Timeline(tuple(events), head, tuple(places))


def _fault_of(line: bytes, error: ValueError) -> str:
    """Return why a line is not an event."""
    try:
        return fault_of(decode_json(line, Any), error)
    except ValueError:  # not JSON either
        return str(error)


class PerformanceLog:
    """Context manager that writes events to a timeline as they take effect.  The file appears when it is closed.

    Parameters
    ----------
    path : path
        The file to write.
    head : Head
        The stream at the start: `Head.of(stream)`.

    Raises
    ------
    SinkError
        The file cannot be written.

    Examples
    --------
    >>> with PerformanceLog("played.jsonl", Head.of(stream)) as log:  # doctest: +SKIP
    ...     performance = Performance(stream, record=log)
    """

    def __init__(self, path: str | os.PathLike[str], head: Head) -> None:
        self._file = AtomicFile(path, take=True)
        try:
            self._write(head)
        except SinkError:
            self._file.abort()
            raise

    def __call__(self, event: AnyEvent) -> None:
        """Write one event, which must have its frame."""
        self._write(event)

    def close(self) -> None:
        """Finish the file and rename it from its temporary name."""
        self._file.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        # After an error, the log so far is kept, and that error matters more than an error in closing the file.
        with contextlib.suppress(SinkError) if kind else contextlib.nullcontext():
            self.close()

    def _write(self, line: Head | AnyEvent) -> None:
        self._file.append(msgspec.json.encode(line) + b"\n")
