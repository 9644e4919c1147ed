"""Measure the engine on an NVIDIA GPU in one run, for docs/performance.md.

    python benchmarks/gpu.py [--device cuda:0] [--seconds 5] [--rows 1 64 1024 4096 10000] [--json FILE]

The script measures two voices: the bundled `blizzard`, and a voice of the paper's size with random weights
(`blizzard-paper`), the latter in fp32 and fp16.  For each voice it prints:

- one stream: p50 and p99 of the time of a frame, with and without CUDA graphs; or why the voice cannot be captured
- many streams in a batch: milliseconds per frame, and whether all streams keep up with real time
- the floor, measured in the same run by PyTorch on the same GPU: the time to read the weights once from the GPU's
  memory, or, if that is longer, the time of the graph's products for all rows; and the engine's time divided by the
  floor
- the largest difference from the CPU's frames, over 40 frames

Needs the extras `train` and `cuda`.  Without a working GPU, the script prints the reason and measures nothing.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
import torch
from onnx import helper
from random_voice import random_model, write_random_voice
from ways import matrices

from vrnn_engine import Engine, Voice
from vrnn_engine.diagnostics.machine import measure_machine
from vrnn_engine.errors import ProviderError, StreamError, VRNNEngineError
from vrnn_engine.runtime.graph.provider import parse_device
from vrnn_engine.training.recipe import load_recipe

COMPARED = 40
"""Number of frames that are compared with the CPU's."""
KINDS = {"fp32": torch.float32, "fp16": torch.float16}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 64, 1024, 4096, 10000])
    parser.add_argument("--recipe", default="blizzard-paper", help="recipe whose size the random voice has")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if parse_device(options.device).kind != "cuda":
        parser.error("--device must be cuda or cuda:N: this measures a GPU")
    Engine.load("blizzard", options.device)  # raises if CUDA cannot run, before an export of minutes
    where = torch.device(options.device)
    print(f"{torch.cuda.get_device_name(where)}; {measure_machine({}).processor}; torch {torch.__version__}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        recipe = load_recipe(options.recipe)
        paper = write_random_voice(recipe, random_model(recipe), Path(folder) / "voice", ["fp16"])
        found = [
            row
            for voice, precisions in ((Voice.open("blizzard"), ("fp32",)), (paper, ("fp32", "fp16")))
            for precision in precisions
            for row in measure(voice, precision, options.device, options.rows, options.seconds)
        ]
    if options.json:
        report = {"gpu": torch.cuda.get_device_name(where), "machine": msgspec.to_builtins(measure_machine({}))}
        options.json.write_text(json.dumps(report | {"rows": found}, indent=2) + "\n")


def measure(voice: Voice, precision: str, device: str, rows: Sequence[int], seconds: float) -> list[dict]:
    """Measure a voice in a precision: print a line for each number of rows, and return the results."""
    weights = weight_bytes_on_gpu(voice, precision)
    print(f"\n{voice.name}, {precision}, {weights / 2**20:.1f} MiB;", end=" ")
    print(f"difference from the CPU: {difference(voice, precision, device):.2g}")
    print(f"{'rows':>6} {'graphs':>7}{'p50 ms':>9}{'p99':>9}{'real time':>11}{'floor':>9}{'p50 / floor':>13}")
    found = []
    for count in rows:
        floor = max(reading(weights, device), products(voice, count, KINDS[precision], device))
        for graphs in (False, True) if count == 1 else (False,):
            row = {"voice": voice.name, "precision": precision, "streams": count, "cuda_graphs": graphs}
            try:
                taken = timed(voice, precision, device, count, graphs, seconds)
            except (ProviderError, StreamError) as error:
                print(f"{count:6} {graphs!s:>7}  {error}")
                found.append(row | {"error": str(error)})
                continue
            p50, p99 = np.percentile(taken, [50, 99]).tolist()
            keeps_up = p99 < 1000 / voice.manifest.frames_per_second
            found.append(row | {"p50": p50, "p99": p99, "keeps_up": keeps_up, "floor": floor})
            print(f"{count:6} {graphs!s:>7}{p50:9.3f}{p99:9.3f}{'yes' if keeps_up else 'no':>11}", end="")
            print(f"{floor:9.3f}{p50 / floor:13.2f}")
    return found


def timed(voice: Voice, precision: str, device: str, rows: int, graphs: bool, seconds: float) -> np.ndarray:
    """Return the time of each frame of all rows, in milliseconds."""
    engine = Engine.load(voice, device, rows, precision, cuda_graphs=graphs)
    streams = [engine.stream(seed) for seed in range(rows)]
    engine.read(8, streams)
    taken, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        engine.read(1, streams)
        taken.append(1000 * (time.perf_counter() - began))
    return np.array(taken)


def difference(voice: Voice, precision: str, device: str) -> float:
    """Return the largest difference of the GPU's frames from the CPU's in fp32, relative to their largest value."""
    here, there = (
        Engine.load(voice, where, 1, kind).stream(7).read(COMPARED)
        for where, kind in (("cpu", "fp32"), (device, precision))
    )
    return float(np.abs(here - there).max() / np.abs(here).max())


def weight_bytes_on_gpu(voice: Voice, precision: str) -> int:
    """Return the bytes of a step's constants in the types that a GPU reads; a cast of a constant is done on loading.

    `weight_bytes` computes those of a CPU, which casts all constants in half precision to fp32.
    """
    graph = onnx.load(voice.path / voice.graph("step", precision).file, load_external_data=False).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    kinds |= {n.input[0]: n.attribute[0].i for n in graph.node if n.op_type == "Cast" and n.input[0] in kinds}
    return sum(math.prod(t.dims) * helper.tensor_dtype_to_np_dtype(kinds[t.name]).itemsize for t in graph.initializer)


def reading(size: int, device: str) -> float:
    """Return the time, in ms, to read `size` bytes of the GPU's memory, measured on an array larger than its cache."""
    values = torch.ones(max(size, 2**28) // 4, device=device)
    return fastest(lambda: values.max(), device) * size / (4 * values.numel())


def products(voice: Voice, rows: int, kind: torch.dtype, device: str) -> float:
    """Return the time, in ms, of the products of `rows` rows with the constant matrices of a step."""
    pairs = [
        (torch.ones(rows, inputs, dtype=kind, device=device), torch.ones(inputs, outputs, dtype=kind, device=device))
        for inputs, outputs in matrices(voice)
    ]
    return fastest(lambda: [x @ weights for x, weights in pairs], device)


def fastest(call, device: str, times: int = 50) -> float:
    """Return the shortest time of a call, in ms, by the GPU's clock."""
    with torch.cuda.device(device):
        taken = []
        for _ in range(times):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            call()
            end.record()
            end.synchronize()
            taken.append(begin.elapsed_time(end))
    return min(taken)


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        main()
    except VRNNEngineError as error:
        sys.exit(f"error: {error}")
