"""The operators that a voice may use, and for each the shapes of its results and the work that it takes.

The list has what `vrnn-engine export` and onnxruntime's quantisation write, and more for people's own models.
An operator is on it if it is pure (its results depend on its inputs alone), contains no graph, and if the shapes of its
results follow from the shapes of its inputs and from constants.  The definitions are those of ONNX
(https://onnx.ai/onnx/operators/), and of onnxruntime for the domain com.microsoft.
"""

import math
from collections.abc import Callable

from vrnn_engine.runtime.voice.graph_file import layers
from vrnn_engine.runtime.voice.graph_file.values import ROWS, Call, Shape, UnknownShapeError, broadcast, size

Rule = Callable[[Call], tuple[list[Shape], int]]
"""Returns the shapes of the results, and the multiplications that they need besides one for each element."""

MICROSOFT = "com.microsoft"


def _same(call: Call) -> tuple[list[Shape], int]:
    if len(call.node.outputs) > 1:
        raise ValueError("it has more than one result")
    return [call.shape()], 0


def _normalised(call: Call) -> tuple[list[Shape], int]:
    """LayerNormalization: its other results are the means and the inverse deviations of what is normalised."""
    shape = call.shape()
    axis = call.node.number("axis", -1) % len(shape)
    statistics = shape[:axis] + (1,) * (len(shape) - axis)
    return [shape, statistics, statistics][: len(call.node.outputs)], 0


def _broadcast(call: Call) -> tuple[list[Shape], int]:
    shape = broadcast(*(call.shape(at) for at in range(len(call.inputs))))
    return [shape], size(shape) * max(0, len(call.inputs) - 2)  # Sum, Max, Mean and Min may have many inputs


def _reduce(call: Call) -> tuple[list[Shape], int]:
    shape, axes = call.shape(), call.axes(1)
    if call.node.operator in ("ArgMax", "ArgMin"):
        axes = (call.node.number("axis", 0),)
    if not axes:
        axes = () if call.node.number("noop_with_empty_axes", 0) else tuple(range(len(shape)))
    gone = {axis % len(shape) for axis in axes}
    kept = [1 if at in gone else n for at, n in enumerate(shape)]
    if not call.node.number("keepdims", 1):
        kept = [n for at, n in enumerate(shape) if at not in gone]
    return [tuple(kept)], size(shape)


def _concat(call: Call) -> tuple[list[Shape], int]:
    shapes = [call.shape(at) for at in range(len(call.inputs))]
    axis = call.node.number("axis", 0) % len(shapes[0])
    if len({one[:axis] + one[axis + 1 :] for one in shapes}) > 1:
        raise ValueError(f"shapes {shapes} cannot be joined")
    return [shapes[0][:axis] + (sum(one[axis] for one in shapes),) + shapes[0][axis + 1 :]], 0


def _split(call: Call) -> tuple[list[Shape], int]:
    shape, count = call.shape(), len(call.node.outputs)
    axis = call.node.number("axis", 0) % len(shape)
    part = -(-shape[axis] // count)
    even = [min(part, max(0, shape[axis] - at * part)) for at in range(count)]
    sizes = call.whole(1) if call.has(1) else call.node.numbers("split") or even
    if sum(sizes) != shape[axis] or min(sizes) < 0:
        raise ValueError(f"parts {sizes} of an axis of {shape[axis]}")
    return [shape[:axis] + (n,) + shape[axis + 1 :] for n in sizes], 0


def _slice(call: Call) -> tuple[list[Shape], int]:
    shape = list(call.shape())
    for axis, cut in call.cuts(shape):
        taken = range(*cut.indices(shape[axis]))
        if shape[axis] >= ROWS and taken != range(shape[axis]):
            raise ValueError("it takes some rows of a batch")
        shape[axis] = len(taken)
    return [tuple(shape)], 0


def _gather(call: Call) -> tuple[list[Shape], int]:
    shape = call.shape()
    axis = call.node.number("axis", 0) % len(shape)
    return [shape[:axis] + call.shape(1) + shape[axis + 1 :]], 0


def _gather_nd(call: Call) -> tuple[list[Shape], int]:
    shape, indices = call.shape(), call.shape(1)
    return [indices[:-1] + shape[call.node.number("batch_dims", 0) + indices[-1] :]], 0


def _reshape(call: Call) -> tuple[list[Shape], int]:
    shape, wanted = call.shape(), list(call.whole(1))
    if not call.node.number("allowzero", 0):
        wanted = [shape[at] if n == 0 else n for at, n in enumerate(wanted)]
    if wanted.count(-1) == 1:
        others = math.prod(n for n in wanted if n != -1)
        wanted[wanted.index(-1)] = size(shape) // others if others else 0
    if size(tuple(wanted)) != size(shape) or min(wanted, default=0) < 0:
        raise ValueError(f"shape {list(shape)} cannot become {wanted}")
    return [tuple(wanted)], 0


def _flatten(call: Call) -> tuple[list[Shape], int]:
    shape, axis = call.shape(), call.node.number("axis", 1)
    return [(size(shape[:axis]), size(shape[axis:]))], 0


def _transpose(call: Call) -> tuple[list[Shape], int]:
    shape = call.shape()
    order = call.node.numbers("perm") or tuple(reversed(range(len(shape))))
    if sorted(order) != list(range(len(shape))):
        raise ValueError(f"{order} is not an order of the axes")
    return [tuple(shape[axis] for axis in order)], 0


def _squeeze(call: Call) -> tuple[list[Shape], int]:
    shape, axes = call.shape(), call.axes(1)
    if axes is None:
        raise ValueError("it names no axes, so it would remove the batch if that has one row")
    gone = {axis % len(shape) for axis in axes}
    if any(shape[axis] != 1 for axis in gone):
        raise ValueError(f"an axis of {list(shape)} in {sorted(gone)} is not 1")
    return [tuple(n for at, n in enumerate(shape) if at not in gone)], 0


def _unsqueeze(call: Call) -> tuple[list[Shape], int]:
    shape, axes = iter(call.shape()), call.axes(1) or ()
    rank = len(call.shape()) + len(axes)
    new = {axis % rank for axis in axes}
    if len(new) < len(axes):
        raise ValueError(f"axes {axes} name one twice")
    return [tuple(1 if at in new else next(shape) for at in range(rank))], 0


def _expand(call: Call) -> tuple[list[Shape], int]:
    return [broadcast(call.shape(), call.whole(1))], 0


def _tile(call: Call) -> tuple[list[Shape], int]:
    return [tuple(n * times for n, times in zip(call.shape(), call.whole(1), strict=True))], 0


def _constant_of_shape(call: Call) -> tuple[list[Shape], int]:
    return [call.whole(0)], 0


def _constant(call: Call) -> tuple[list[Shape], int]:
    if len(call.node.attributes) != 1:
        raise ValueError("it has no single value")
    ((name, given),) = call.node.attributes.items()
    if name == "value" and given.tensors:
        return [given.tensors[0].shape], 0
    if name in ("value_int", "value_float"):
        return [()], 0
    if name in ("value_ints", "value_floats"):
        return [(len(given.numbers) or given.floats,)], 0
    raise ValueError(f"its {name} is not a number")


def _shape(call: Call) -> tuple[list[Shape], int]:
    return [(len(call.part_of_shape()),)], 0


def _pad(call: Call) -> tuple[list[Shape], int]:
    shape, pads = list(call.shape()), call.whole(1)
    axes = call.whole(3) if call.has(3) else tuple(range(len(shape)))
    if len(pads) != 2 * len(axes) or len({axis % len(shape) for axis in axes}) < len(axes):
        raise ValueError(f"{len(pads)} pads of {len(axes)} axes")
    for at, axis in enumerate(axes):
        shape[axis] += pads[at] + pads[at + len(axes)]
    return [tuple(shape)], 0


def _range(call: Call) -> tuple[list[Shape], int]:
    start, limit, delta = (one.elements if one is not None else None for one in call.inputs)
    if start is None or limit is None or delta is None:
        raise UnknownShapeError
    if call.whole(1)[0] == ROWS and (start.item(), delta.item()) == (0, 1):
        return [(ROWS,)], 0
    for at in range(3):
        call.require_fixed(at)
    return [(max(0, math.ceil(float((limit - start).item()) / float(delta.item()))),)], 0  # as onnxruntime rounds


def _one_hot(call: Call) -> tuple[list[Shape], int]:
    shape = call.shape()
    axis = call.node.number("axis", -1) % (len(shape) + 1)
    return [shape[:axis] + call.whole(1)[:1] + shape[axis:]], 0


def _top_k(call: Call) -> tuple[list[Shape], int]:
    shape, axis = call.shape(), call.node.number("axis", -1) % len(call.shape())
    return [shape[:axis] + call.whole(1)[:1] + shape[axis + 1 :]] * 2, 16 * size(shape)


def _scatter(call: Call) -> tuple[list[Shape], int]:
    return [call.shape()], size(call.shape(2))  # the updates may be many more than the elements of the result


_ELEMENTWISE = """Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast Ceil Celu Clip Cos Cosh CumSum DequantizeLinear
    Elu Erf Exp EyeLike Floor Gelu HardSigmoid HardSwish Hardmax Identity IsInf IsNaN LeakyRelu Log LogSoftmax
    LpNormalization Mish Neg Not QuantizeLinear Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softmax
    Softplus Softsign Sqrt
    Swish Tan Tanh ThresholdedRelu Trilu BatchNormalization GroupNormalization InstanceNormalization
    MeanVarianceNormalization RMSNormalization"""
_PAIRWISE = """Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max
    Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor"""
_REDUCING = """ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare"""

_NEVER_EMPTY = """BatchNormalization Conv DFT GRU GroupNormalization Hardmax InstanceNormalization LSTM
    LayerNormalization LogSoftmax LpNormalization MatMulNBits MeanVarianceNormalization RMSNormalization RNN Softmax
    TopK"""
NEVER_EMPTY = frozenset(_NEVER_EMPTY.split())
"""Operators that read no empty value: onnxruntime divides by its size, or ends the process."""

RULES: dict[str, dict[str, Rule]] = {
    "": dict.fromkeys(_ELEMENTWISE.split(), _same)
    | dict.fromkeys(_PAIRWISE.split(), _broadcast)
    | dict.fromkeys(_REDUCING.split(), _reduce)
    | {"Concat": _concat, "Constant": _constant, "ConstantOfShape": _constant_of_shape, "Conv": layers.conv}
    | {"DFT": layers.dft, "DynamicQuantizeLinear": lambda call: ([call.shape(), (), ()], 0), "Expand": _expand}
    | {"Flatten": _flatten, "GRU": layers.recurrent, "Gather": _gather, "GatherND": _gather_nd, "Gemm": layers.gemm}
    | {"GatherElements": lambda call: ([call.shape(1)], 0), "LSTM": layers.recurrent, "MatMul": layers.matmul}
    | {"LayerNormalization": _normalised}
    | {"MatMulInteger": layers.matmul, "OneHot": _one_hot, "Pad": _pad, "RNN": layers.recurrent, "Range": _range}
    | {"Reshape": _reshape, "ScatterElements": _scatter, "ScatterND": _scatter}
    | {"Shape": _shape, "Size": lambda call: ([()], 0), "Slice": _slice, "Split": _split}
    | {"Squeeze": _squeeze, "Tile": _tile, "TopK": _top_k, "Transpose": _transpose, "Unsqueeze": _unsqueeze},
    MICROSOFT: {"Gelu": _same, "MatMulNBits": layers.matmul_nbits, "QuickGelu": _same},
}
"""Domain -> operator -> its rule."""
