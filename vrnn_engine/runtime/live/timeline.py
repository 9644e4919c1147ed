"""A performance written down: JSON lines, an event each, in the order of their frames.

The first line may say what it was played on.  A recording has it; a timeline by hand need not.

    {"timeline": 1, "voice": "blizzard", "fingerprint": "...", "seed": 7, "controls": {"latent.temperature": [1.0]}}
    {"do": "set", "second": 1.5, "control": "latent.temperature", "value": 0.2, "ramp": 2}
    {"do": "rewind", "frame": 400, "seconds": 3}
"""

import codecs
import contextlib
import os
from pathlib import Path
from typing import Self

import msgspec

from vrnn_engine.base.files import AtomicFile
from vrnn_engine.errors import SinkError, StreamError
from vrnn_engine.runtime.live.events import AnyEvent
from vrnn_engine.runtime.stream import Stream

VERSION = 1


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a performance was played on."""

    timeline: int = VERSION
    voice: str
    fingerprint: str
    """`Voice.fingerprint` of the precision that was stepped."""
    seed: int
    controls: dict[str, list[float]]
    """As they were before the first frame."""
    start: bytes | None = None
    """Snapshot of a stream that had a past by then; none of one that begins."""

    @classmethod
    def of(cls, stream: Stream) -> "Head":
        """Return what is played on where it is this stream, as it is now."""
        return cls(
            voice=stream.voice.name,
            fingerprint=stream.engine.fingerprint,
            seed=stream.seed,
            controls={name: value.tolist() for name, value in stream.controls.snapshot().items()},
            start=stream.snapshot() if stream.frame else None,
        )

    def bring(self, stream: Stream) -> None:
        """Bring a stream there; raise `StreamError` or `ControlError` if it is of a voice that does not fit."""
        if self.start is not None:
            stream.restore(self.start)
        else:
            stream.reseed(self.seed)
            stream.controls.restore(self.controls)


class Timeline(msgspec.Struct, frozen=True):
    """Events in order, each with its `frame`."""

    events: tuple[AnyEvent, ...] = ()
    head: Head | None = None


def read_timeline(path: str | os.PathLike[str], frames_per_second: float) -> Timeline:
    """Read a timeline.

    Raises
    ------
    StreamError
        It cannot be read, a line is no event, or comes before the one above it; with the line's number.
    """
    try:
        lines = Path(path).read_bytes().removeprefix(codecs.BOM_UTF8).splitlines()
    except OSError as error:
        raise StreamError(f"{path}: cannot be read: {error.strerror}") from error
    head: Head | None = None
    events: list[AnyEvent] = []
    reached = 0
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            if not events and head is None and b'"timeline"' in line:
                head = msgspec.json.decode(line, type=Head)
                if head.timeline > VERSION:
                    raise StreamError(f"{where}: version {head.timeline} is newer than this vrnn-engine understands")
                continue
            event: AnyEvent = msgspec.json.decode(line, type=AnyEvent)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StreamError(f"{where}: not an event: {error}") from None
        if (event.frame is None) == (event.second is None):
            raise StreamError(f"{where}: an event in a timeline has a frame or a second, one of the two")
        frame = event.frame if event.frame is not None else round((event.second or 0.0) * frames_per_second)
        if frame < reached:
            raise StreamError(f"{where}: at frame {frame}, but the line above it is at {reached}; put them in order")
        reached = frame
        events.append(msgspec.structs.replace(event, frame=frame, second=None))
    return Timeline(tuple(events), head)


class Recorder:
    """Writes a timeline as it happens; the file appears when it is closed.

    Raises
    ------
    SinkError
        It cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], head: Head) -> None:
        self._file = AtomicFile(path)
        self._write(head)

    def __call__(self, event: AnyEvent) -> None:
        """Write one event, which has its frame."""
        self._write(event)

    def close(self) -> None:
        """Give the file its name."""
        self._file.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        # What was played until something went wrong is worth as much as the rest.
        with contextlib.suppress(SinkError) if kind else contextlib.nullcontext():
            self.close()

    def _write(self, line: Head | AnyEvent) -> None:
        self._file.append(msgspec.json.encode(line) + b"\n")
