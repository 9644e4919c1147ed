"""The memory that a part of a test takes at its peak."""

import resource
import sys
from pathlib import Path

CLEAR = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def begin_peak() -> int:
    """Forget the earlier peak of this process, and return the bytes that it has now.

    Where a system cannot forget it (it needs Linux), the earlier peak is returned.
    """
    if CLEAR.exists():
        CLEAR.write_text("5")  # man 5 proc: resets the peak resident set size
    return peak_bytes()


def peak_bytes() -> int:
    """Return the largest resident memory of this process since `begin_peak`."""
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
