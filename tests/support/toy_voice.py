"""Builds a toy voice: a small recurrent model that follows the whole graph contract, without torch.

    cd tests; python -m support.toy_voice FOLDER [audio|pen]

Its parity vectors come from `reference_step` and `reference_observe`, which are in numpy and independent of the graph.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from support.toy_graphs import H, Z, observe_graph, step_graph

FRAMES = 100
"""Number of frames of the parity vectors."""
SIZES = {"audio": (200, 16000), "pen": (3, 100)}
"""Frame size and rate by modality."""

Edit = Callable[[onnx.GraphProto], None]


def weights(size: int) -> dict[str, np.ndarray]:
    """Return the weights for frames of `size` values, so small that the recurrence stays bounded."""
    rng = np.random.default_rng(5)
    shapes: dict[str, tuple[int, ...]] = {"Wm": (H, Z), "Ws": (H, Z), "Wh": (H, H), "Wz": (Z, H), "bm": (Z,)}
    shapes |= {"Wd": (H + Z, size), "Wx": (size, H), "Wq": (H + size, Z)}
    return {name: (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32) for name, shape in shapes.items()}


def reference_step(w: dict[str, np.ndarray], state: dict, noise: dict, pen: bool) -> tuple[dict, np.ndarray]:
    """Return the state after one step with default controls, and the frame [F], in float64."""
    h, tail = state["h"], state["tail"]
    z = h @ w["Wm"] + w["bm"] + np.exp(0.3 * np.tanh(h @ w["Ws"])) * noise["latent"]
    mean = 0.3 * np.tanh(np.concatenate([h, z]) @ w["Wd"])
    frame = mean + 0.05 * noise["output"]
    if pen:
        frame[2] = float(frame[2] > 0)
    return _follow(w, h, tail, z, frame), frame


def reference_observe(w: dict[str, np.ndarray], state: dict, frame: np.ndarray) -> tuple[dict, dict]:
    """Observe a frame with latent noise of zero and default controls, in float64."""
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

    Parameters
    ----------
    folder : Path
        Folder to create.
    modality : str
        `audio` or `pen`.
    name : str, optional
        The voice's name; `toy-MODALITY` by default.
    external : bool
        Whether the weights of the step graph are in a separate file.
    observe : bool
        Whether the voice has an observe graph.
    edit_step : callable, optional
        Changes the step graph; the manifest describes the unchanged graph.
    """
    size, rate = SIZES[modality]
    folder.mkdir(parents=True)
    w = weights(size)
    graphs = {"step": step_graph(w, size, modality == "pen")}
    if observe:
        graphs["observe"] = observe_graph(w, size)
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
    """Edit the manifest of a voice."""
    path = folder / "voice.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def reseal(folder: Path) -> None:
    """Write the checksums of all files in the folder."""
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


def _shapes(values: Any) -> dict[str, list[int]]:
    return {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim[1:]] for value in values}


if __name__ == "__main__":
    build(Path(sys.argv[1]), *sys.argv[2:3])
