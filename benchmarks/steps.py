"""Measure the time of a frame of the engine, of other ways to step the same model, and the machine's lower limit.

    python benchmarks/steps.py [--recipe blizzard | --voice VOICE] [--precision int8]... [--rows N]
                               [--rounds 20] [--frames 40] [--compile] [--json FILE]

Each way uses one thread.  The model is a voice, or that of a recipe with random weights, which is exported first.  With
a voice, PyTorch and numpy step random weights of its recipe, which takes the same time.  The export of a model of the
paper's size takes minutes: write that voice once with `benchmarks/random_voice.py blizzard-paper OUT`, and pass it as
--voice OUT.

- engine: `stream.read(8)`, as an application calls it; engine.int8, engine.int4: the same in these precisions
- resynthesis: the same while the stream imitates noise, so each frame is observed and generated (one stream of sound)
- bare: only onnxruntime on the same graph, with buffers bound once; the state advances, the noise stays the same
- plain: `session.run` with dictionaries of arrays and new noise in each step, the most direct code
- eager: the step that is exported, with its controls, in PyTorch, under `inference_mode`
- torchscript: the same as LibTorch runs it, traced and frozen
- compiled, aotinductor: the same with `torch.compile`, and as a package that LibTorch loads (with --compile; takes
  minutes and needs a C++ compiler)
- numpy: the equations in numpy, for one row (only for recipes of plain samples or MDCT frames; without the basis, which
  takes almost no time)
- reading, reading.int8, ...: numpy reads as many bytes as the graph's weights have in that precision
- products: numpy's products of all rows with the constant matrices of the fp32 graph (with --rows)

The ways take turns in each round, and ratios are of times in the same round.  `engine / reading` compares the engine
with the time in which the machine reads the weights, the lower limit for one stream; `products / engine` is the share
of numpy's rate of matrix products that the engine reaches.

A voice that reads a text generates one stroke at a time; measure it with --frames 1000.  Needs the extra `train`.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

# One thread for BLAS and OpenMP each; numpy and torch read these variables when they are imported.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import msgspec
import torch
from random_voice import normalised_steps, random_model, write_random_voice
from torch_ways import Steps
from ways import BLOCK, FP32, READING, Step, named, ways_of

from vrnn_engine import Voice
from vrnn_engine.diagnostics.machine import measure_machine
from vrnn_engine.diagnostics.step_times import weight_bytes
from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.exporters.precision.quantise import BITS
from vrnn_engine.training.recipe import bundled_recipes, load_recipe

Span = tuple[float, float, float]
"""Minimum, median and maximum of the rounds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--recipe", default="blizzard")
    what.add_argument("--voice", help="name, folder or .zip of a voice")
    parser.add_argument("--precision", action="append", default=[], choices=BITS, help="besides fp32; repeatable")
    parser.add_argument("--rows", type=int, default=1, help="streams in a batch")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--frames", type=int, default=40, help="frames of each way in a round")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    precisions = [one for one in BITS if one in options.precision]
    if min(options.rows, options.rounds, options.frames) < 1:
        parser.error("--rows, --rounds and --frames must be at least 1")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # Windows keeps files of a session open
        if options.voice:
            voice = Voice.open(options.voice)
            stepped = steps_of(voice)
            if stepped is None:
                print(f"{voice.name}: no bundled recipe has this model; PyTorch and numpy left out", file=sys.stderr)
        else:
            recipe = load_recipe(options.recipe)
            stepped = normalised_steps(recipe, model := random_model(recipe))
            voice = write_random_voice(recipe, model, Path(folder) / "voice", precisions)
        weights = {one: weight_bytes(voice, voice.graph("step", one)) for one in (FP32, *precisions)}
        machine = measure_machine(weights)
        with torch.inference_mode():
            ways = ways_of(voice, stepped, weights, options.rows, options.compile)
            taken = take_turns(ways, options.rounds, options.frames)
    spans = {name: span(values) for name, values in taken.items()}
    deadline = 1000 / voice.manifest.frames_per_second
    speeds = {
        name: span([deadline / value for value in values]) for name, values in taken.items() if name.startswith(READING)
    }
    ratios = ratios_of(taken)
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}; Python {machine.python},", end=" ")
    print(f"numpy {machine.numpy}, onnxruntime {machine.onnxruntime}, torch {torch.__version__}")
    print(f"{voice.name}: " + ", ".join(f"{size / 2**20:.1f} MiB in {one}" for one, size in weights.items()), end="; ")
    print(f"streams in a batch: {options.rows}; {options.rounds} rounds of {options.frames} frames")
    print_spans("milliseconds a frame", spans, 3)
    print_spans("times real time", speeds, 1)
    print_spans("ratios in the same round", ratios, 2)
    if options.json:
        report = {
            "voice": voice.name,
            "weights": weights,
            "rows": options.rows,
            "frames": options.frames,
            "machine": msgspec.to_builtins(machine) | {"torch": torch.__version__},
            "ms": spans,
            "real_time": speeds,
            "ratios": ratios,
            "rounds": taken,
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def print_spans(what: str, spans: dict[str, Span], digits: int) -> None:
    """Print a table of medians, minima and maxima."""
    print(f"\n{what:28}{'median':>9}{'minimum':>9}{'maximum':>9}")
    for name, (least, median, most) in spans.items():
        print(f"{name:28}{median:9.{digits}f}{least:9.{digits}f}{most:9.{digits}f}")


def take_turns(ways: dict[str, Step], rounds: int, frames: int) -> dict[str, list[float]]:
    """Return the milliseconds per frame of each way in each round, after a round to warm up."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, step in ways.items():
            made = BLOCK if name.startswith(READING) else 1
            step()  # not timed: the caches still hold the data of the previous way
            seconds = time_of(step, max(1, frames // made))
            if turn:
                taken[name].append(1000 * seconds / made)
    return taken


def time_of(step: Step, count: int) -> float:
    """Return the mean time of a step, in seconds."""
    began = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - began) / count


def span(values: Sequence[float]) -> Span:
    """Return minimum, median and maximum."""
    return min(values), statistics.median(values), max(values)


def ratios_of(taken: dict[str, list[float]]) -> dict[str, Span]:
    """Return ratios of times in the same round: the engine over its lower limits, the other ways over the engine."""
    precisions = [name.removeprefix("engine").removeprefix(".") or FP32 for name in taken if name.startswith("engine")]
    pairs = [("engine", "bare"), ("plain", "engine"), ("resynthesis", "engine")]
    for precision in precisions:
        engine = named("engine", precision)
        pairs += [(engine, named("reading", precision)), ("products", engine)]
        pairs += [(other, engine) for other in ("eager", "torchscript", "compiled", "aotinductor", "numpy")]
    return {
        f"{one} / {other}": span([a / b for a, b in zip(taken[one], taken[other], strict=True)])
        for one, other in pairs
        if one in taken and other in taken
    }


def steps_of(voice: Voice) -> Steps | None:
    """Return the step model of the recipe that a voice names, with random weights; None if its inputs differ."""
    command = [word.removesuffix(".toml") for word in voice.manifest.provenance.command.split()]
    recipe = next((load_recipe(word) for word in command if word in bundled_recipes()), None)
    if recipe is None:
        return None
    steps = normalised_steps(recipe, random_model(recipe))
    return steps if steps.step_inputs() == voice.graph("step").inputs else None


if __name__ == "__main__":
    try:
        main()
    except VRNNEngineError as error:
        sys.exit(f"error: {error}")
