"""The shapes of the results of each operator, and the work that it takes.

The definitions are those of ONNX (https://onnx.ai/onnx/operators/); those of products and the like are in `layers.py`.
"""

import math
from collections.abc import Callable

from vrnn_engine.runtime.voice.graph_file.literals import literal
from vrnn_engine.runtime.voice.graph_file.tensors import NUMPY
from vrnn_engine.runtime.voice.graph_file.values import ROWS, Call, Shape, UnknownShapeError, broadcast, place, size

Rule = Callable[[Call], tuple[list[Shape], int]]
"""Returns the shapes of the results, and the multiplications that they need besides one for each element."""


def same(call: Call) -> tuple[list[Shape], int]:
    """Operators whose only result has the shape of the first input."""
    if len(call.node.outputs) > 1:
        raise ValueError("it has more than one result")
    return [call.shape()], 0


def cast(call: Call) -> tuple[list[Shape], int]:
    """Cast: to numbers, not to strings."""
    if call.node.number("to", 0) not in NUMPY:
        raise ValueError("it casts to a type that no voice may have")
    return same(call)


def clip(call: Call) -> tuple[list[Shape], int]:
    """Clip: between two numbers."""
    if any(size(call.shape(at)) != 1 for at in (1, 2) if call.has(at)):
        raise ValueError("its minimum or maximum is not one number")
    return same(call)


def quantized(call: Call) -> tuple[list[Shape], int]:
    """QuantizeLinear, DequantizeLinear: with one scale, or one for each element or each block of an axis."""
    shape, scale, block = call.shape(), call.shape(1), call.node.number("block_size", 0)
    fitting = {(), (1,)}  # the axis is not read then
    if len(scale) == 1 and block:
        raise ValueError("its scale is a vector, which has no blocks")  # of one element, it is one scale for all
    if block > 0:
        axis = call.axis(1)
        fitting = {(*shape[:axis], -(-shape[axis] // block), *shape[axis + 1 :])}
    elif len(scale) == 1 and scale != (1,):
        fitting = {(shape[call.axis(1)],)}
    if block < 0 or scale not in fitting or (call.has(2) and call.shape(2) != scale):
        raise ValueError(f"a scale or zero point of {list(scale)} does not fit {list(shape)}")
    return same(call)


def normalised(call: Call) -> tuple[list[Shape], int]:
    """LayerNormalization, RMSNormalization: other results are means and inverse deviations of what is normalised."""
    shape = call.shape()
    axis = call.axis(-1)
    for at in range(1, len(call.inputs)):
        if call.has(at) and broadcast(call.shape(at), shape[axis:]) != shape[axis:]:
            raise ValueError(f"a scale or bias of {list(call.shape(at))} does not fit {list(shape[axis:])}")
    statistics = shape[:axis] + (1,) * (len(shape) - axis)
    return [shape, statistics, statistics][: len(call.node.outputs)], 0


def pairwise(call: Call) -> tuple[list[Shape], int]:
    """Operators whose inputs are broadcast."""
    shape = broadcast(*(call.shape(at) for at in range(len(call.inputs))))
    return [shape], size(shape) * max(0, len(call.inputs) - 2)  # Sum, Max, Mean and Min may have many inputs


def modulo(call: Call) -> tuple[list[Shape], int]:
    """Mod: of two fractions, whose exponents may be far apart, it takes as long as a thousand multiplications."""
    (shape,), work = pairwise(call)
    return [shape], work + 1024 * size(shape)


def reduce(call: Call) -> tuple[list[Shape], int]:
    """ReduceSum and the like, ArgMax, ArgMin."""
    shape, axes = call.shape(), call.axes(1)
    if call.node.operator in ("ArgMax", "ArgMin"):
        axes = (call.node.number("axis", 0),)
    if not axes:
        axes = () if call.node.number("noop_with_empty_axes", 0) else tuple(range(len(shape)))
    gone = {place(axis, len(shape)) for axis in axes}
    kept = [1 if at in gone else n for at, n in enumerate(shape)]
    if not call.node.number("keepdims", 1):
        kept = [n for at, n in enumerate(shape) if at not in gone]
    return [tuple(kept)], size(shape)


def concat(call: Call) -> tuple[list[Shape], int]:
    """Concat."""
    shapes = [call.shape(at) for at in range(len(call.inputs))]
    axis = call.axis()
    if len({one[:axis] + one[axis + 1 :] for one in shapes}) > 1:
        raise ValueError(f"shapes {shapes} cannot be joined")
    return [shapes[0][:axis] + (sum(one[axis] for one in shapes),) + shapes[0][axis + 1 :]], 0


def split(call: Call) -> tuple[list[Shape], int]:
    """Split."""
    shape, count = call.shape(), len(call.node.outputs)
    axis = call.axis()
    part = -(-shape[axis] // count)
    even = [min(part, max(0, shape[axis] - at * part)) for at in range(count)]
    sizes = call.whole(1) if call.has(1) else call.node.numbers("split") or even
    if len(sizes) != call.node.number("num_outputs", count) or len(sizes) != count:
        raise ValueError(f"{len(sizes)} parts for {count} results")
    if sum(sizes) != shape[axis] or min(sizes) < 0:
        raise ValueError(f"parts {sizes} of an axis of {shape[axis]}")
    return [shape[:axis] + (n,) + shape[axis + 1 :] for n in sizes], 0


def slice_(call: Call) -> tuple[list[Shape], int]:
    """Slice."""
    shape = list(call.shape())
    for axis, cut in call.cuts(shape):
        taken = range(*cut.indices(shape[axis]))
        if shape[axis] >= ROWS and taken != range(shape[axis]):
            raise ValueError("it takes some rows of a batch")
        shape[axis] = len(taken)
    return [tuple(shape)], 0


def gather(call: Call) -> tuple[list[Shape], int]:
    """Gather."""
    shape = call.shape()
    axis = call.axis()
    return [shape[:axis] + call.shape(1) + shape[axis + 1 :]], 0


def gather_elements(call: Call) -> tuple[list[Shape], int]:
    """GatherElements."""
    return [call.shape(1)], 0


def gather_nd(call: Call) -> tuple[list[Shape], int]:
    """GatherND."""
    shape, indices, shared = call.shape(), call.shape(1), call.node.number("batch_dims", 0)
    if not 0 <= shared < len(indices) or not 0 < shared + indices[-1] <= len(shape):
        raise ValueError(f"its batch_dims {shared} and indices of {list(indices)} do not fit {list(shape)}")
    return [indices[:-1] + shape[shared + indices[-1] :]], 0


def reshape(call: Call) -> tuple[list[Shape], int]:
    """Reshape."""
    shape, wanted = call.shape(), list(call.whole(1))
    if not call.node.number("allowzero", 0):
        wanted = [shape[at] if n == 0 else n for at, n in enumerate(wanted)]
    if wanted.count(-1) == 1:
        others = math.prod(n for n in wanted if n != -1)
        wanted[wanted.index(-1)] = size(shape) // others if others else 0
    if size(tuple(wanted)) != size(shape) or min(wanted, default=0) < 0:
        raise ValueError(f"shape {list(shape)} cannot become {wanted}")
    return [tuple(wanted)], 0


def flatten(call: Call) -> tuple[list[Shape], int]:
    """Flatten."""
    shape, axis = call.shape(), call.node.number("axis", 1)
    return [(size(shape[:axis]), size(shape[axis:]))], 0


def transpose(call: Call) -> tuple[list[Shape], int]:
    """Transpose."""
    shape = call.shape()
    order = call.node.numbers("perm") or tuple(reversed(range(len(shape))))
    if sorted(order) != list(range(len(shape))):
        raise ValueError(f"{order} is not an order of the axes")
    return [tuple(shape[axis] for axis in order)], 0


def squeeze(call: Call) -> tuple[list[Shape], int]:
    """Squeeze."""
    shape, axes = call.shape(), call.axes(1)
    if not axes:
        raise ValueError("it names no axes, so it would remove the batch if that has one row")
    gone = {place(axis, len(shape)) for axis in axes}
    if any(shape[axis] != 1 for axis in gone):
        raise ValueError(f"an axis of {list(shape)} in {sorted(gone)} is not 1")
    return [tuple(n for at, n in enumerate(shape) if at not in gone)], 0


def unsqueeze(call: Call) -> tuple[list[Shape], int]:
    """Unsqueeze."""
    shape, axes = iter(call.shape()), call.axes(1) or ()
    rank = len(call.shape()) + len(axes)
    new = {place(axis, rank) for axis in axes}
    if len(new) < len(axes):
        raise ValueError(f"axes {axes} name one twice")
    return [tuple(1 if at in new else next(shape) for at in range(rank))], 0


def expand(call: Call) -> tuple[list[Shape], int]:
    """Expand."""
    wanted = call.whole(1)
    if 0 in wanted:
        raise ValueError("it expands to an empty value")  # onnxruntime may leave the node out then
    return [broadcast(call.shape(), wanted)], 0


def tile(call: Call) -> tuple[list[Shape], int]:
    """Tile."""
    return [tuple(n * times for n, times in zip(call.shape(), call.whole(1), strict=True))], 0


def constant_of_shape(call: Call) -> tuple[list[Shape], int]:
    """ConstantOfShape."""
    return [call.whole(0)], 0


def constant(call: Call) -> tuple[list[Shape], int]:
    """Constant."""
    return [literal(call.node).shape], 0


def shape_(call: Call) -> tuple[list[Shape], int]:
    """Shape."""
    return [(len(call.part_of_shape()),)], 0


def size_(call: Call) -> tuple[list[Shape], int]:
    """Size."""
    return [()], 0


def pad(call: Call) -> tuple[list[Shape], int]:
    """Pad."""
    shape, pads = list(call.shape()), call.whole(1)
    axes = call.whole(3) if call.has(3) else tuple(range(len(shape)))
    if len(pads) != 2 * len(axes) or len({place(axis, len(shape)) for axis in axes}) < len(axes):
        raise ValueError(f"{len(pads)} pads of {len(axes)} axes")
    for at, axis in enumerate(axes):
        shape[axis] += pads[at] + pads[at + len(axes)]
    return [tuple(shape)], 0


def range_(call: Call) -> tuple[list[Shape], int]:
    """Range: not over the rows, as its result would be the place of a row in the batch."""
    start, limit, delta = (one.elements if one is not None else None for one in call.inputs)
    if start is None or limit is None or delta is None:
        raise UnknownShapeError
    for at in range(3):
        call.require_fixed(at)
    return [(max(0, math.ceil(float((limit - start).item()) / float(delta.item()))),)], 0  # as onnxruntime rounds


def one_hot(call: Call) -> tuple[list[Shape], int]:
    """OneHot."""
    shape = call.shape()
    axis = place(call.node.number("axis", -1), len(shape) + 1)
    return [(*shape[:axis], call.one(1), *shape[axis:])], 0


def top_k(call: Call) -> tuple[list[Shape], int]:
    """TopK."""
    shape, axis = call.shape(), call.axis(-1)
    return [(*shape[:axis], call.one(1), *shape[axis + 1 :])] * 2, 16 * size(shape)


def scatter(call: Call) -> tuple[list[Shape], int]:
    """ScatterElements, ScatterND."""
    return [call.shape()], size(call.shape(2))  # the updates may be many more than the elements of the result
