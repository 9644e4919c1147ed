"""Compares two checkouts of this project: start, time of a frame and peak memory, measured in turns.

    git worktree add ../before COMMIT
    python benchmarks/compare.py ../before . [--rounds 9] [--json report.json]

Each round runs every measurement once with each checkout, in a new process, so that slow changes of the machine affect
both alike. A line shows the medians of both, and the median and the range of the ratio of the two in a round. Above 1,
the second checkout takes more. Compare only ratios, and only on a machine that does nothing else.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

START = "import sys; from vrnn_engine.cli.main import run; sys.argv[1:] = {words!r}; run()"
FRAMES = """
import statistics, time
from vrnn_engine import Engine
engine = Engine.load({voice!r}, device="cpu", rows={rows})
streams = [engine.stream(seed) for seed in range({rows})]
engine.read(50)
times = []
for _ in range({reads}):
    began = time.perf_counter()
    engine.read(4)
    times.append((time.perf_counter() - began) / 4)
print(statistics.median(times))
"""
MEMORY = """
import resource
from vrnn_engine import Engine
Engine.load({voice!r}, device="cpu", rows={rows}).stream(1).read(80)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def run(checkout: Path, code: str) -> str:
    """Run Python code with a checkout of the package, and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=checkout, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{checkout}: {done.stderr.strip()[-500:]}")
    return done.stdout


def wall(words: list[str]) -> Callable[[Path], float]:
    """Return a measurement of the milliseconds that a command takes, from the start of its process to the end."""

    def measure(checkout: Path) -> float:
        began = time.perf_counter()
        run(checkout, START.format(words=words))
        return 1e3 * (time.perf_counter() - began)

    return measure


def printed(code: str, scale: float) -> Callable[[Path], float]:
    """Return a measurement that reads the number which code prints."""
    return lambda checkout: scale * float(run(checkout, code))


def measurements(reads: int) -> dict[str, Callable[[Path], float]]:
    """Return all measurements by name."""
    found = {
        "vrnn-engine --help, ms": wall(["--help"]),
        "stream, a frame to null, ms": wall(
            ["stream", "--voice", "blizzard", "--seconds", "0.0125", "--to", "null", "--device", "cpu"]
        ),
    }
    for voice in ("blizzard", "handwriting"):
        for rows in (1, 16):
            code = FRAMES.format(voice=voice, rows=rows, reads=reads)
            found[f"{voice}, {rows} rows: a frame, us"] = printed(code, 1e6)
        found[f"{voice}: peak memory, MiB"] = printed(MEMORY.format(voice=voice, rows=1), 1 / 1024)
    return found


def compare(before: Path, after: Path, rounds: int, reads: int) -> dict[str, dict[str, float]]:
    """Measure both checkouts in turns, and return the statistics of each measurement."""
    report = {}
    for name, measure in measurements(reads).items():
        pairs = []
        for number in range(rounds):
            first, second = (after, before) if number % 2 else (before, after)
            values = {checkout: measure(checkout) for checkout in (first, second)}
            pairs.append((values[before], values[after]))
        ratios = [two / one for one, two in pairs]
        report[name] = {
            "before": statistics.median(one for one, _ in pairs),
            "after": statistics.median(two for _, two in pairs),
            "ratio": statistics.median(ratios),
            "lowest": min(ratios),
            "highest": max(ratios),
        }
        print(
            "{:34} {before:9.2f} {after:9.2f}   {ratio:.3f} ({lowest:.3f} to {highest:.3f})".format(
                name, **report[name]
            ),
            flush=True,
        )
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--reads", type=int, default=300, help="reads of 4 frames in a process")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    print(f"{'':34} {'before':>9} {'after':>9}   ratio (range)")
    report = compare(given.before.resolve(), given.after.resolve(), given.rounds, given.reads)
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
