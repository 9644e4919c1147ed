"""Builds a toy voice: a small recurrent generator that honours the whole graph contract, without torch.

    python tests/support/toy_voice.py FOLDER [audio|pen]

Its parity vectors come from `reference_step` and `reference_observe`, written in numpy apart from the graph.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

H, Z = 6, 4
"""Sizes of the recurrence and of the latent."""
FRAMES = 100
"""Frames of the parity vectors."""
SIZES = {"audio": (200, 16000), "pen": (3, 100)}
"""Frame size and rate by modality."""

Edit = Callable[[onnx.GraphProto], None]


def weights(size: int) -> dict[str, np.ndarray]:
    """Return the toy's weights for frames of a size; small enough for a recurrence that never explodes."""
    rng = np.random.default_rng(5)
    shapes: dict[str, tuple[int, ...]] = {"Wm": (H, Z), "Ws": (H, Z), "Wh": (H, H), "Wz": (Z, H), "bm": (Z,)}
    shapes |= {"Wd": (H + Z, size), "Wx": (size, H), "Wq": (H + size, Z)}
    return {name: (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32) for name, shape in shapes.items()}


def reference_step(w: dict[str, np.ndarray], state: dict, noise: dict, pen: bool) -> tuple[dict, np.ndarray]:
    """Take one step with default controls, in float64: the state [H], [2] and the frame [F]."""
    h, tail = state["h"], state["tail"]
    z = h @ w["Wm"] + w["bm"] + np.exp(0.3 * np.tanh(h @ w["Ws"])) * noise["latent"]
    mean = 0.3 * np.tanh(np.concatenate([h, z]) @ w["Wd"])
    frame = mean + 0.05 * noise["output"]
    if pen:
        frame[2] = float(frame[2] > 0)
    return _follow(w, h, tail, z, frame), frame


def reference_observe(w: dict[str, np.ndarray], state: dict, frame: np.ndarray) -> tuple[dict, dict]:
    """Observe one frame with latent noise of zero and default controls, in float64."""
    h, tail = state["h"], state["tail"]
    mean_p, log_p = h @ w["Wm"] + w["bm"], 0.3 * np.tanh(h @ w["Ws"])
    q = np.tanh(np.concatenate([h, frame]) @ w["Wq"])
    log_q = 0.2 * q - 0.5
    squares = np.exp(2 * log_q) + (q - mean_p) ** 2
    kl = (log_p - log_q + 0.5 * squares * np.exp(-2 * log_p) - 0.5).sum()
    mean = 0.3 * np.tanh(np.concatenate([h, q]) @ w["Wd"])
    likelihood = -0.5 * (((frame - mean) / 0.05) ** 2).sum()
    return _follow(w, h, tail, q, frame), {"posterior.mean": q, "kl": kl, "log_likelihood": likelihood}


def _follow(w: dict, h: np.ndarray, tail: np.ndarray, z: np.ndarray, frame: np.ndarray) -> dict[str, np.ndarray]:
    return {"h": 0.8 * h + 0.2 * np.tanh(h @ w["Wh"] + z @ w["Wz"] + frame @ w["Wx"]), "tail": 0.5 * tail + z[:2]}


def build(
    folder: Path,
    modality: str = "audio",
    *,
    name: str | None = None,
    external: bool = False,
    observe: bool = True,
    edit_step: Edit | None = None,
) -> Path:
    """Write a toy voice and return its folder.

    `external` puts the step graph's weights in a file of their own; `edit_step` may spoil that graph
    after the manifest has been made for the right one.
    """
    size, rate = SIZES[modality]
    folder.mkdir(parents=True)
    w = weights(size)
    graphs = {"step": _step(w, size, modality == "pen")}
    if observe:
        graphs["observe"] = _observe(w, size)
    declared = [
        {
            "role": role,
            "precision": "fp32",
            "file": f"{role}.onnx",
            "inputs": _shapes(g.input),
            "outputs": _shapes(g.output),
        }
        for role, g in graphs.items()
    ]
    if edit_step:
        edit_step(graphs["step"])
    for role, graph in graphs.items():
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        apart = external and role == "step"
        data = "step.onnx.data" if apart else None
        onnx.save(model, folder / f"{role}.onnx", save_as_external_data=apart, location=data, size_threshold=64)
    np.savez(folder / "parity.npz", **_parity(w, size, modality == "pen", observe))  # type: ignore[arg-type]
    (folder / "CARD.md").write_text("# A toy\n")
    scalar = {"shape": [1], "default": 1.0, "minimum": 0.0, "maximum": 2.0}
    manifest = {
        "schema_version": 1,
        "name": name or f"toy-{modality}",
        "modality": modality,
        "rate": rate,
        "frame_size": size,
        "unit": "full scale" if modality == "audio" else "mm",
        "basis": "samples" if modality == "audio" else "points",
        "family": "toy",
        "graphs": declared,
        "controls": [
            {"name": "latent.temperature", **scalar, "description": "spread of the latent"},
            {"name": "output.temperature", **scalar, "description": "spread of the output"},
            _vector("latent.shift", -3, 3),
            _vector("latent.hold", 0, 1),
            _vector("latent.target", -3, 3),
        ],
        "normalisation": {"mean": [0.0], "std": [1.0]},
        "provenance": {
            "data": "none",
            "source": "a test",
            "licence": "Apache-2.0",
            "command": "none",
        },
        "parity": {"file": "parity.npz", "frames": FRAMES, "tolerance": 1e-4},
        "files": {},
    }
    (folder / "voice.json").write_text(json.dumps(manifest))
    reseal(folder)
    return folder


def change(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Edit the manifest in place."""
    path = folder / "voice.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def reseal(folder: Path) -> None:
    """Write the checksums of the files that are there."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "voice.json"]
    sums = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    change(folder, lambda manifest: manifest.update(files=sums))


def _parity(w: dict[str, np.ndarray], size: int, pen: bool, observe: bool) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    noise = {"latent": rng.standard_normal((FRAMES, Z)), "output": rng.standard_normal((FRAMES, size))}
    state, frames = {"h": np.zeros(H), "tail": np.zeros(2)}, []
    for t in range(FRAMES):
        state, frame = reference_step(w, state, {name: value[t] for name, value in noise.items()}, pen)
        frames.append(frame)
    arrays = {f"noise.{name}": value for name, value in noise.items()} | {"frame": np.stack(frames)}
    if observe:
        state, seen = {"h": np.zeros(H), "tail": np.zeros(2)}, []
        for frame in frames:
            state, outputs = reference_observe(w, state, frame)
            seen.append(outputs)
        arrays |= {f"observe.{name}": np.stack([outputs[name] for outputs in seen]) for name in seen[0]}
    return {name: value.astype(np.float32) for name, value in arrays.items()}


def _vector(name: str, low: float, high: float) -> dict[str, Any]:
    return {"name": name, "shape": [Z], "default": 0.0, "minimum": low, "maximum": high, "description": "per dimension"}


def _step(w: dict[str, np.ndarray], size: int, pen: bool) -> onnx.GraphProto:
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


def _observe(w: dict[str, np.ndarray], size: int) -> onnx.GraphProto:
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
    """Collects nodes; the parts that both graphs share are methods."""

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


def _shapes(values: Any) -> dict[str, list[int]]:
    return {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim[1:]] for value in values}


if __name__ == "__main__":
    build(Path(sys.argv[1]), *sys.argv[2:3])
