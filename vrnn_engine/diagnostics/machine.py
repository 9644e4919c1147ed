"""Measures memory bandwidth and the rate of matrix products on one core, with numpy.

Both set a lower limit to the time of a step, which must read its weights once and compute its products.
"""

import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np

from vrnn_engine.diagnostics.processes import run_python

_SHAPE = (64, 1024, 1024)
_MEASURE = f"""
import sys
from vrnn_engine.diagnostics.machine import best, product, reading
for size in map(int, sys.argv[1:]):
    print(size / best(reading(size)))
print(2 * {_SHAPE[0] * _SHAPE[1] * _SHAPE[2]} / best(product(*{_SHAPE})))
"""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine on which a voice was measured, and the speed of one of its cores.

    Attributes
    ----------
    processor : str
        Name of the processor.
    cores : int
        Number of logical cores.
    system, python, numpy, onnxruntime : str
        Operating system with its architecture, and versions of the software.
    bandwidth : dict of str to float
        Bytes per second that one core reads from an array as large as the weights in each precision.
    rate : float
        Floating-point operations per second of one core's matrix product, in fp32.
    """

    processor: str
    cores: int
    system: str
    python: str
    numpy: str
    onnxruntime: str
    bandwidth: dict[str, float]
    rate: float


def measure_machine(weights: Mapping[str, int]) -> Machine:
    """Measure one core, in a process that has one BLAS thread.

    Parameters
    ----------
    weights : mapping of str to int
        Precision -> size of the weights in bytes, which is the size of the array to read.

    Returns
    -------
    Machine
        Name, versions and results.

    Raises
    ------
    VRNNEngineError
        The process failed.
    """
    from vrnn_engine.runtime.graph.ort import ort  # not at the top: the measuring process does not need it

    *bandwidths, rate = map(float, run_python(_MEASURE, *map(str, weights.values())).split())
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        numpy=np.__version__,
        onnxruntime=ort.__version__,
        bandwidth=dict(zip(weights, bandwidths, strict=True)),
        rate=rate,
    )


def reading(size: int) -> Callable[[], object]:
    """Return a function that reads an array once, in order.

    Parameters
    ----------
    size : int
        Size of the array in bytes.
    """
    return np.ones(size // 4, np.float32).max


def product(rows: int, inputs: int, outputs: int) -> Callable[[], object]:
    """Return a function that multiplies two matrices in fp32.

    Parameters
    ----------
    rows, inputs, outputs : int
        The shapes are [rows, inputs] and [inputs, outputs].
    """
    x, weights = np.ones((rows, inputs), np.float32), np.ones((inputs, outputs), np.float32)
    y = np.empty((rows, outputs), np.float32)
    return lambda: np.matmul(x, weights, out=y)


def best(call: Callable[[], object], seconds: float = 0.5) -> float:
    """Return the shortest duration of a call, in seconds.

    Parameters
    ----------
    call : callable
        Function to call without arguments.
    seconds : float
        Seconds for which to repeat the call.
    """
    shortest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        call()
        shortest = min(shortest, time.perf_counter() - began)
    return shortest


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
