"""Makes .npz files of which the bytes or one array are damaged."""

import io
from collections.abc import Callable
from random import Random

import numpy as np

from support.fuzz.damage import damage_bytes

Arrays = dict[str, np.ndarray]


def npz_bytes(arrays: Arrays, compressed: bool) -> bytes:
    """Return arrays as the content of an .npz file."""
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def damaged_arrays(arrays: Arrays) -> tuple[bytes, Callable[[Random], bytes]]:
    """Return the content of an .npz of arrays, and a maker of damaged ones."""
    whole = [npz_bytes(arrays, False), npz_bytes(arrays, True)]

    def damaged(rng: Random) -> bytes:
        if rng.random() < 0.6:
            return damage_bytes(rng.choice(whole), rng)
        name = rng.choice(sorted(arrays))
        if rng.random() < 0.2:
            return npz_bytes({other: array for other, array in arrays.items() if other != name}, True)
        return npz_bytes({**arrays, name: _damaged(arrays[name], rng)}, True)

    return whole[0], damaged


def _damaged(array: np.ndarray, rng: Random) -> np.ndarray:
    """Return an array of another shape, type or content."""
    text = array.dtype.kind == "U"
    kinds = ("empty", "short", "deep", "object", "text", "nan", "bytes", "huge", "long", "complex", "negative")
    match rng.choice(kinds):
        case "empty":
            return array[:0] if array.ndim else array[np.newaxis][:0]
        case "short":
            return array.reshape(-1)[:1]
        case "deep":
            return array[np.newaxis]
        case "object":
            return np.array([None, {}], object)
        case "text":
            return np.full(array.shape, "text")
        case "nan":
            return np.full(array.shape, np.nan)
        case "bytes":
            return array.astype("S") if not text else array
        case "huge":
            return np.full(array.shape, -1e308)
        case "long":
            return np.zeros((2**18, 3))
        case "complex":
            return np.ones(array.shape, complex)
        case _:
            return np.full(array.shape, -1)
