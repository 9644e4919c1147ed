"""Shapes and work of products, normalisations of channels, recurrences and transforms."""

from vrnn_engine.runtime.voice.graph_file.rules.shapes import same
from vrnn_engine.runtime.voice.graph_file.values import Call, Shape, broadcast, place, size


def matmul(call: Call) -> tuple[list[Shape], int]:
    """MatMul, MatMulInteger."""
    left, right = call.shape(), call.shape(1)
    inner = left[-1]
    if inner != right[-2 if len(right) > 1 else 0]:
        raise ValueError(f"shapes {left} and {right} do not fit")
    if not inner:
        raise ValueError("it sums over an empty axis")  # onnxruntime leaves some results unwritten then
    stacks = [(), *(one[:-2] for one in (left, right) if len(one) > 2)]
    result = broadcast(*stacks) + left[-2:-1] + (right[-1:] if len(right) > 1 else ())
    return [result], size(result) * inner


def gemm(call: Call) -> tuple[list[Shape], int]:
    """Gemm."""
    left, right = call.shape(), call.shape(1)
    rows, inner = left[::-1] if call.node.number("transA", 0) else left
    again, columns = right[::-1] if call.node.number("transB", 0) else right
    if inner != again:
        raise ValueError(f"shapes {left} and {right} do not fit")
    if not inner:
        raise ValueError("it sums over an empty axis")
    return [(rows, columns)], rows * columns * inner


def matmul_nbits(call: Call) -> tuple[list[Shape], int]:
    """MatMulNBits of onnxruntime: a product with weights of few bits."""
    shape, columns = call.shape(), call.node.number("N", 0)
    return [(*shape[:-1], columns)], size(shape) * columns


def channelwise(call: Call) -> tuple[list[Shape], int]:
    """BatchNormalization, GroupNormalization, InstanceNormalization: with a scale for each element of the second axis.

    Before version 21, GroupNormalization has a scale for each group.
    """
    shape, groups = call.shape(), call.node.number("num_groups", 1)
    if groups < 1 or shape[1] % groups:
        raise ValueError(f"{shape[1]} channels cannot have {groups} groups")
    by_group = call.node.operator == "GroupNormalization" and call.version < 21
    if any(call.shape(at) != (groups if by_group else shape[1],) for at in range(1, len(call.inputs))):
        raise ValueError("it has not one scale and one bias for each channel or group")
    return same(call)


def recurrent(call: Call) -> tuple[list[Shape], int]:
    """LSTM, GRU, RNN."""
    shape, weights = call.shape(), call.shape(1)
    first = call.node.number("layout", 0)
    steps, rows = (shape[1], shape[0]) if first else (shape[0], shape[1])
    directions, width = weights[0], call.shape(2)[-1]
    last = (rows, directions, width) if first else (directions, rows, width)
    every = (rows, steps, directions, width) if first else (steps, directions, rows, width)
    work = steps * rows * (size(weights) + size(call.shape(2)))
    return [every, last, last][: len(call.node.outputs)], work


def dft_axis(call: Call) -> int:
    """Return the axis of a DFT, counted from 0: an attribute before version 20 of the operators, an input since."""
    axis = call.one(2) if call.has(2) else call.node.number("axis", 1 if call.version < 20 else -2)
    return place(axis, len(call.shape()))


def dft(call: Call) -> tuple[list[Shape], int]:
    """DFT."""
    shape, axis = list(call.shape()), dft_axis(call)
    length = call.one(1) if call.has(1) else shape[axis]
    onesided, inverse = call.node.number("onesided", 0), call.node.number("inverse", 0)
    if onesided and inverse:
        raise ValueError("it is onesided and inverse")
    shape[axis] = length // 2 + 1 if onesided else length
    shape[-1] = 2
    # A length with large prime factors takes as long as two thousand multiplications for each element.
    return [tuple(shape)], 2048 * max(size(tuple(shape)), size(call.shape()))
