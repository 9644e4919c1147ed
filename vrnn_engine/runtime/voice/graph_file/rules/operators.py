"""The operators that a voice may use, and what the checks have to know of each.

The list has what `vrnn-engine export` and onnxruntime's quantisation write, and more for people's own models.
An operator is on it if it is pure (its results depend on its inputs alone), contains no graph, and if the shapes of its
results follow from the shapes of its inputs and from constants.  The definitions are those of ONNX
(https://onnx.ai/onnx/operators/), and of onnxruntime for the domain com.microsoft.
"""

from typing import NamedTuple

from vrnn_engine.runtime.voice.graph_file.rules import kinds, layers, mixing, shapes, windows
from vrnn_engine.runtime.voice.graph_file.rules.kinds import Kind, always, as_first, never
from vrnn_engine.runtime.voice.graph_file.rules.mixing import Check, alone, pairwise
from vrnn_engine.runtime.voice.graph_file.rules.shapes import Rule, same


class Operator(NamedTuple):
    """What the checks have to know of an operator."""

    rule: Rule
    """The shapes of its results, and its work."""
    rows: Check | None
    """Whether it keeps the rows of a batch apart; None if it reads no element of its inputs."""
    kind: Kind
    """Which of its results are floating point."""
    never_empty: bool = False
    """Whether it must not read an empty value: onnxruntime divides by its size, ends, or gives another shape."""
    sizes: tuple[int, ...] = ()
    """Inputs that are only sizes, and may depend on the number of rows."""


_OWN: tuple[tuple[str, Operator], ...] = (
    # Each element of the result is computed from one element of the first input.
    (
        """Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish
        Identity LeakyRelu Log Mish Neg Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt
        Swish Tan Tanh ThresholdedRelu""",
        Operator(same, alone, as_first),
    ),
    ("Clip", Operator(shapes.clip, alone, as_first)),
    ("BitwiseNot IsInf IsNaN Not", Operator(same, alone, never)),
    ("Cast", Operator(shapes.cast, alone, kinds.by_type("to"))),
    ("EyeLike", Operator(same, mixing.none, kinds.by_type("dtype"))),
    ("Trilu", Operator(same, mixing.triangle, as_first)),
    ("QuantizeLinear", Operator(shapes.quantized, pairwise, never, never_empty=True)),
    ("DequantizeLinear", Operator(shapes.quantized, pairwise, always, never_empty=True)),
    # Each element is computed from one element of each input.
    ("Add Div Max Mean Min Mul PRelu Pow Sub Sum", Operator(shapes.pairwise, pairwise, as_first)),
    ("Mod", Operator(shapes.modulo, pairwise, as_first)),
    (
        "And BitShift BitwiseAnd BitwiseOr BitwiseXor Equal Greater GreaterOrEqual Less LessOrEqual Or Xor",
        Operator(shapes.pairwise, pairwise, never),
    ),
    ("Where", Operator(shapes.pairwise, pairwise, kinds.as_input(1))),
    # Elements along axes are combined.
    ("CumSum", Operator(same, mixing.cumulative, as_first)),
    ("Hardmax LogSoftmax LpNormalization Softmax", Operator(same, mixing.not_along(-1), as_first, never_empty=True)),
    ("BatchNormalization", Operator(layers.channelwise, mixing.channels, as_first, never_empty=True)),
    (
        "GroupNormalization InstanceNormalization",
        Operator(layers.channelwise, mixing.outermost, as_first, never_empty=True),
    ),
    ("MeanVarianceNormalization", Operator(same, mixing.not_in_axes, as_first, never_empty=True)),
    ("LayerNormalization RMSNormalization", Operator(shapes.normalised, mixing.before, as_first, never_empty=True)),
    (
        """ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
        ReduceSumSquare""",
        Operator(shapes.reduce, alone, as_first, never_empty=True),
    ),
    ("ArgMax ArgMin", Operator(shapes.reduce, alone, never, never_empty=True)),
    ("TopK", Operator(shapes.top_k, mixing.not_along(-1), kinds.values_and_places, never_empty=True)),
    # Products, convolutions, recurrences, transforms.
    ("Conv", Operator(windows.conv, mixing.outermost, as_first, never_empty=True)),
    ("ConvTranspose", Operator(windows.conv_transpose, mixing.outermost, as_first, never_empty=True)),
    ("AveragePool", Operator(windows.pool, mixing.outermost, as_first, never_empty=True)),
    ("MaxPool", Operator(windows.pool, mixing.outermost, kinds.values_and_places, never_empty=True)),
    ("GlobalAveragePool GlobalMaxPool", Operator(windows.global_pool, mixing.outermost, as_first, never_empty=True)),
    ("DFT", Operator(layers.dft, mixing.dft, as_first, never_empty=True)),
    ("GRU LSTM RNN", Operator(layers.recurrent, mixing.recurrent, as_first, never_empty=True)),
    ("Gemm", Operator(layers.gemm, mixing.gemm, as_first)),
    ("MatMul", Operator(layers.matmul, mixing.matmul, as_first)),
    ("MatMulInteger", Operator(layers.matmul, mixing.matmul, never)),
    # Elements are chosen, moved or repeated.
    ("Concat", Operator(shapes.concat, mixing.several, as_first)),
    ("Expand", Operator(shapes.expand, pairwise, as_first, sizes=(1,))),
    ("Flatten", Operator(shapes.flatten, mixing.same_order, as_first)),
    ("Gather", Operator(shapes.gather, mixing.gather, as_first)),
    ("GatherElements", Operator(shapes.gather_elements, mixing.elements, as_first)),
    ("GatherND", Operator(shapes.gather_nd, mixing.gather_nd, as_first)),
    ("Pad", Operator(shapes.pad, mixing.pad, as_first, sizes=(1,))),
    ("Reshape", Operator(shapes.reshape, mixing.same_order, as_first, sizes=(1,))),
    ("ScatterElements", Operator(shapes.scatter, mixing.elements, as_first)),
    ("ScatterND", Operator(shapes.scatter, mixing.scatter_nd, as_first)),
    ("Slice", Operator(shapes.slice_, alone, as_first)),
    ("Split", Operator(shapes.split, mixing.several, as_first)),
    ("Squeeze", Operator(shapes.squeeze, mixing.same_order, as_first)),
    ("Tile", Operator(shapes.tile, mixing.same_size, as_first, sizes=(1,))),
    ("Transpose", Operator(shapes.transpose, pairwise, as_first)),
    ("Unsqueeze", Operator(shapes.unsqueeze, mixing.same_order, as_first)),
    # New values are made.
    ("Constant", Operator(shapes.constant, None, kinds.constant)),
    ("ConstantOfShape", Operator(shapes.constant_of_shape, mixing.equal, kinds.filled, sizes=(0,))),
    ("OneHot", Operator(shapes.one_hot, alone, kinds.as_input(2))),
    ("Range", Operator(shapes.range_, alone, as_first)),
    ("Shape", Operator(shapes.shape_, None, never)),
    ("Size", Operator(shapes.size_, None, never)),
)
_MICROSOFT: tuple[tuple[str, Operator], ...] = (
    ("Gelu QuickGelu", Operator(same, alone, as_first)),
    ("MatMulNBits", Operator(layers.matmul_nbits, mixing.matmul_nbits, as_first, never_empty=True)),
)

LISTED: dict[str, dict[str, Operator]] = {
    domain: {name: operator for names, operator in groups for name in names.split()}
    for domain, groups in (("", _OWN), ("com.microsoft", _MICROSOFT))
}
"""Domain -> name -> the operator."""
