"""Reads .npy and .npz files of numbers: shape and type are checked before memory is taken, and nothing is unpickled."""

import io
import math
import os
import warnings
from collections.abc import Collection
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from vrnn_engine.base.reading.decoding import guard_damage
from vrnn_engine.base.reading.limits import read_file, require_file

MOST_HEADER = 10_000
"""Largest number of characters of the header of an array, which numpy parses as Python."""
_PART = 1 << 20
"""Bytes that are read at a time."""
_KINDS = "biufcSU"
"""Types of elements: numbers and text, without objects."""

Arrays = dict[str, np.ndarray]


def read_npy(path: str | os.PathLike[str], most: int) -> np.ndarray:
    """Return the array of a .npy file.

    Parameters
    ----------
    path : str or path
        The file.
    most : int
        Largest size of the file in bytes.

    Raises
    ------
    OSError
        The file cannot be read, or is larger.
    ValueError
        It is not such an array, or it is damaged; the text is one line.
    """
    data = read_file(path, most)
    return guard_damage(lambda: _array(io.BytesIO(data), len(data)))


def read_npz(path: str | os.PathLike[str], most: int, wanted: Collection[str] | None = None) -> Arrays:
    """Return the arrays of an .npz file by name.

    Parameters
    ----------
    path : str or path
        The file.
    most : int
        Largest size of all arrays in bytes.
    wanted : collection of str, optional
        Names of the arrays to read; by default all.  Other members of the file are not looked at.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is not an .npz file, an array is damaged or has objects, or the arrays are larger; the text is one line.
    """
    import zipfile  # here, as its import would delay the first sound

    require_file(path)

    def read() -> Arrays:
        found: Arrays = {}
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            used = {name: entry for name, entry in entries.items() if wanted is None or name in wanted}
            if sum(entry.file_size for entry in used.values()) > most:
                raise ValueError(f"its arrays have more than {most >> 20} MiB")
            for name, entry in used.items():
                with archive.open(entry) as file:
                    found[name] = _array(file, entry.file_size)  # type: ignore[arg-type]
        return found

    return guard_damage(read)


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Return the shape, whether it is in Fortran order, and the type of an array in the format .npy.

    Parameters
    ----------
    file : binary file
        At the beginning of the array; afterwards at its values.

    Raises
    ------
    Exception
        The header is damaged; numpy raises many kinds of errors, which `guard_damage` translates.
    """
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the headers of Python 2
        shape, fortran, dtype = read(file, max_header_size=MOST_HEADER)
    if any(size < 0 for size in shape):
        raise ValueError(f"the shape of an array is {list(shape)}")
    return shape, fortran, dtype


def read_values(file: BinaryIO, size: int, shape: tuple[int, ...], fortran: bool, dtype: np.dtype) -> np.ndarray:
    """Return the values that follow the header of an array.

    Parameters
    ----------
    file : binary file
        Memory is taken while it is read, not for what the header claims.
    size : int
        Largest number of bytes.
    shape, fortran, dtype
        As `read_header` returns them.

    Raises
    ------
    ValueError
        The type is not of numbers or text, or the values are more than `size` bytes or than the file has.
    """
    if dtype.kind not in _KINDS or dtype.hasobject:
        raise ValueError(f"an array has elements of type {dtype}, and only numbers and text are read")
    length = math.prod(shape) * dtype.itemsize
    if length > size:
        raise ValueError(f"an array of shape {list(shape)!s:.60} does not fit into its {size} bytes")
    data = bytearray()
    while len(data) < length and (part := file.read(min(_PART, length - len(data)))):
        data += part
    if len(data) < length:
        raise ValueError("an array is truncated")
    return np.frombuffer(data, dtype, math.prod(shape)).reshape(shape, order="F" if fortran else "C")


def _array(file: BinaryIO, size: int) -> np.ndarray:
    return read_values(file, size, *read_header(file))
