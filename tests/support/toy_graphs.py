"""The ONNX graphs of the toy voice, written node by node."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

H, Z = 6, 4
"""Sizes of the state and of the latent."""


def external(name: str, location: str, offset: int | None = None, length: int | None = None) -> TensorProto:
    """Return four weights that are in another file."""
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), name)
    set_external_data(tensor, location, offset, length)
    tensor.ClearField("raw_data")
    return tensor


def step_graph(w: dict[str, np.ndarray], size: int, pen: bool) -> onnx.GraphProto:
    """Return the step graph for weights, frames of `size` values, and a pen or sound."""
    g = _Graph(w)
    g.prior()
    g.steer("prior.mean", "prior.std")
    g.add("Mul", "output.005", "control.output.temperature", to="output.std")
    g.add("Mul", "output.std", "noise.output", to="output.drawn")
    g.decode()
    g.add("Add", "mean", "output.drawn", to="sampled" if pen else "frame")
    if pen:
        g.constant("split", np.array([2, 1], np.int64))
        g.nodes.append(helper.make_node("Split", ["sampled", "split"], ["dxdy", "logit"], axis=1))
        g.add("Greater", "logit", "zero", to="up")
        g.nodes.append(helper.make_node("Cast", ["up"], ["pen"], to=TensorProto.FLOAT))
        g.nodes.append(helper.make_node("Concat", ["dxdy", "pen"], ["frame"], axis=1))
    g.follow()
    inputs = {
        "state.h": H,
        "state.tail": 2,
        "noise.latent": Z,
        "noise.output": size,
        **_LATENT,
        "control.output.temperature": 1,
    }
    outputs = {"next.h": H, "next.tail": 2, "frame": size, "latent": Z, "prior.mean": Z, "prior.std": Z}
    return g.finish("step", inputs, outputs)


def observe_graph(w: dict[str, np.ndarray], size: int) -> onnx.GraphProto:
    """Return the observe graph for weights and frames of `size` values."""
    g = _Graph(w)
    g.prior()
    g.nodes.append(helper.make_node("Concat", ["state.h", "frame"], ["hx"], axis=1))
    g.add("MatMul", "hx", "Wq", to="q")
    g.add("Tanh", "q", to="posterior.mean")
    g.add("Mul", "posterior.mean", "fifth", to="log.raw")
    g.add("Sub", "log.raw", "half", to="log.q")
    g.add("Exp", "log.q", to="posterior.std")
    g.steer("posterior.mean", "posterior.std")
    # KL of two diagonal Gaussians, from the logarithms of their standard deviations.
    g.add("Sub", "log.q", "log.p", to="log.ratio")
    g.add("Add", "log.ratio", "log.ratio", to="log.ratio2")
    g.add("Exp", "log.ratio2", to="ratio2")
    g.add("Sub", "posterior.mean", "prior.mean", to="apart")
    g.add("Div", "apart", "prior.std", to="apart.p")
    g.add("Mul", "apart.p", "apart.p", to="apart2")
    g.add("Add", "ratio2", "apart2", to="squares")
    g.add("Mul", "squares", "half", to="squares.half")
    g.add("Sub", "squares.half", "log.ratio", to="kl.less")
    g.add("Sub", "kl.less", "half", to="kl.each")
    g.add("ReduceSum", "kl.each", "last", to="kl", keepdims=0)
    g.decode()
    g.add("Sub", "frame", "mean", to="error")
    g.add("Div", "error", "output.005", to="error.scaled")
    g.add("Mul", "error.scaled", "error.scaled", to="error2")
    g.add("ReduceSum", "error2", "last", to="error.sum", keepdims=0)
    g.add("Mul", "error.sum", "minus.half", to="log_likelihood")
    g.follow()
    inputs = {"state.h": H, "state.tail": 2, "frame": size, "noise.latent": Z, **_LATENT}
    outputs = {"next.h": H, "next.tail": 2} | dict.fromkeys(
        ("latent", "prior.mean", "prior.std", "posterior.mean", "posterior.std"), Z
    )
    return g.finish("observe", inputs, {**outputs, "kl": None, "log_likelihood": None})


_LATENT = {
    f"control.latent.{name}": 1 if name == "temperature" else Z for name in ("temperature", "shift", "hold", "target")
}


class _Graph:
    """Collects the nodes of a graph; its methods add the parts that both graphs share."""

    def __init__(self, w: dict[str, np.ndarray]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers = [numpy_helper.from_array(value, name) for name, value in w.items()]
        constants = {"output.005": 0.05, "zero": 0, "one": 1, "half": 0.5, "minus.half": -0.5, "fifth": 0.2}
        for name, value in (constants | {"third": 0.3, "keep": 0.8}).items():
            self.constant(name, np.float32(value))
        self.constant("first2", np.array([0, 1], np.int64))
        self.constant("last", np.array([1], np.int64))

    def constant(self, name: str, value: Any) -> None:
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))

    def add(self, op: str, *inputs: str, to: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(op, list(inputs), [to], **attributes))

    def prior(self) -> None:
        self.add("MatMul", "state.h", "Wm", to="hm")
        self.add("Add", "hm", "bm", to="prior.mean")
        self.add("MatMul", "state.h", "Ws", to="hs")
        self.add("Tanh", "hs", to="ts")
        self.add("Mul", "ts", "third", to="log.p")
        self.add("Exp", "log.p", to="prior.std")

    def steer(self, mean: str, std: str) -> None:
        self.add("Mul", std, "control.latent.temperature", to="spread")
        self.add("Mul", "spread", "noise.latent", to="drawn")
        self.add("Add", mean, "drawn", to="z.drawn")
        self.add("Add", "z.drawn", "control.latent.shift", to="z.shifted")
        self.add("Sub", "one", "control.latent.hold", to="free")
        self.add("Mul", "free", "z.shifted", to="z.free")
        self.add("Mul", "control.latent.hold", "control.latent.target", to="z.held")
        self.add("Add", "z.free", "z.held", to="latent")

    def decode(self) -> None:
        self.add("Concat", "state.h", "latent", to="hz", axis=1)
        self.add("MatMul", "hz", "Wd", to="d")
        self.add("Tanh", "d", to="td")
        self.add("Mul", "td", "third", to="mean")

    def follow(self) -> None:
        for source, weight, to in (("state.h", "Wh", "a"), ("latent", "Wz", "b"), ("frame", "Wx", "c")):
            self.add("MatMul", source, weight, to=to)
        self.add("Sum", "a", "b", "c", to="s")
        self.add("Tanh", "s", to="t")
        self.add("Mul", "t", "fifth", to="t.fifth")
        self.add("Mul", "state.h", "keep", to="kept")
        self.add("Add", "kept", "t.fifth", to="next.h")
        self.add("Gather", "latent", "first2", to="z2", axis=1)
        self.add("Mul", "state.tail", "half", to="tail.half")
        self.add("Add", "tail.half", "z2", to="next.tail")

    def finish(self, name: str, inputs: dict[str, int], outputs: Mapping[str, int | None]) -> onnx.GraphProto:
        def value(name: str, size: int | None) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B"] if size is None else ["B", size])

        return helper.make_graph(
            self.nodes,
            name,
            [value(*i) for i in inputs.items()],
            [value(*o) for o in outputs.items()],
            self.initializers,
        )
