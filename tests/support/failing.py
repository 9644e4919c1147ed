"""Lets system calls of a process fail with EIO, as those of a broken disk do: a filter that the kernel runs (seccomp).

The filter stays until the process ends, and needs no rights.  Descriptors 0 to 2 are left alone.
"""

import ctypes
import errno
import platform
import struct
import sys

_CALLS = {
    "x86_64": {"write": 1, "pwrite": 18, "writev": 20, "copy": 326, "sendfile": 40, "fsync": 74, "fdatasync": 75},
    "aarch64": {"write": 64, "pwrite": 68, "writev": 66, "copy": 285, "sendfile": 71, "fsync": 82, "fdatasync": 83},
}
FAULTS = {
    "every write": (("write", "pwrite", "writev", "copy", "sendfile"), 0),
    "a large write": (("write", "pwrite"), 1000),
    "fsync": (("fsync", "fdatasync"), 0),
}
"""What fails: the system calls, and the least number of bytes for which they do."""
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER, _FIRST, _THIRD = 0, 16, 32
"""Offsets in `struct seccomp_data`: the system call, the low halves of its first and its third argument."""
_NO_NEW_PRIVILEGES, _SET_FILTER, _FILTER = 38, 22, 2


def missing() -> str:
    """Return why system calls cannot be made to fail here, or an empty string."""
    fits = sys.platform == "linux" and platform.machine() in _CALLS and sys.byteorder == "little"
    return "" if fits else "needs the system calls of Linux on x86-64 or ARM64"


def let_fail(fault: str) -> None:
    """Let one of the `FAULTS` happen from now on, in this process and in those that it starts."""
    names, size = FAULTS[fault]
    numbers = [_CALLS[platform.machine()][name] for name in names]
    program = []
    for number in numbers:
        program += [
            (_LOAD, 0, 0, _NUMBER),
            (_EQUAL, 0, 5, number),
            (_LOAD, 0, 0, _FIRST),
            (_AT_LEAST, 0, 3, 3),
            (_LOAD, 0, 0, _THIRD),
            (_AT_LEAST, 0, 1, size),
            (_RETURN, 0, 0, _ERROR | errno.EIO),
        ]
    program.append((_RETURN, 0, 0, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    whole = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if libc.prctl(_SET_FILTER, _FILTER, whole) != 0:
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")
