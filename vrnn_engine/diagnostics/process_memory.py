"""Tells how much memory this process has and has had.  Run inside the processes that `bench` measures."""

import sys
from pathlib import Path


def peak_memory() -> int | None:
    """Return the largest resident memory of this process so far, in bytes; None where the system does not tell."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    # psutil does not tell it on Linux, and getrusage gives the maximum of this process and the one that started it.
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)


def resident_memory() -> int:
    """Return the resident memory of this process in bytes."""
    import psutil

    return int(psutil.Process().memory_info().rss)
