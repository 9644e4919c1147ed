"""Whether the memory suffices: asked before much of it is taken, and said in one line where it did not.

Linux takes the life of a process that wrote to more memory than there is, long after it was promised.  So
what can be reckoned is reckoned first, and held against what the machine has.
"""

import csv
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort

from vrnn_engine.errors import StreamError

SMALL = 64 * 2**20
"""Bytes of frames that are made unasked: to ask takes as long as a small step."""
MANY = 256
"""Rows from which on what onnxruntime takes is asked for; fewer have room where the voice has."""

_FAILED = ("Failed to allocate memory", "bad_alloc", "bad allocation", "out of memory", "ALLOC_FAILED")
"""What onnxruntime says, on the CPU, of its C++ library, of CUDA and cuBLAS; it raises no error of its own for it."""


def available() -> int | None:
    """Return the bytes that this machine could still give without swapping; None where it does not say.

    Of the whole machine: a limit of this process alone, or of its container, is met only when it is reached.
    """
    try:
        with open("/proc/meminfo") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None


def require(need: int, what: str) -> None:
    """Raise `StreamError` if the machine has not so many bytes for `what`, e.g. `a batch with rows=900`."""
    if (there := available()) is not None and need > there:
        raise shortage(need, what)


def shortage(need: int, what: str) -> StreamError:
    """Return the error that says so."""
    there = available()
    known = "more than there is" if there is None else f"and {_size(there)} are available"
    return StreamError(f"{what} needs about {_size(need)} of memory, {known}; use fewer rows, or read fewer frames")


def gpu_shortage(what: str) -> StreamError:
    """Return the same of a GPU, of whose memory nothing is known."""
    return StreamError(f"{what} needs more GPU memory than is left; use fewer rows, or the device cpu")


def exhausted(error: Exception) -> bool:
    """Whether an error of numpy or onnxruntime is one of memory that could not be had."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _FAILED)


def intermediates(model: str, options: ort.SessionOptions, rows: int = 8) -> int:
    """Return about the bytes a row that onnxruntime takes, on the CPU, for what it computes on the way.

    It tells only a session that was made to ask: the sizes of all results of a step.  It uses some of that
    memory twice, and takes more than it uses; of the bundled voices it took two thirds and four thirds of this.
    """
    options.enable_mem_pattern = False  # as onnxruntime's documentation asks for
    # The weights stay in their file, which is mapped, not copied.
    options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        with tempfile.TemporaryDirectory() as folder:
            told = Path(folder) / "sizes.csv"
            options.add_session_config_entry("session.collect_node_memory_stats_to_file", str(told))
            session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            session.run(None, {one.name: np.zeros((rows, *one.shape[1:]), np.float32) for one in session.get_inputs()})
            del session  # only now is the file whole
            with told.open() as file:
                return sum(int(node["total_dynamic_sizes"]) for node in csv.DictReader(file)) // rows
    except OSError:  # nowhere to write it: then it stays unknown
        return 0


def _size(number: int) -> str:
    return f"{number / 2**30:.1f} GiB" if number >= 2**30 else f"{number / 2**20:.0f} MiB"
