"""What a person steers while a voice runs: a checked mapping of control names to values.

Threading contract
------------------
Any thread may read and write at any time.  A write replaces one immutable table, so a frame sees
all of a write (also of an `update` of many controls) or none of it, and never waits for a writer.
The engine looks at the table once before each frame: a write is heard in the next frame begun.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np

from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import ControlError
from vrnn_engine.runtime.voice.manifest import Control

Value = float | np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Settable = Any  # a number, or whatever numpy takes for an array of numbers


class Controls(MutableMapping[str, Value]):
    """The controls of one stream.

    `controls["latent.temperature"]` gives a float for a control of shape [1] and a read-only copy
    of the values for a vector; a number set on a vector goes to each of its dimensions.  `del`
    restores one default, `reset` all of them.

    Parameters
    ----------
    specs : iterable of Control
        What the manifest says of each control.
    """

    def __init__(self, specs: Iterable[Control]) -> None:
        self.specs: Mapping[str, Control] = {spec.name: spec for spec in specs}
        self._writing = threading.Lock()
        self._values = {name: np.full(spec.shape, spec.default) for name, spec in self.specs.items()}
        self._defaults = self._values
        self._table = self._rows(self._values)

    @property
    def table(self) -> Mapping[str, np.ndarray]:
        """name -> float32 [1, ...]: one batch row, as the graph takes it.

        A new object after each write, the same one as long as nothing is written.
        """
        return self._table

    def __getitem__(self, name: str) -> Value:
        spec = self._spec(name)
        value = self._values[name]
        if spec.shape == (1,):
            return float(value[0])
        value = value.copy()
        value.flags.writeable = False
        return value

    def __setitem__(self, name: str, value: Settable) -> None:
        self._write({name: self.check(name, value)})

    def __delitem__(self, name: str) -> None:
        self._spec(name)
        self._write({name: self._defaults[name]})

    def __iter__(self) -> Iterator[str]:
        return iter(self.specs)

    def __len__(self) -> int:
        return len(self.specs)

    def __contains__(self, name: object) -> bool:
        return name in self.specs

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a control, or `default` if the voice has no such control."""
        return self[name] if name in self.specs else default

    def update(self, other: Any = (), /, **more: Settable) -> None:
        """Set many controls at once: all of them from the same frame on, or none if one is wrong."""
        wanted = dict(other, **more)
        self._write({name: self.check(name, value) for name, value in wanted.items()})

    def reset(self) -> None:
        """Restore every default."""
        self._write(self._defaults)

    clear = reset

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return a copy of all values at one moment: name -> float64 array."""
        return {name: value.copy() for name, value in self._values.items()}

    def restore(self, values: Mapping[str, Settable]) -> None:
        """Set all controls at once, those not among `values` to their default."""
        self._write({**self._defaults, **{name: self.check(name, value) for name, value in values.items()}})

    def follow(self, values: Mapping[str, np.ndarray], seen: Mapping[str, np.ndarray]) -> None:
        """Set all controls, but those that are no longer as they were seen: who wrote meanwhile has the last word."""
        with self._writing:
            still = {name for name, value in self._values.items() if np.array_equal(value, seen[name])}
            self._replace({name: value for name, value in values.items() if name in still})

    def turn(self, text: str, value: Settable) -> None:
        """Set what NAME or NAME/INDEX means: a control, or one dimension of it alone."""
        name, index = self.find(text)
        where = slice(None) if index is None else index
        end = self.check(name, value, index)
        with self._writing:
            new = self._values[name].copy()
            new[where] = end[where]
            self._replace({name: new})

    def find(self, text: str) -> tuple[str, int | None]:
        """Return the control that NAME or NAME/INDEX means, and which dimension of it; raise `ControlError` if none."""
        name, _, last = text.rpartition("/")
        if name in self.specs and text not in self.specs and last.isdecimal():
            self.check(name, self.specs[name].default, int(last))
            return name, int(last)
        return self._spec(text).name, None

    def check(self, name: str, value: Settable, index: int | None = None) -> np.ndarray:
        """Return what a value would set, as float64 of the control's shape; raise `ControlError` if it cannot be.

        Where an index is given, the value is one number, for that dimension alone.
        """
        spec = self._spec(name)
        if index is not None and not 0 <= index < spec.shape[0]:
            raise ControlError(f"control {name!r} has no dimension {index}: they are 0 to {spec.shape[0] - 1}")
        try:
            given = np.asarray(value)
            if given.dtype.kind not in "buif":
                raise TypeError
            given = given.astype(np.float64)
        except (TypeError, ValueError):
            raise ControlError(f"control {name!r} takes numbers, not {value!r:.60}") from None
        if index is not None and given.shape != ():
            raise ControlError(f"a dimension of control {name!r} takes one number, not {given.size}")
        if given.shape not in ((), spec.shape):
            raise ControlError(
                f"control {name!r} takes one number or an array of shape {list(spec.shape)}, "
                f"not of shape {list(given.shape)}"
            )
        if not np.isfinite(given).all():
            raise ControlError(f"control {name!r} cannot be NaN or infinite")
        beyond = (given < spec.minimum) | (given > spec.maximum)
        if beyond.any():
            raise ControlError(
                f"control {name!r} = {given[beyond].flat[0]:g} is out of range [{spec.minimum:g}, {spec.maximum:g}]"
            )
        return np.broadcast_to(given, spec.shape).copy()

    def __repr__(self) -> str:
        return f"Controls({dict(self)!r})"

    def _spec(self, name: str) -> Control:
        try:
            return self.specs[name]
        except (KeyError, TypeError):
            hint = suggest(str(name), self.specs, "this voice's controls")
            raise ControlError(f"unknown control {name!r}{hint}") from None

    def _write(self, changed: Mapping[str, np.ndarray]) -> None:
        with self._writing:
            self._replace(changed)

    def _replace(self, changed: Mapping[str, np.ndarray]) -> None:
        self._values = {**self._values, **changed}
        self._table = self._rows(self._values)

    @staticmethod
    def _rows(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows = {}
        for name, value in values.items():
            row = value.astype(np.float32)[np.newaxis]
            row.flags.writeable = False
            rows[name] = row
        return rows
