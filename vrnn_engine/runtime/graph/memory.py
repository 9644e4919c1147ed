"""Checks that a request fits into memory, and recognises out-of-memory errors.

Linux grants more memory than exists.  Its OOM killer later ends a process that writes to more than is free.  So the
engine estimates large requests first and compares them with the available memory.
"""

import contextlib
from pathlib import Path

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.graph.ort import create_session, ort

SMALL = 64 * 2**20
"""Largest request, in bytes, that is not checked: a check takes as long as a small step."""
MANY = 256
"""Smallest number of rows for which onnxruntime's own memory is estimated; for fewer it is small beside the voice."""

_FAILED = ("Failed to allocate memory", "bad_alloc", "bad allocation", "out of memory", "ALLOC_FAILED")
"""Words in onnxruntime's messages when memory runs out (of the CPU, the C++ library, CUDA and cuBLAS).  It has no
exception class of its own for that."""


def available() -> int | None:
    """Return the bytes that the machine can provide without swapping, or None if that is unknown.

    The result ignores limits of this process and of its container.
    """
    # On Linux this avoids psutil, whose import needs memory and fails when memory has already run out.
    with contextlib.suppress(OSError, StopIteration), open("/proc/meminfo") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
    try:
        import psutil

        return int(psutil.virtual_memory().available)
    except (ImportError, MemoryError, OSError, RuntimeError):
        return None


def require(need: int, what: str) -> None:
    """Check that memory is available before it is allocated.

    Parameters
    ----------
    need : int
        Bytes.  Up to `SMALL`, nothing is checked.
    what : str
        What needs them, for the message: e.g. `a batch with rows=900`.

    Raises
    ------
    StreamError
        The machine has less available.
    """
    if need > SMALL and (free := available()) is not None and need > free:
        raise shortage(need, what)


def shortage(need: int, what: str) -> StreamError:
    """Return the error for a lack of memory.

    Parameters
    ----------
    need : int
        Bytes.
    what : str
        What needs them, e.g. `a batch with rows=900`.
    """
    free = available()
    known = "more than is available" if free is None else f"and {_size(free)} are available"
    return StreamError(f"{what} needs about {_size(need)} of memory, {known}; use fewer rows, or read fewer frames")


def gpu_shortage(what: str) -> StreamError:
    """Return the error for a lack of GPU memory; the missing amount is unknown.

    Parameters
    ----------
    what : str
        What needs it, e.g. `a batch with rows=900`.
    """
    return StreamError(f"{what} needs more GPU memory than is left; use fewer rows, or the device cpu")


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory could not be allocated.

    Parameters
    ----------
    error : Exception
        An error of numpy or onnxruntime.
    """
    return isinstance(error, MemoryError) or any(words in str(error) for words in _FAILED)


def intermediate_bytes(model: str, options: ort.SessionOptions, rows: int = 8) -> int:
    """Estimate the memory that onnxruntime takes for intermediate results on the CPU.

    onnxruntime reports the sizes of all results of a step, but only in a session that was created with that option.
    This runs one step of such a session.  The estimate is rough: onnxruntime reuses some of the memory, and allocates
    more than it uses.  For the bundled voices, the true amount was 2/3 and 4/3 of the estimate.

    Parameters
    ----------
    model : str
        Path of the graph, whose inputs must all be float32.
    options : SessionOptions
        Options of the session.  They are changed.
    rows : int
        Batch size of the step.

    Returns
    -------
    int
        Bytes per row; 0 if no temporary file can be written.
    """
    import csv  # here, as these imports would delay the first sound

    from vrnn_engine.base.atomic.scratch import ScratchFolder

    options.enable_mem_pattern = False  # onnxruntime's documentation requires this
    # The weights stay in their file, which is mapped and not copied.
    options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        with ScratchFolder() as folder:
            report = Path(folder) / "sizes.csv"
            options.add_session_config_entry("session.collect_node_memory_stats_to_file", str(report))
            session = create_session(model, options, ["CPUExecutionProvider"])
            session.run(None, {one.name: np.zeros((rows, *one.shape[1:]), np.float32) for one in session.get_inputs()})
            del session  # this completes the file
            with report.open() as file:
                return sum(int(node["total_dynamic_sizes"]) for node in csv.DictReader(file)) // rows
    except OSError:
        return 0


def _size(number: int) -> str:
    return f"{number / 2**30:.1f} GiB" if number >= 2**30 else f"{number / 2**20:.0f} MiB"
