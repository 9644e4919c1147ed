"""Shapes and work of the operators that move a window along axes: convolutions and poolings."""

from typing import NamedTuple

from vrnn_engine.runtime.voice.graph_file.values import ROWS, Call, Shape, size

_PADDINGS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
MOST_AXES = 3
"""Axes to move along.  Along more, onnxruntime copies the input for each element of the kernel."""


MOST_COLUMNS = 1 << 23
"""Elements of the buffer of a transposed convolution, 32 MiB in fp32: a kernel for each element of the input."""


class _Window(NamedTuple):
    """How a window moves along each axis."""

    strides: tuple[int, ...]
    extents: tuple[int, ...]
    """Elements from the first to the last of the kernel."""
    pads: tuple[int, ...]
    """Elements before and after the input, together."""
    same: bool
    """Whether the padding follows from the sizes."""

    @classmethod
    def of(cls, call: Call, kernel: Shape) -> "_Window":
        """Return the window of a node; raise `ValueError` if it is not possible."""
        axes, padding = len(call.shape()) - 2, call.node.text("auto_pad", "NOTSET")
        if not 0 < axes <= MOST_AXES:
            raise ValueError(f"it has {axes} axes to move along, not 1 to {MOST_AXES}")
        strides = call.node.numbers("strides") or (1,) * axes
        dilations = call.node.numbers("dilations") or (1,) * axes
        pads = (call.node.numbers("pads") if padding == "NOTSET" else None) or (0,) * (2 * axes)
        if padding not in _PADDINGS or min(*strides, *dilations, *kernel) < 1 or min(pads) < 0:
            raise ValueError("its padding, its kernel, a stride or a dilation is not possible")
        if not len(strides) == len(dilations) == len(kernel) == len(pads) // 2 == axes:
            raise ValueError(f"its kernel, strides, dilations or pads are not for {axes} axes")
        extents = tuple(step * (n - 1) + 1 for step, n in zip(dilations, kernel, strict=True))
        both = tuple(pads[at] + pads[at + axes] for at in range(axes))
        return cls(strides, extents, both, padding.startswith("SAME"))

    def moved(self, shape: Shape) -> Shape:
        """Return how often the window fits along each axis of a shape."""
        if self.same:
            return tuple(-(-n // stride) for n, stride in zip(shape, self.strides, strict=True))
        every = zip(shape, self.pads, self.extents, self.strides, strict=True)
        return tuple((n + pad - extent) // stride + 1 for n, pad, extent, stride in every)


def conv(call: Call) -> tuple[list[Shape], int]:
    """Conv."""
    shape, weights = call.shape(), call.shape(1)
    window, group = _Window.of(call, weights[2:]), call.node.number("group", 1)
    if group < 1 or shape[1] != group * weights[1] or weights[0] % group:
        raise ValueError(f"shapes {shape} and {weights} do not fit, with {group} groups")
    result = (shape[0], weights[0], *window.moved(shape[2:]))
    return [result], size(result) * size(weights[1:])


def conv_transpose(call: Call) -> tuple[list[Shape], int]:
    """ConvTranspose, whose padding is given and not computed from the sizes."""
    shape, weights = call.shape(), call.shape(1)
    window, group = _Window.of(call, weights[2:]), call.node.number("group", 1)
    if group < 1 or shape[1] != weights[0] or weights[0] % group:
        raise ValueError(f"shapes {shape} and {weights} do not fit, with {group} groups")
    if size(weights[1:]) * size(tuple(n for n in shape[2:] if n < ROWS)) > MOST_COLUMNS:
        raise ValueError(f"its kernel {list(weights)} and its input {list(shape)} are too large together")
    if window.same or call.node.numbers("output_shape"):
        raise ValueError("its padding is computed from the sizes; give pads")
    more = call.node.numbers("output_padding") or (0,) * len(window.strides)
    if len(more) != len(window.strides) or any(not 0 <= n < step for n, step in zip(more, window.strides, strict=True)):
        raise ValueError(f"its output_padding {list(more)} is not less than its strides")
    every = zip(shape[2:], window.strides, window.extents, window.pads, more, strict=True)
    last = tuple((n - 1) * step + extent - pad + extra for n, step, extent, pad, extra in every)
    if min(last) < 1:
        raise ValueError(f"its pads leave nothing of {shape}")
    return [(shape[0], group * weights[1], *last)], size(shape) * size(weights[1:])


def pool(call: Call) -> tuple[list[Shape], int]:
    """AveragePool, MaxPool, without the places of the largest elements: they would tell a row its own place."""
    shape, kernel = call.shape(), call.node.numbers("kernel_shape") or ()
    window = _Window.of(call, kernel)
    if len(call.node.outputs) > 1 or call.node.number("ceil_mode", 0):
        raise ValueError("it gives places, or has a window that is not whole")
    pads = call.node.numbers("pads") or ()
    if window.same or any(pad >= n for pad, n in zip(pads, kernel * 2, strict=False)):
        raise ValueError("a window could lie beside the input")
    result = (*shape[:2], *window.moved(shape[2:]))
    if min(result[2:]) < 1:
        raise ValueError(f"its kernel {list(kernel)} does not fit into {shape}")
    return [result], size(result) * size(kernel)


def global_pool(call: Call) -> tuple[list[Shape], int]:
    """GlobalAveragePool, GlobalMaxPool."""
    shape = call.shape()
    if len(shape) < 3:
        raise ValueError(f"{list(shape)} has no axes to pool")
    return [(*shape[:2], *(1,) * (len(shape) - 2))], size(shape)
