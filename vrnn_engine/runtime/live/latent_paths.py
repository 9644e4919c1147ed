"""The paths that latents went, to go them again: kept under a name, in a file, or those of a recording."""

import os
from pathlib import Path

import numpy as np

from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.runtime.live.saved import PATH, Moments


def is_recording(path: str, moments: Moments) -> bool:
    """Whether a path has to be listened to, which takes a while."""
    return Path(path).suffix != PATH and path not in moments.names(PATH)


def find_path(path: str, moments: Moments, engine: Engine) -> np.ndarray:
    """Return the latents of a path, float32 `[T, Z]`.

    Parameters
    ----------
    path : str
        The name of a kept one, else a file: .npy, or a recording that the voice listens to, from silence on, with the
        noise of seed 0.
    moments : Moments
        Where paths are kept.
    engine : Engine
        Whose latents they are.

    Raises
    ------
    StreamError
        There is none, or it does not fit the voice.
    RecordingError
        The recording cannot be read.
    """
    if path in moments.names(PATH):
        return _read(moments.path(path, PATH), engine)
    if not os.path.isfile(path):  # of pathlib's, a name that is too long is an error
        hint = suggest(path, moments.names(PATH), "there are")
        raise StreamError(f"no path {path!r} in {moments.folder}{hint}, and no such file")
    if Path(path).suffix == PATH:
        return _read(path, engine)
    with engine.stream(0) as listener:
        return listener.prime(path).latents


def _read(path: str | os.PathLike[str], engine: Engine) -> np.ndarray:
    """Return the latents in a file of numpy's."""
    (size,) = engine.step.latent_shape
    try:
        latents = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise StreamError(f"{path}: cannot be read as a path: {error}") from None
    return check_path(latents, size, str(path))


def check_path(latents: np.ndarray, size: int, where: str) -> np.ndarray:
    """Return latents as float32, if they are a path of `size` dimensions; raise `StreamError` if not."""
    if not isinstance(latents, np.ndarray):
        raise StreamError(f"{where}: several arrays; a path is one, of numbers [frames, {size}]")
    if latents.dtype.kind not in "iuf" or latents.ndim != 2 or latents.shape[1] != size or not len(latents):
        raise StreamError(
            f"{where}: a path of this voice has numbers [frames, {size}], not {latents.dtype} {list(latents.shape)}"
        )
    with np.errstate(over="ignore"):
        path = latents.astype(np.float32)
    if not np.isfinite(path).all():
        raise StreamError(f"{where}: a path cannot have NaN or infinite numbers")
    return path
