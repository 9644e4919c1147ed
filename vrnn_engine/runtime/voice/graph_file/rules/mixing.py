"""Finds nodes whose results mix the rows of a batch, so that one stream could read the state of another.

It also finds nodes that compute with the place of a row in the batch, or with the number of rows.

A value that depends on the rows has one axis of `ROWS` or a multiple of it. Its elements lie in the order of the rows
along this axis: the first element of row 1 follows the last of row 0. Each rule keeps this order, so it holds for all
values of a graph if it holds for the inputs.
"""

import math
from collections.abc import Callable, Collection

import numpy as np

from vrnn_engine.runtime.voice.graph_file.rules.layers import dft_axis
from vrnn_engine.runtime.voice.graph_file.values import ROWS, Call, Origin, Shape, broadcast, place, size

Check = Callable[[Call, int | None, list[Shape]], bool]
"""Returns whether rows stay apart, from a node, the axis of the rows of its first input, and its results."""


class MixedRowsError(Exception):
    """A node mixes the rows of a batch, or computes with their number; the message says which, and what to do."""


def check_rows_apart(call: Call, check: Check | None, results: list[Shape]) -> None:
    """Raise `MixedRowsError` if a node mixes the rows of a batch.

    Parameters
    ----------
    call : Call
        The node and its inputs.
    check : callable or None
        The check of its operator; None for one that reads no element of its inputs.
    results : list of tuple of int
        Shapes of its results.
    """
    given = [one.shape for one in call.inputs if one and one.shape]
    if check is None or not any(map(_has_rows, [*given, *results])):
        return
    first = call.inputs[0]
    rows = next((at for at, n in enumerate(first.shape or ()) if n >= ROWS), None) if first else None
    kept = all(len([n for n in shape if n >= ROWS]) == 1 for shape in results)
    if not kept or not check(call, rows, results):
        raise MixedRowsError("mixes the rows of a batch; take out what combines rows, such as a mean over the batch")


def counts_rows(call: Call, sizes: Collection[int], origin: Origin, found: np.ndarray | None) -> bool:
    """Return whether elements of a node's results may depend on the number of rows.

    Parameters
    ----------
    call : Call
        The node and its inputs.
    sizes : collection of int
        Its inputs that are only sizes or axes.
    origin : Origin
        What its results depend on.
    found : ndarray or None
        The elements of its only result, if they are known.

    Raises
    ------
    MixedRowsError
        They also depend on the inputs of the step.
    """
    if found is not None and (found < ROWS).all():
        return False
    if call.node.operator in ("Shape", "Size"):
        return _has_rows(call.part_of_shape())
    counted = any(one.counts_rows for at, one in enumerate(call.inputs) if one and at not in sizes)
    if counted and origin is Origin.INPUT:
        raise MixedRowsError("computes with the number of rows in a batch; use that number only as a size")
    return counted


def _has_rows(shape: Shape) -> bool:
    return max(shape, default=0) >= ROWS


def _no_rows(call: Call, *inputs: int) -> bool:
    """Return whether these inputs do not depend on the rows, or are missing."""
    return not any(call.has(at) and _has_rows(call.shape(at)) for at in inputs)


def alone(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """Operators that compute each element from the first input alone, and read no other row for it."""
    return rows is not None and _no_rows(call, *range(1, len(call.inputs)))


def equal(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """ConstantOfShape: all its elements are equal."""
    return True


def none(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """EyeLike: its result depends on the place of a row in the batch."""
    return False


def pairwise(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """Operators whose rule allows only shapes that fit: the rows of all inputs are then one axis."""
    return True


def not_along(default: int) -> Check:
    """Return the check of operators that combine the elements along an axis."""

    def check(call: Call, rows: int | None, results: list[Shape]) -> bool:
        return alone(call, rows, results) and rows != call.axis(default)

    return check


def before(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """LayerNormalization, RMSNormalization: they combine the elements of an axis and all axes after it."""
    return alone(call, rows, results) and (rows or 0) < call.axis(-1)


def not_in_axes(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """MeanVarianceNormalization."""
    return rows not in {place(axis, len(call.shape())) for axis in call.node.numbers("axes") or (0, 2, 3)}


def outermost(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """Convolutions, poolings, InstanceNormalization, GroupNormalization: they combine along all axes but the first."""
    return alone(call, rows, results) and rows == 0


def channels(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """BatchNormalization: it has a scale for each element of the second axis."""
    return alone(call, rows, results) and rows != 1


def cumulative(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """CumSum."""
    return rows != place(call.one(1), len(call.shape()))


def triangle(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """Trilu: what it takes depends on the place along the last two axes."""
    return (rows or 0) < len(call.shape()) - 2


def same_order(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """Reshape, Flatten, Squeeze, Unsqueeze: as many elements have to be before the axis of the rows as before."""
    shape, (result,) = call.shape(), results
    after = next(at for at, n in enumerate(result) if n >= ROWS)
    return math.prod(shape[:rows]) == math.prod(result[:after])


def same_size(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """Tile: the same for each row, or of no rows."""
    return rows is None or results[0][rows] == call.shape()[rows]


def several(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """Concat, Split: along the rows, of one part only."""
    parts = results if call.node.operator == "Split" else [call.shape(at) for at in range(len(call.inputs))]
    axis = call.axis()
    return len(parts) == 1 or not any(part[axis] >= ROWS for part in parts)


def pad(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """Pad: not along the rows."""
    pads, rank = call.whole(1), len(call.shape())
    axes = call.whole(3) if call.has(3) else tuple(range(rank))
    moved = {place(axis, rank) for at, axis in enumerate(axes) if pads[at] or pads[at + len(axes)]}
    return rows not in moved


def matmul(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """MatMul, MatMulInteger: no sum over the rows; a zero point of each row belongs to the rows of the first input."""
    left = call.shape()
    zero = call.shape(2) if call.has(2) else ()
    return left[-1] < ROWS and _no_rows(call, 3) and (size(zero) == 1 or (len(left) > 1 and zero[0] == left[-2]))


def gemm(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """Gemm: no sum over the rows, and a bias of each row belongs to the rows of the result."""
    inner = call.shape()[0 if call.node.number("transA", 0) else 1]
    return inner < ROWS and (not call.has(2) or broadcast(call.shape(2), results[0]) == results[0])


def matmul_nbits(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """MatMulNBits: no sum over the rows."""
    return alone(call, rows, results) and call.shape()[-1] < ROWS


def recurrent(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """LSTM, GRU, RNN: the rows are the batch of the sequences and of the first states."""
    batch = 0 if call.node.number("layout", 0) else 1
    states = [call.shape(at) for at in (0, 5, 6) if call.has(at)]
    lengths = call.shape(4) if call.has(4) else (ROWS,)
    return _no_rows(call, 1, 2, 3, 7) and all(shape[batch] >= ROWS for shape in states) and lengths[0] >= ROWS


def dft(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """DFT: not along the rows."""
    return rows not in (None, dft_axis(call), len(call.shape()) - 1)


def gather(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """Gather: not from the rows."""
    return rows is None or rows != call.axis()


def elements(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """GatherElements, ScatterElements: the rows of all inputs are the same axis, and not that of the indices."""
    axis = call.axis()
    shapes = [call.shape(at) for at in range(len(call.inputs))]
    if call.node.operator == "GatherElements" and rows is None:
        return shapes[1][axis] >= ROWS  # each row takes elements of a constant table, by its indices alone
    return rows not in (None, axis) and len({shape[rows or 0] for shape in shapes}) == 1


def gather_nd(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """GatherND: the indices of a row choose in the same row."""
    shape, indices, shared = call.shape(), call.shape(1), call.node.number("batch_dims", 0)
    if indices[:shared] != shape[:shared]:
        return False
    return rows is None or not shared <= rows < shared + indices[-1]


def scatter_nd(call: Call, rows: int | None, results: list[Shape]) -> bool:
    """ScatterND: the same elements of each row are replaced."""
    shape, indices = call.shape(), call.shape(1)
    chosen = indices[-1]
    return _no_rows(call, 1) and rows is not None and rows >= chosen and call.shape(2) == indices[:-1] + shape[chosen:]
