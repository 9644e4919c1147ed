"""Runs a block of code with denormal floats flushed to zero, and leaves the thread as it was.

A decaying recurrence drifts into denormals, which are tens of times slower on x86.  onnxruntime's
`session.set_denormal_as_zero` sets the flag once a process, in the thread that makes the very first
session: another thread's frames would then differ in their last bits, and the flag would stay on in
the thread of the host.  Here it is set around each step, in whichever thread takes it.
"""

import ctypes
import platform
import sys
from types import TracebackType
from typing import Any

_MXCSR_OFFSET = 28  # fenv_t on x86-64 Linux: 28 bytes of x87 environment, then MXCSR
_FLUSH = 0x8040  # MXCSR: flush results to zero (bit 15), take inputs as zero (bit 6)


class flush_denormals:  # noqa: N801 - a context manager, used as a word
    """Context manager; does nothing where it does not know the processor and system.

    About 2 microseconds a use.  There, onnxruntime's own option is the next best thing.
    """

    def __enter__(self) -> None:
        if _libm is not None:
            self._saved = _Environment()
            _libm.fegetenv(self._saved)
            _libm.fesetenv(_flushing)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if _libm is not None:
            _libm.fesetenv(self._saved)


def _load() -> Any:
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        return None
    try:
        libm = ctypes.CDLL("libm.so.6")
        return libm if libm.fegetenv and libm.fesetenv else None
    except (OSError, AttributeError):  # not glibc
        return None


_Environment = ctypes.c_uint32 * 8
_libm = _load()
_flushing = _Environment()
if _libm is not None:
    _libm.fegetenv(_flushing)
    _flushing[_MXCSR_OFFSET // 4] |= _FLUSH
