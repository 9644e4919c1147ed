"""Time from process start to the first PCM byte, as a ratio to `import numpy, onnxruntime`.

    python benchmarks/cold_start.py [--voice blizzard] [--rounds 15]

The two are run in turn, in one run, so that both meet the same weather.
"""

import argparse
import statistics
import subprocess
import sys
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", default="blizzard")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    stream = [sys.executable, "-m", "vrnn_engine", "stream", "--voice", options.voice, "--to", "-", "--seconds", "1"]
    first_byte, imports = [], []
    for turn in range(options.rounds + 1):
        a, b = until_first_byte(stream), until_end([sys.executable, "-c", "import numpy, onnxruntime"])
        if turn:  # the first round warms the disk cache
            first_byte.append(a)
            imports.append(b)
    ratios = [a / b for a, b in zip(first_byte, imports, strict=True)]
    for name, values, unit in (
        ("first PCM byte", first_byte, "s"),
        ("import numpy, onnxruntime", imports, "s"),
        ("ratio", ratios, ""),
    ):
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:28} median {middle:.3f}{unit}  min {low:.3f}{unit}  max {high:.3f}{unit}")


def until_first_byte(command: list[str]) -> float:
    """Seconds until a command has written its first byte."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        byte = process.stdout.read(1) if process.stdout else b""
        seconds = time.perf_counter() - began
        process.communicate()
    if not byte or process.returncode:
        sys.exit(f"failed: {' '.join(command)}")
    return seconds


def until_end(command: list[str]) -> float:
    """Seconds until a command has ended."""
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
