"""Adapts any object that has `open`, `write` and `close`, of an application or a plug-in, to a `Sink`."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from vrnn_engine.runtime.sinks.base import Format, Sink, SinkLike


def _forward(name: str, convert: Callable[[Any], Any]) -> Any:
    """Return a property that reads an attribute of the adapted object, or the default of `Sink` if it has none."""

    def read(sink: "AdaptedSink") -> Any:
        with sink.guard():
            value = getattr(sink.adapted, name, getattr(Sink, name))
            return value if value is None else convert(value)

    return property(read)


class AdaptedSink(Sink):
    """A sink that forwards all calls to an object, which need not derive from `Sink`.

    The object must have the methods of `SinkLike`.  It may have any other method or attribute of `Sink`; these are
    looked up at each use, and the default of `Sink` replaces a missing one.

    Parameters
    ----------
    adapted : SinkLike
        The object.
    guard : callable, optional
        Returns a context manager that surrounds each access to the object, e.g. to translate its errors.
    """

    live = _forward("live", bool)
    patience = _forward("patience", float)
    full = _forward("full", bool)
    waiting = _forward("waiting", bool)
    underruns = _forward("underruns", int)
    pending = _forward("pending", int)
    delay = _forward("delay", float)
    dropped = _forward("dropped", int)
    clipped = _forward("clipped", int)
    limited = _forward("limited", int)
    lines = _forward("lines", int)
    pages = _forward("pages", int)

    def __init__(self, adapted: SinkLike, guard: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self.adapted = adapted
        self.guard = guard

    def open(self, format: Format) -> None:
        """Open the object."""
        with self.guard():
            self.adapted.open(format)

    def line_width(self, format: Format) -> float | None:
        """Return the object's `line_width`, if it has one."""
        with self.guard():
            method = getattr(self.adapted, "line_width", None)
            return None if method is None else method(format)

    def write(self, block: np.ndarray) -> None:
        """Write a block to the object."""
        with self.guard():
            self.adapted.write(block)

    def close(self) -> None:
        """Close the object."""
        with self.guard():
            self.adapted.close()

    def abort(self) -> None:
        """Call the object's `abort`, if it has one."""
        self._call_if_present("abort")

    def interrupt(self) -> None:
        """Call the object's `interrupt`, if it has one."""
        self._call_if_present("interrupt")

    def next_page(self, more: bool = True) -> None:
        """Pass on that there is new paper, or none.

        Parameters
        ----------
        more : bool
            Whether there is further paper.
        """
        self._call_if_present("next_page", more)

    @property
    def label(self) -> str:  # type: ignore[override]
        """Label of the object, or the name of its class."""
        with self.guard():
            return str(getattr(self.adapted, "label", "") or type(self.adapted).__name__)

    @property
    def volume(self) -> float | None:
        """Volume of the object in dB; None if it has none."""
        with self.guard():
            volume = getattr(self.adapted, "volume", None)
            return volume if volume is None else float(volume)

    @volume.setter
    def volume(self, volume: float | None) -> None:
        with self.guard():
            self.adapted.volume = volume  # type: ignore[attr-defined]

    def _call_if_present(self, name: str, *given: object) -> None:
        with self.guard():
            method = getattr(self.adapted, name, None)
            if method is not None:
                method(*given)
