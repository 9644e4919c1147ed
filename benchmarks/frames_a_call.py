"""Measure the time per frame of graphs that compute K frames in one call, for several K.

    python benchmarks/frames_a_call.py [--recipe blizzard] [--frames 1 2 4 8] [--rounds 30] [--json FILE]

The graphs take turns.  The model is that of a recipe, with random weights.  Only onnxruntime is timed: one thread,
buffers bound once, the state advances.  A control takes effect in the next call, so with K frames in a call the delay
of a control is up to K times as long.  Needs the extra `train`.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# One thread for BLAS and OpenMP each; numpy and torch read these variables when they are imported.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
import torch
from random_voice import normalised_steps, random_model

from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.exporters.base_steps import BaseSteps
from vrnn_engine.exporters.fuse import fuse_products
from vrnn_engine.exporters.graphs.tracing import trace
from vrnn_engine.exporters.graphs.weights_file import save_graphs
from vrnn_engine.exporters.protocol import Named, Shape
from vrnn_engine.runtime.graph.ort import create_session, ort
from vrnn_engine.runtime.graph.session import onnxruntime_options
from vrnn_engine.training.recipe import load_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="blizzard")
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 2, 4, 8], metavar="K")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if min(*options.frames, options.rounds) < 1:
        parser.error("--frames and --rounds must be at least 1")
    recipe = load_recipe(options.recipe)
    steps = normalised_steps(recipe, random_model(recipe))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, torch.no_grad():
        calls = {k: unrolled(steps, k, Path(folder) / str(k)) for k in options.frames}
        taken: dict[int, list[float]] = {k: [] for k in calls}
        for turn in range(options.rounds + 1):
            for k, call in calls.items():
                count = 32 // k or 1
                began = time.perf_counter()
                for _ in range(count):
                    call()
                if turn:  # the first round warms up
                    taken[k].append(1000 * (time.perf_counter() - began) / (count * k))
    first = taken[options.frames[0]]
    print(f"{options.recipe}: ms a frame, median and minimum; ratio to {options.frames[0]} a call, median")
    rows = {}
    for k, values in taken.items():
        ratio = statistics.median(one / other for one, other in zip(values, first, strict=True))
        rows[k] = {"median": statistics.median(values), "least": min(values), "ratio": ratio}
        print(f"{k:3} a call  {rows[k]['median']:8.3f} {rows[k]['least']:8.3f}  {ratio:6.2f}")
    if options.json:
        options.json.write_text(json.dumps({"recipe": options.recipe, "frames": rows}, indent=2))


def unrolled(steps: BaseSteps, frames: int, folder: Path) -> Callable[[], ort.OrtValue]:
    """Return a function that computes `frames` frames in one run of a graph: [1, frames, F]."""
    inputs: dict[str, Shape] = {
        name: (frames, *shape) if name.startswith("noise.") else shape for name, shape in steps.step_inputs().items()
    }
    folder.mkdir()
    graph, outputs = trace(unrolled_step(steps, frames), inputs)
    save_graphs({"step.onnx": graph}, folder)
    session = create_session(str(folder / "step.onnx"), onnxruntime_options(), ["CPUExecutionProvider"])
    given = bound_inputs(steps, inputs, frames)
    here, there = (
        {name: on_cpu(np.zeros((1, *shape))) for name, shape in outputs.items() if name.startswith("next.")}
        for _ in range(2)
    )
    frame = on_cpu(np.zeros((1, *outputs["frame"])))
    bindings = []
    for old, new in ((here, there), (there, here)):
        binding = session.io_binding()
        for name, value in given.items():
            binding.bind_ortvalue_input(name, old[f"next.{name[6:]}"] if name.startswith("state.") else value)
        for name, value in new.items():
            binding.bind_ortvalue_output(name, value)
        binding.bind_ortvalue_output("frame", frame)
        bindings.append(binding)

    def call() -> ort.OrtValue:
        session.run_with_iobinding(bindings[0])
        bindings.reverse()
        return frame

    return call


def unrolled_step(steps: BaseSteps, frames: int) -> Callable[[Named], Named]:
    """Return a function that generates `frames` frames, with the noise of all of them, [B, frames, ...]."""
    fused = fuse_products(steps)  # as an export does

    def several(inputs: Named) -> Named:
        state, made = {name: value for name, value in inputs.items() if name.startswith("state.")}, []
        fixed = {name: value for name, value in inputs.items() if name.startswith("control.")}
        for t in range(frames):
            noise = {name: inputs[name][:, t] for name in inputs if name.startswith("noise.")}
            outputs = fused.generate({**state, **fixed, **noise})
            state = {f"state.{name[5:]}": value for name, value in outputs.items() if name.startswith("next.")}
            made.append(outputs["frame"])
        return {f"next.{name[6:]}": value for name, value in state.items()} | {"frame": torch.stack(made, dim=1)}

    return several


def bound_inputs(steps: BaseSteps, inputs: dict[str, Shape], frames: int) -> dict[str, ort.OrtValue]:
    """Return zeros, the defaults of the controls, and noise that is the same for every frame."""
    rng, shapes = np.random.default_rng(0), steps.step_inputs()
    defaults = {f"control.{control.name}": control.default for control in steps.controls}
    given = {name: on_cpu(np.full((1, *shape), defaults.get(name, 0.0))) for name, shape in inputs.items()}
    for name in sorted(given):
        if name.startswith("noise."):
            drawn = rng.standard_normal((1, *shapes[name]), np.float32)
            given[name] = on_cpu(np.repeat(drawn[:, np.newaxis], frames, axis=1))
    return given


def on_cpu(values: np.ndarray) -> ort.OrtValue:
    """Return a float32 tensor that onnxruntime can bind."""
    return ort.OrtValue.ortvalue_from_numpy(values.astype(np.float32))


if __name__ == "__main__":
    try:
        main()
    except VRNNEngineError as error:
        sys.exit(f"error: {error}")
