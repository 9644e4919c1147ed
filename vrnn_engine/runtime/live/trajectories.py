"""Finds a latent trajectory by name, in a file or in a recording, and checks that it fits the voice."""

import os
from pathlib import Path

import numpy as np

from vrnn_engine.base.reading.arrays import read_npy
from vrnn_engine.base.reading.decoding import one_line
from vrnn_engine.base.reading.limits import MOST_ARRAYS
from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.live.listening_stream import LiveStream
from vrnn_engine.runtime.live.saved import TRAJECTORY, SavedFolder


def is_recording(path: str, saved: SavedFolder) -> bool:
    """Return whether a path names a recording, which must be observed to find its trajectory."""
    return Path(path).suffix != TRAJECTORY and not saved.has_trajectory(path)


def find_trajectory(path: str, saved: SavedFolder, stream: LiveStream) -> np.ndarray:
    """Find a latent trajectory.

    Parameters
    ----------
    path : str
        Name of a saved trajectory, a .npy file, or a recording, which the voice observes from the zero state with the
        noise of seed 0.
    saved : SavedFolder
        Folder of the saved trajectories.
    stream : Stream or ListeningStream
        A stream of the voice. It does not move: another stream of its engine observes the recording.

    Returns
    -------
    float32 array [T, Z]

    Raises
    ------
    StreamError
        There is no such trajectory, or it does not fit the voice.
    RecordingError
        The recording cannot be read.
    """
    if saved.has_trajectory(path):
        return _read(saved.path(path, TRAJECTORY), stream.latent.size)
    if not os.path.isfile(path):  # Path.is_file raises an error if the name is too long
        hint = suggest(path, saved.names(TRAJECTORY), "there are")
        raise StreamError(f"no trajectory {path!r} and no such file{hint} (in {saved.folder})")
    if Path(path).suffix == TRAJECTORY:
        return _read(path, stream.latent.size)
    with stream.open_another(0) as observing:
        return observing.prime(path).latents


def check_trajectory(latents: np.ndarray, size: int, where: str) -> np.ndarray:
    """Check that an array is a trajectory.

    Parameters
    ----------
    latents : array
    size : int
        Dimensions of the voice's latent, Z.
    where : str
        Origin of the array, for messages.

    Returns
    -------
    float32 array [T, Z]

    Raises
    ------
    StreamError
        The array has the wrong shape or type, has no frame, or contains numbers that are not finite.
    """
    if not isinstance(latents, np.ndarray):
        raise StreamError(f"{where}: holds several arrays; a trajectory is one array of numbers, [frames, {size}]")
    if latents.dtype.kind not in "iuf" or latents.ndim != 2 or latents.shape[1] != size or not len(latents):
        raise StreamError(
            f"{where}: a trajectory of this voice is an array of numbers [frames, {size}], "
            f"not {latents.dtype} {list(latents.shape)}"
        )
    with np.errstate(over="ignore"):
        trajectory = latents.astype(np.float32)
    if not np.isfinite(trajectory).all():
        raise StreamError(f"{where}: a trajectory cannot have NaN or infinite numbers")
    return trajectory


def unreadable(where: str, error: Exception) -> StreamError:
    """Return the error that says why something is not a trajectory."""
    return StreamError(f"{where}: cannot be read as a trajectory: {one_line(error)}")


def _read(path: str | os.PathLike[str], size: int) -> np.ndarray:
    """Return the trajectory in a .npy file."""
    try:
        latents = read_npy(path, MOST_ARRAYS)
    except (OSError, ValueError) as error:
        raise unreadable(str(path), error) from None
    return check_trajectory(latents, size, str(path))
