"""What is known of a value of a graph before the graph runs: its shape, and its elements if a shape may need them."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from vrnn_engine.runtime.voice.graph_file.model import Node
from vrnn_engine.runtime.voice.graph_file.tensors import MAX_SIZE, MAX_VALUES, NUMPY

Shape = tuple[int, ...]
ROWS = 2**61 - 1
"""Stands for the number of rows in a batch, B. It is prime and larger than any sum of sizes, each of which is up to
`MAX_SIZE`, so that it acts as a variable: the digits of a count in this base are the coefficients of a polynomial."""
_INTEGERS = (6, 7)
"""Types int32 and int64 in ONNX."""


class Origin(IntEnum):
    """What a value depends on: constants alone, also the number of rows, or also the inputs of the step."""

    CONSTANT = 0
    ROWS = 1
    INPUT = 2


class Known(NamedTuple):
    """Shape, origin and, if they are few and known, elements.  Shape None: of an operator that is not on the list."""

    shape: Shape | None
    origin: Origin
    elements: np.ndarray | None = None
    counts_rows: bool = False
    """Whether an element may depend on the number of rows."""


class UnknownShapeError(Exception):
    """The shape of a result depends on values that only a step computes."""


class Call(NamedTuple):
    """A node and what is known of its inputs, for the rules of operators."""

    node: Node
    inputs: tuple[Known | None, ...]
    version: int
    """Version of the operators."""

    def shape(self, at: int = 0) -> Shape:
        """Return the shape of an input."""
        found = self.inputs[at]
        if found is None or found.shape is None:
            raise ValueError(f"input {at} is missing")
        return found.shape

    def axis(self, default: int = 0) -> int:
        """Return the attribute `axis`, as an axis of the first input counted from 0."""
        return place(self.node.number("axis", default), len(self.shape()))

    def has(self, at: int) -> bool:
        """Return whether an optional input is given."""
        return at < len(self.inputs) and self.inputs[at] is not None

    def whole(self, at: int) -> tuple[int, ...]:
        """Return the elements of an input that are sizes or axes; a constant must not be mistaken for the rows."""
        found, given = self._elements(at), self.inputs[at]
        if given and given.origin is Origin.CONSTANT and any(abs(one) > MAX_SIZE for one in found):
            raise ValueError(f"a size of {max(map(abs, found))} is not possible")
        return found

    def one(self, at: int) -> int:
        """Return the only element of an input that is a size or an axis."""
        (found,) = self.whole(at)
        return found

    def _elements(self, at: int) -> tuple[int, ...]:
        found = self.inputs[at]
        if found is None or found.elements is None:
            raise UnknownShapeError
        return tuple(int(one) for one in found.elements.reshape(-1))

    def require_fixed(self, at: int) -> None:
        """Raise `UnknownShapeError` if an input is missing or depends on the rows."""
        found = self.inputs[at]
        if found is None or found.origin is not Origin.CONSTANT:
            raise UnknownShapeError

    def fixed(self, at: int) -> tuple[int, ...]:
        """Return the elements of an input that determines a shape, and that must not depend on the rows."""
        self.require_fixed(at)
        return self._elements(at)

    def part_of_shape(self) -> Shape:
        """Return the sizes that a Shape node gives."""
        shape = self.shape()
        return shape[self.node.number("start", 0) : self.node.number("end", len(shape))]

    def cuts(self, shape: Sequence[int]) -> Iterator[tuple[int, slice]]:
        """Yield each axis that a Slice node cuts, and the part that it takes; `shape` may change meanwhile."""
        starts, ends = self.fixed(1), self.fixed(2)
        axes = self.fixed(3) if self.has(3) else tuple(range(len(starts)))
        steps = self.fixed(4) if self.has(4) else (1,) * len(starts)
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            yield axis, slice(start, end if step > 0 or end >= -shape[axis] else None, step)

    def axes(self, at: int) -> tuple[int, ...] | None:
        """Return the axes of an operator: an input since version 13 or 18, and an attribute before."""
        return self.whole(at) if self.has(at) else self.node.numbers("axes")


def place(axis: int, rank: int) -> int:
    """Return an axis counted from 0; raise `ValueError` if there is none."""
    if not -rank <= axis < rank:
        raise ValueError(f"there is no axis {axis} of {rank}")
    return axis % rank


def size(shape: Shape) -> int:
    """Return the number of elements of a shape."""
    return math.prod(shape)


def broadcast(*shapes: Shape) -> Shape:
    """Return the shape that shapes have together.

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    rank = max(map(len, shapes))
    result = []
    for axis in zip(*((1,) * (rank - len(one)) + one for one in shapes), strict=True):
        sizes = set(axis) - {1}
        if len(sizes) > 1:
            raise ValueError(f"shapes {shapes} do not fit")
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


def elements(call: Call, origin: Origin, shape: Shape) -> np.ndarray | None:
    """Return the elements of a node's result, if they can be known and are few.

    Arithmetic with the number of rows is left out: sizes could grow with any law, and no check would see it.  So are
    fractions: onnxruntime may leave out what rounds them, such as a cast to 16 bits and back.

    Parameters
    ----------
    call : Call
        The node.
    origin : Origin
        What its result depends on.
    shape : tuple of int
        Shape of the result.
    """
    operator = call.node.operator
    fold = _STRUCTURAL.get(operator) or (_ARITHMETIC.get(operator) if origin is Origin.CONSTANT else None)
    if fold is None or size(shape) > MAX_VALUES:
        return None
    given = [one.elements for one in call.inputs if one is not None]
    if any(one is None for one in given):
        return None
    with np.errstate(all="ignore"):
        found = fold(call, [one for one in given if one is not None])
    if any(one is not None and one.dtype.kind == "f" for one in (*given, found)):
        return None
    return None if found is None or np.size(found) != size(shape) else np.asarray(found).reshape(shape)


Fold = Callable[[Call, Sequence[np.ndarray]], np.ndarray | None]
"""Computes the elements of a result bit for bit as onnxruntime does; None if that is not sure."""


def _first(call: Call, given: Sequence[np.ndarray]) -> np.ndarray:
    return given[0]


def _cast(call: Call, given: Sequence[np.ndarray]) -> np.ndarray | None:
    to, source = call.node.number("to", 0), given[0]
    if call.inputs[0] and call.inputs[0].origin is not Origin.CONSTANT:
        # A number of rows fits in both types, and a constant beside it may not.
        fits = (source >= ROWS) | ((source >= -(2**31)) & (source < 2**31))
        return source if to in _INTEGERS and fits.all() else None
    return source.astype(NUMPY[to]) if to in NUMPY else None


def _concat(call: Call, given: Sequence[np.ndarray]) -> np.ndarray | None:
    if _could_be_rows(call, given):
        return None
    return np.concatenate(given, axis=call.node.number("axis", 0))


def _where(call: Call, given: Sequence[np.ndarray]) -> np.ndarray | None:
    return None if _could_be_rows(call, given) else np.where(*given)


def _could_be_rows(call: Call, given: Sequence[np.ndarray]) -> bool:
    """Return whether a constant beside the number of rows could be mistaken for it."""
    origins = [one.origin for one in call.inputs if one is not None]
    constants = [one for one, origin in zip(given, origins, strict=True) if origin is Origin.CONSTANT]
    large = any(((one > MAX_SIZE) | (one < -MAX_SIZE)).any() for one in constants if one.dtype != bool)
    return max(origins) is not Origin.CONSTANT and large


def _equal(call: Call, given: Sequence[np.ndarray]) -> np.ndarray | None:
    left, right = np.broadcast_arrays(*given)
    # The number of rows, which is at least 1, may be equal to any other positive number.
    unsure = ((left >= ROWS) & (right > 0)) | ((right >= ROWS) & (left > 0))
    return None if left.dtype == bool or unsure.any() else left == right


def _filled(call: Call, given: Sequence[np.ndarray]) -> np.ndarray | None:
    value = call.node.attributes.get("value")
    filler = value.tensors[0].values if value is not None and value.tensors else None
    return None if filler is None else np.full(given[0], filler.reshape(-1)[0])


def _slice(call: Call, given: Sequence[np.ndarray]) -> np.ndarray:
    parts = [slice(None)] * given[0].ndim
    for axis, cut in call.cuts(given[0].shape):
        parts[axis] = cut
    return given[0][tuple(parts)]


_STRUCTURAL: dict[str, Fold] = dict.fromkeys(("Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten"), _first) | {
    "Cast": _cast,
    "Slice": _slice,
    "Gather": lambda call, given: np.take(given[0], given[1].astype(np.int64), axis=call.node.number("axis", 0)),
    "Concat": _concat,
    "ConstantOfShape": _filled,
    "Equal": _equal,
    "Where": _where,
}


def _divide(call: Call, given: Sequence[np.ndarray]) -> np.ndarray:
    left, right = given
    return left // right + ((left % right != 0) & ((left < 0) != (right < 0)))  # rounded towards 0


def _range(call: Call, given: Sequence[np.ndarray]) -> np.ndarray:
    return np.arange(*(one.item() for one in given), dtype=given[0].dtype)


_ARITHMETIC: dict[str, Fold] = {
    "Add": lambda call, given: given[0] + given[1],
    "Sub": lambda call, given: given[0] - given[1],
    "Mul": lambda call, given: given[0] * given[1],
    "Div": _divide,
    "Neg": lambda call, given: -given[0],
    "Max": lambda call, given: functools.reduce(np.maximum, given),
    "Min": lambda call, given: functools.reduce(np.minimum, given),
    "Range": _range,
}
