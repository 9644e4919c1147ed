"""Runs other processes, and returns their output, their run time or the time to their first byte."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from vrnn_engine.errors import VRNNEngineError

# One BLAS thread.  The libraries read these variables when they are loaded, so they are set before the process starts.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def run_python(code: str, *arguments: str) -> str:
    """Run Python code in a new process that has one BLAS thread.

    Parameters
    ----------
    code : str
        The code.
    *arguments : str
        The arguments that the code finds in `sys.argv[1:]`.

    Returns
    -------
    str
        The standard output of the process.

    Raises
    ------
    VRNNEngineError
        The process failed; the message ends with the end of its standard error.
    """
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment())
    if done.returncode:
        raise _failed(done.stderr)
    return done.stdout


def seconds_to_run(code: str) -> float:
    """Return how long a new process takes to run Python code, in seconds.

    Parameters
    ----------
    code : str
        The code.

    Raises
    ------
    VRNNEngineError
        The process failed.
    """
    began = time.perf_counter()
    run_python(code)
    return time.perf_counter() - began


def seconds_to_first_byte(command: Sequence[str]) -> float:
    """Return the time from the start of a command to the first byte of its standard output.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.  The process has one BLAS thread, and runs to its end.

    Raises
    ------
    VRNNEngineError
        The command failed or wrote nothing; the message ends with the end of its standard error.
    """
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()) as process:
        byte = process.stdout.read(1) if process.stdout else b""
        seconds = time.perf_counter() - began
        errors = process.communicate()[1]
    if not byte or process.returncode:
        raise _failed(errors.decode(errors="replace"))
    return seconds


def _environment() -> dict[str, str]:
    """Return the environment of a measured process: one BLAS thread, and compiled modules that the next one reuses."""
    # pip compiles what it installs.  With this variable, each process would compile the modules of a checkout again.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | dict.fromkeys(_THREADS, "1")


def _failed(errors: str) -> VRNNEngineError:
    return VRNNEngineError(f"a measured process failed: {errors.strip()[-300:]}")
