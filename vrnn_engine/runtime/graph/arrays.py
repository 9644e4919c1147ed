"""Named arrays: their type, the memory (host or GPU) in which onnxruntime keeps them, and how far two are apart."""

from collections.abc import Mapping, Sequence

import numpy as np

Arrays = Mapping[str, np.ndarray]
"""float32 arrays by name."""
Location = tuple[str, int]
"""The memory of a device, as onnxruntime names it: the kind of device, and its index."""

HOST: Location = ("cpu", 0)
"""Host memory, the only memory that numpy can access."""


def rms_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the RMS of the difference of two arrays, relative to the RMS of `expected`.

    Parameters
    ----------
    found, expected : ndarray
        Arrays of one shape.
    """
    return float(np.sqrt(np.mean(np.square(found - expected)) / max(np.mean(np.square(expected)), 1e-30)))


def name_not_finite(arrays: Sequence[tuple[str, np.ndarray]]) -> str | None:
    """Return the name of the first array that has a NaN or an infinity; None if there is no such array.

    Parameters
    ----------
    arrays : sequence of (str, ndarray)
        One array or more, each with its name.
    """
    # One check of all values takes a third of the time of a check of each array.
    if np.isfinite(np.concatenate([values.ravel() for _, values in arrays])).all():
        return None
    return next(name for name, values in arrays if not np.isfinite(values).all())


def relative_difference(name: str, found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference of two arrays, relative to the largest magnitude of `expected`.

    Quantities in nats are compared with at least one nat: a KL near zero is the difference of large numbers, so its
    last bits are noise.

    Parameters
    ----------
    name : str
        Name of the array.  One that ends in `kl` or `log_likelihood` is in nats.
    found, expected : ndarray
        The arrays to compare.

    Returns
    -------
    float
        Infinity if the shapes differ, or if `found` has a NaN or an infinity.
    """
    if found.shape != expected.shape:
        return float("inf")
    if not np.isfinite(found).all():
        return float("inf")
    in_nats = name.endswith(("kl", "log_likelihood"))
    scale = max(float(np.abs(expected).max()), 1.0 if in_nats else 0.0) or 1.0
    difference = float(np.abs(found.astype(np.float64) - expected).max()) / scale
    return difference if np.isfinite(difference) else float("inf")
