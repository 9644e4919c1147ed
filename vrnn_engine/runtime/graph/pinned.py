"""Pins arrays in memory, so that a GPU copies from and to them directly and not through a buffer of CUDA's own.

numpy makes the arrays; the CUDA runtime that onnxruntime uses pins them until they are collected.
"""

import ctypes
import functools
import os
import sys
import weakref
from typing import Any

import numpy as np

VERSIONS = (13, 12)
"""Versions of the CUDA runtime that onnxruntime may have loaded, the newest first."""
LOADED = getattr(os, "RTLD_NOLOAD", 0) | getattr(os, "RTLD_NOW", 0)
"""Flags to open a library only if onnxruntime has loaded it. Windows finds loaded libraries by their name alone."""
STAGED = 1 << 16
"""Largest array, in bytes, that CUDA copies from the host through its own buffer without waiting (CUDA Runtime API,
"API synchronization behavior"). Pinning gains nothing there, and small arrays share pages, which can be pinned once."""

_PORTABLE = 1  # cudaHostRegisterPortable: for every context of the process


@functools.cache
def cuda_runtime() -> Any:
    """Return the CUDA runtime that is loaded in this process, or None."""
    name = "cudart64_{}.dll" if sys.platform == "win32" else "libcudart.so.{}"
    for version in VERSIONS:
        try:
            return ctypes.CDLL(name.format(version), LOADED)
        except OSError:
            continue
    return None


def pin(array: np.ndarray, gpu: int) -> bool:
    """Pin the memory of an array until the array is collected.

    Parameters
    ----------
    array : array
        Contiguous, and not a view.
    gpu : int
        Index of the GPU that copies it.

    Returns
    -------
    bool
        Whether the array is pinned. If it is not, its copies still work, but are slower.
    """
    cuda = cuda_runtime() if array.nbytes > STAGED else None
    if cuda is None:
        return False
    start = ctypes.c_void_p(array.ctypes.data)
    if cuda.cudaSetDevice(gpu) or cuda.cudaHostRegister(start, ctypes.c_size_t(array.nbytes), _PORTABLE):
        cuda.cudaGetLastError()  # clears the error, or CUDA reports it to the next caller
        return False
    weakref.finalize(array, cuda.cudaHostUnregister, start).atexit = False
    return True
