"""The controls of a remote stream: checked here, and sent to the server."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from vrnn_engine.runtime.controls import Controls, Settable
from vrnn_engine.runtime.live.events import AnyEvent, Nudge, Reset, Set
from vrnn_engine.runtime.voice.manifest import Control


class RemoteControls(Controls):
    """The controls of a remote stream, used like those of a local one.

    A write is checked at once, and takes effect as soon as the server gets it; a write before the first `read` takes
    effect in the first frame.  Of several writes to one control between two messages, the last one is sent.  A value is
    the last one that was set: ramps and walks on the server do not change it.

    Parameters
    ----------
    specs : iterable of Control
        The controls in the voice's manifest.
    notify : callable
        Called after a write.
    """

    def __init__(self, specs: Iterable[Control], notify: Callable[[], None]) -> None:
        super().__init__(specs)
        self._notify = notify
        self._changed: dict[tuple[str, int | None], None] = {}
        """The controls, or dimensions of them, that were written: an ordered set."""
        self._changing = threading.Lock()

    def __setitem__(self, path: str, value: Settable) -> None:
        super().__setitem__(path, value)
        self._note([self.resolve(path)])

    def __delitem__(self, path: str) -> None:
        super().__delitem__(path)
        self._note([self.resolve(path)])

    def update(self, other: Any = (), /, **more: Settable) -> None:
        """Set several controls; parameters and errors are those of `Controls.update`."""
        wanted = dict(other, **more)
        super().update(wanted)
        self._note(map(self.resolve, wanted))

    def restore(self, values: Any) -> None:
        """Set all controls; parameters and errors are those of `Controls.restore`."""
        super().restore(values)
        self._note((name, None) for name in self)

    def reset(self) -> None:
        """Restore every default."""
        super().reset()
        self._note((name, None) for name in self)

    clear = reset

    def check_event(self, event: AnyEvent) -> None:
        """Raise `ControlError` if an event sets a control that does not exist, or to a value that it cannot have.

        Parameters
        ----------
        event : event
        """
        match event:
            case Set():
                self.check(event.control, event.value, event.index)
            case Nudge():
                self.resolve(_path(event))

    def adopt(self, event: AnyEvent) -> None:
        """Adopt the value that an event sets, without sending it.

        Parameters
        ----------
        event : event
            An event that `check_event` accepts.
        """
        self.check_event(event)
        match event:
            case Set():
                super().__setitem__(_path(event), event.value)
            case Nudge():
                spec, value = self.specs[event.control], self.snapshot()[event.control]
                where = slice(None) if event.index is None else event.index
                value[where] = np.clip(value[where] + event.by, spec.minimum, spec.maximum)
                super().__setitem__(event.control, value)
            case Reset():
                super().reset()

    def take_changes(self) -> list[Set]:
        """Return the events that set what was written since the last call."""
        with self._changing:
            changed, self._changed = self._changed, {}
        now = self.snapshot()
        return [_set(name, index, now[name]) for name, index in changed if index is None or (name, None) not in changed]

    def _note(self, written: Iterable[tuple[str, int | None]]) -> None:
        with self._changing:
            self._changed.update(dict.fromkeys(written))
        self._notify()


def _path(event: Set | Nudge) -> str:
    return event.control if event.index is None else f"{event.control}/{event.index}"


def _set(name: str, index: int | None, value: np.ndarray) -> Set:
    """Return the event that sets a control, or a dimension of it; with one number if all dimensions are equal."""
    if index is not None:
        return Set(control=name, index=index, value=float(value[index]))
    return Set(control=name, value=float(value[0]) if (value == value[0]).all() else tuple(value.tolist()))
