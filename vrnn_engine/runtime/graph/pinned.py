"""Pinned memory: arrays that a GPU copies from and to where they lie, and not by way of a buffer of CUDA's own.

numpy makes the arrays, and the CUDA runtime that onnxruntime uses pins them until they are collected.
"""

import ctypes
import functools
import os
import sys
import weakref
from typing import Any

import numpy as np

VERSIONS = (13, 12)
LOADED = getattr(os, "RTLD_NOLOAD", 0) | getattr(os, "RTLD_NOW", 0)
"""Not another one than onnxruntime has loaded; Windows knows loaded libraries by name alone."""
STAGED = 1 << 16
"""Bytes up to which a copy from the host is put in CUDA's own buffer and not waited for (CUDA Runtime API, "API
synchronization behavior").  Such arrays share pages with others besides, which are pinned once."""

_PORTABLE = 1  # cudaHostRegisterPortable: for every context of the process


@functools.cache
def cuda_runtime() -> Any:
    """Return the CUDA runtime, or None where there is none."""
    name = "cudart64_{}.dll" if sys.platform == "win32" else "libcudart.so.{}"
    for version in VERSIONS:
        try:
            return ctypes.CDLL(name.format(version), LOADED)
        except OSError:
            continue
    return None


def pin(array: np.ndarray, gpu: int) -> bool:
    """Pin what an array lies in until it is collected; say whether it is, for one that is not is only slower.

    Parameters
    ----------
    array : array
        Contiguous, and no view.
    gpu : int
        The number of the GPU that is to copy it.
    """
    cuda = cuda_runtime() if array.nbytes > STAGED else None
    if cuda is None:
        return False
    start = ctypes.c_void_p(array.ctypes.data)
    if cuda.cudaSetDevice(gpu) or cuda.cudaHostRegister(start, ctypes.c_size_t(array.nbytes), _PORTABLE):
        cuda.cudaGetLastError()  # it would be told to whoever asks next
        return False
    weakref.finalize(array, cuda.cudaHostUnregister, start).atexit = False
    return True
