"""Control values of a stream: a mapping from control names to checked numbers, which any thread may use.

Threading contract
------------------
Any thread may read and write at any time. A write replaces one immutable table, so a frame sees all of a write (also of
an `update` of several controls) or none of it, and never waits for a writer. The stepper reads the table once before
each frame: a write takes effect in the next frame that begins.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np

from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import ControlError
from vrnn_engine.runtime.voice.manifest import Control

Value = float | np.ndarray[tuple[int, ...], np.dtype[np.float64]]
"""Type of a control's value when it is read."""
Settable = Any
"""Type of a value to set: a number, or anything that numpy converts to an array of numbers."""

_DIGITS = 9
"""Most digits of an index; Python converts no text of more than 4,300 digits to a number, and slowly one of many."""


class Controls(MutableMapping[str, Value]):
    """The controls of one stream, a mapping of name to value.

    Reading a control of shape [1] returns a float; reading a vector returns a read-only copy, float64. Writing a number
    to a vector sets all its dimensions. NAME/INDEX reads or writes one dimension, counted from 0. `del` restores the
    default of one control, `reset` the defaults of all.

    Parameters
    ----------
    specs : iterable of Control
        The controls in the voice's manifest: name, shape, default and range of each.

    Attributes
    ----------
    specs : mapping of str to Control

    Raises
    ------
    ControlError
        The control is unknown, or a value has another shape, is out of range, or is not finite.

    Examples
    --------
    >>> stream.controls["latent.temperature"] = 0.7
    >>> stream.controls.update({"latent.shift": 0.5, "output.temperature": 0.9})
    >>> stream.controls["latent.shift/3"] = -0.5
    >>> del stream.controls["latent.shift"]
    """

    def __init__(self, specs: Iterable[Control]) -> None:
        self.specs: Mapping[str, Control] = {spec.name: spec for spec in specs}
        self._writing = threading.Lock()
        self._values = {name: np.full(spec.shape, spec.default) for name, spec in self.specs.items()}
        self._defaults = self._values
        self._table = self._rows(self._values)

    @property
    def table(self) -> Mapping[str, np.ndarray]:
        """Values as the graph takes them: name -> float32 [1, ...], one row of a batch.

        Each write makes a new table; without a write it stays the same object.
        """
        return self._table

    def __getitem__(self, path: str) -> Value:
        name, index = self.resolve(path)
        value = self._values[name]
        if index is not None or value.shape == (1,):
            return float(value[index or 0])
        value = value.copy()
        value.flags.writeable = False
        return value

    def __setitem__(self, path: str, value: Settable) -> None:
        self._assign({path: value})

    def __delitem__(self, path: str) -> None:
        name, _ = self.resolve(path)
        self._assign({path: self.specs[name].default})

    def __iter__(self) -> Iterator[str]:
        return iter(self.specs)

    def __len__(self) -> int:
        return len(self.specs)

    def __contains__(self, name: object) -> bool:
        return name in self.specs

    def get(self, path: str, default: Any = None) -> Any:
        """Return the value of a control, or `default` if the voice has no such control.

        Parameters
        ----------
        path : str
            NAME of a control, or NAME/INDEX.
        default : any, optional
            Returned for an unknown name.
        """
        try:
            return self[path]
        except ControlError:
            return default

    def update(self, other: Any = (), /, **more: Settable) -> None:
        """Set several controls at once, so that all take effect in the same frame.

        Parameters
        ----------
        other : mapping of str to number or array, or iterable of pairs
        **more : number or array
            Further controls whose names are Python identifiers.

        Raises
        ------
        ControlError
            One of them cannot be set. No control has changed.
        """
        try:
            wanted = dict(other, **more)
        except (TypeError, ValueError):
            raise ControlError(f"update: {other!r:.60} does not map names of controls to values") from None
        self._assign(wanted)

    def reset(self) -> None:
        """Restore every default."""
        self._write(self._defaults)

    clear = reset

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return a copy of all values at one moment: name -> float64 array."""
        return {name: value.copy() for name, value in self._values.items()}

    def restore(self, values: Mapping[str, Settable]) -> None:
        """Set all controls at once: those in `values` to these, the others to their defaults.

        Parameters
        ----------
        values : mapping of str to number or array
            Values by the name of the control.

        Raises
        ------
        ControlError
            One of them cannot be set. No control has changed.
        """
        self._write({**self._defaults, **{name: self.check(name, value) for name, value in values.items()}})

    def set_unless_changed(self, values: Mapping[str, np.ndarray], seen: Mapping[str, np.ndarray]) -> None:
        """Set the controls whose values still equal `seen`; the others keep values that were written since then.

        Parameters
        ----------
        values, seen : mapping of str to float64 array
            Checked values, as `snapshot` returns them.
        """
        with self._writing:
            same = {name for name, value in self._values.items() if np.array_equal(value, seen[name])}
            self._replace({name: value for name, value in values.items() if name in same})

    def assign(self, path: str, value: Settable) -> None:
        """Set a control, or one dimension of it.

        Parameters
        ----------
        path : str
            NAME for a whole control, or NAME/INDEX for one dimension of it, counted from 0.
        value : number or array
            A number, or for a whole vector also one number per dimension.

        Raises
        ------
        ControlError
            There is no such control or dimension, or the value does not fit.
        """
        self[path] = value

    def resolve(self, path: str) -> tuple[str, int | None]:
        """Return the control and the dimension that a path denotes.

        Parameters
        ----------
        path : str
            NAME for a whole control, or NAME/INDEX for one dimension of it, counted from 0.

        Returns
        -------
        name : str
        index : int or None
            None for the whole control.

        Raises
        ------
        ControlError
            The voice has no such control or dimension.
        """
        name, _, last = path.rpartition("/") if isinstance(path, str) else ("", "", "")
        digits = last.removeprefix("-")
        if name in self.specs and path not in self.specs and digits.isdecimal() and len(digits) <= _DIGITS:
            self.check(name, self.specs[name].default, int(last))
            return name, int(last)
        return self._spec(path).name, None

    def check(self, name: str, value: Settable, index: int | None = None) -> np.ndarray:
        """Return the array that a control would be set to, without setting it.

        Parameters
        ----------
        name : str
        value : number or array
        index : int, optional
            Dimension to set; the value must then be one number.

        Returns
        -------
        float64 array
            The value in the control's shape.

        Raises
        ------
        ControlError
            There is no such control or dimension, or the value does not fit.
        """
        spec = self._spec(name)
        if index is not None and not 0 <= index < spec.shape[0]:
            raise ControlError(f"control {name!r} has no dimension {index}, only 0 to {spec.shape[0] - 1}")
        try:
            given = np.asarray(value)
            if given.dtype.kind not in "buif":
                raise TypeError
            given = given.astype(np.float64)
        except (TypeError, ValueError):
            raise ControlError(f"control {name!r} takes numbers, not {value!r:.60}") from None
        if index is not None and given.shape != ():
            raise ControlError(f"a dimension of control {name!r} takes one number, not a list of {given.size}")
        if given.shape not in ((), spec.shape):
            raise ControlError(
                f"control {name!r} takes one number or an array of shape {list(spec.shape)}, "
                f"not of shape {list(given.shape)}"
            )
        within = (given >= spec.minimum) & (given <= spec.maximum)
        if not within.all():
            if not np.isfinite(given).all():
                raise ControlError(f"control {name!r} cannot be NaN or infinite")
            raise ControlError(
                f"control {name!r} = {given[~within].flat[0]:g} is out of range [{spec.minimum:g}, {spec.maximum:g}]"
            )
        return given if given.shape == spec.shape else np.full(spec.shape, given)

    def __repr__(self) -> str:
        return f"Controls({dict(self)!r})"

    def _spec(self, name: str) -> Control:
        try:
            return self.specs[name]
        except (KeyError, TypeError):
            hint = suggest(str(name), self.specs, "this voice's controls")
            raise ControlError(f"unknown control {name!r:.80}{hint}") from None

    def _assign(self, wanted: Mapping[str, Settable]) -> None:
        """Set controls, or dimensions of them, at once."""
        ends = []
        for path, value in wanted.items():
            name, index = self.resolve(path)
            ends.append((name, index, self.check(name, value, index)))
        changed: dict[str, np.ndarray] = {}
        with self._writing:
            for name, index, end in ends:
                where = slice(None) if index is None else index
                changed.setdefault(name, self._values[name].copy())[where] = end[where]
            self._replace(changed)

    def _write(self, changed: Mapping[str, np.ndarray]) -> None:
        with self._writing:
            self._replace(changed)

    def _replace(self, changed: Mapping[str, np.ndarray]) -> None:
        self._values = {**self._values, **changed}
        self._table = {**self._table, **self._rows(changed)}

    @staticmethod
    def _rows(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows = {}
        for name, value in values.items():
            row = value.astype(np.float32)[np.newaxis]
            row.flags.writeable = False
            rows[name] = row
        return rows
