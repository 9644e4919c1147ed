"""What it gains to take several frames in one call: steps that are unrolled K times, in turn, in one run.

    python benchmarks/frames_a_call.py [--recipe blizzard] [--frames 1 2 4 8] [--rounds 30] [--json FILE]

Random weights of the recipe's size; onnxruntime alone, one thread, buffers bound once, the state going on.  A control
that is set while a call is under way is heard after it, so K frames a call make steering K times as coarse.
Needs the extra `train`.
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

# One BLAS and one OpenMP thread, which must be settled before numpy and torch are imported.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
import torch
from random_voice import normalised_steps, random_model

from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.exporters.fuse import fuse_products
from vrnn_engine.exporters.protocol import Named, Shape
from vrnn_engine.exporters.steps import RecurrentSteps
from vrnn_engine.exporters.tracing import trace
from vrnn_engine.exporters.weights_file import save_graphs
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
        parser.error("--frames and --rounds are at least 1")
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
    print(f"{options.recipe}: ms a frame: median, least; over {options.frames[0]} a call: median")
    rows = {}
    for k, values in taken.items():
        ratio = statistics.median(one / other for one, other in zip(values, first, strict=True))
        rows[k] = {"median": statistics.median(values), "least": min(values), "ratio": ratio}
        print(f"{k:3} a call  {rows[k]['median']:8.3f} {rows[k]['least']:8.3f}  {ratio:6.2f}")
    if options.json:
        options.json.write_text(json.dumps({"recipe": options.recipe, "frames": rows}, indent=2))


def unrolled(steps: RecurrentSteps, frames: int, folder: Path) -> Callable[[], ort.OrtValue]:
    """Return a function that takes so many frames in one run of one graph: [1, frames, F]."""
    shapes, fused = steps.step_inputs(), fuse_products(steps)  # as a voice has them

    def several(inputs: Named) -> Named:
        state, made = {name: value for name, value in inputs.items() if name.startswith("state.")}, []
        fixed = {name: value for name, value in inputs.items() if name.startswith("control.")}
        for t in range(frames):
            noise = {name: inputs[name][:, t] for name in inputs if name.startswith("noise.")}
            outputs = fused.generate({**state, **fixed, **noise})
            state = {f"state.{name[5:]}": value for name, value in outputs.items() if name.startswith("next.")}
            made.append(outputs["frame"])
        return {f"next.{name[6:]}": value for name, value in state.items()} | {"frame": torch.stack(made, dim=1)}

    inputs: dict[str, Shape] = {
        name: (frames, *shape) if name.startswith("noise.") else shape for name, shape in shapes.items()
    }
    folder.mkdir()
    graph, outputs = trace(several, inputs)
    save_graphs({"step.onnx": graph}, folder)
    session = create_session(str(folder / "step.onnx"), onnxruntime_options(), ["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    defaults = {f"control.{control.name}": control.default for control in steps.controls}
    given = {
        name: ort.OrtValue.ortvalue_from_numpy(np.full((1, *shape), defaults.get(name, 0.0), np.float32))
        for name, shape in inputs.items()
    }
    for name in sorted(given):
        if name.startswith("noise."):  # the same for every frame
            drawn = rng.standard_normal((1, *shapes[name]), np.float32)
            given[name].update_inplace(np.repeat(drawn[:, np.newaxis], frames, axis=1))
    here, there = (
        {
            name: ort.OrtValue.ortvalue_from_numpy(np.zeros((1, *shape), np.float32))
            for name, shape in outputs.items()
            if name.startswith("next.")
        }
        for _ in range(2)
    )
    frame = ort.OrtValue.ortvalue_from_numpy(np.zeros((1, *outputs["frame"]), np.float32))
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


if __name__ == "__main__":
    try:
        main()
    except VRNNEngineError as error:
        sys.exit(f"error: {error}")
