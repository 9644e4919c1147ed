"""What this machine could do: how fast numpy, on one core, reads as many bytes and multiplies matrices.

It is what a step is held against: it must read its weights once, and compute its products.
"""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np

from vrnn_engine.errors import VRNNEngineError

# One BLAS thread, which must be settled before numpy is imported.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
ONE_THREAD = dict.fromkeys(_THREADS, "1")
"""Variables of the environment of a process that measures."""
_SHAPE = (64, 1024, 1024)
_MEASURE = f"""
import sys
from vrnn_engine.diagnostics.machine import best, product, reading
for size in map(int, sys.argv[1:]):
    print(size / best(reading(size)))
print(2 * {_SHAPE[0] * _SHAPE[1] * _SHAPE[2]} / best(product(*{_SHAPE})))
"""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on."""

    processor: str
    cores: int
    system: str
    python: str
    numpy: str
    onnxruntime: str
    bandwidth: dict[str, float]
    """Bytes a second that one core reads, of as many as the graph's weights in each precision."""
    rate: float
    """Floating-point operations a second of one core's matrix product."""


def measure_machine(weights: Mapping[str, int]) -> Machine:
    """Measure one core, in a process of its own; `weights` are bytes by precision."""
    import onnxruntime

    *bandwidths, rate = map(float, child(_MEASURE, *map(str, weights.values())).split())
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        numpy=np.__version__,
        onnxruntime=onnxruntime.__version__,
        bandwidth=dict(zip(weights, bandwidths, strict=True)),
        rate=rate,
    )


def reading(size: int) -> Callable[[], object]:
    """Return a call that reads so many bytes, once and in order."""
    return np.ones(size // 4, np.float32).max


def product(rows: int, inputs: int, outputs: int) -> Callable[[], object]:
    """Return a call that multiplies [rows, inputs] by [inputs, outputs], in single precision."""
    x, weights = np.ones((rows, inputs), np.float32), np.ones((inputs, outputs), np.float32)
    y = np.empty((rows, outputs), np.float32)
    return lambda: np.matmul(x, weights, out=y)


def best(call: Callable[[], object], seconds: float = 0.5) -> float:
    """Seconds of a call at its fastest, tried for so long."""
    fastest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - began)
    return fastest


def child(code: str, *arguments: str) -> str:
    """Run Python code in a process of its own, with one thread, and return what it prints.

    Raises
    ------
    VRNNEngineError
        It failed; the end of what it said.
    """
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_THREAD})
    if done.returncode:
        raise VRNNEngineError(f"a process that was to be measured failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
