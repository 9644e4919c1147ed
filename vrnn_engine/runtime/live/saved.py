"""Saves states and latent trajectories of a performance under names: in memory at once, on disk soon after.

The file `NAME.moment` holds a saved state, which is a stream's snapshot.  The file `NAME.npy` holds a trajectory, which
is the latent of each frame, float32 `[frames, dimensions]`.
"""

import collections
import functools
import io
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from vrnn_engine.base.file_errors import read_error
from vrnn_engine.base.files import write_atomically
from vrnn_engine.base.folders import check_name, is_name, saved_folder
from vrnn_engine.base.reading.limits import MOST_STATE, read_file
from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import SinkError, StreamError
from vrnn_engine.runtime.live.events import Save, Trace
from vrnn_engine.runtime.live.listening_stream import LiveStream

STATE, TRAJECTORY = ".moment", ".npy"
"""File extensions."""

_KINDS = {STATE: "saved state", TRAJECTORY: "trajectory"}


class SavedFolder:
    """The saved states and trajectories of one voice on disk.

    Parameters
    ----------
    voice : str
        Name of the voice.
    home : path, optional
        Folder that holds a folder for each voice.  Default: `$VRNN_ENGINE_MOMENTS`, else `moments` in the user's data
        folder.

    Raises
    ------
    StreamError
        The voice's name cannot be the name of a folder.
    """

    def __init__(self, voice: str, home: str | os.PathLike[str] | None = None) -> None:
        check_name(voice, "voice", StreamError)
        self._voice, self._home = voice, home

    @functools.cached_property
    def folder(self) -> Path:
        """The voice's own folder; the first write creates it."""
        return Path(self._home or saved_folder()) / self._voice

    def write_state(self, name: str, snapshot: bytes) -> Path:
        """Write a snapshot, and replace an earlier file of that name.

        Parameters
        ----------
        name : str
        snapshot : bytes
            A result of `Stream.snapshot`.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        StreamError
            The name cannot be a file name, or the file cannot be written.
        """
        return self._write(self.path(name), snapshot)

    def write_trajectory(self, name: str, latents: np.ndarray) -> Path:
        """Write a trajectory, [T, Z], in the same way as `write_state`."""
        data = io.BytesIO()
        np.save(data, latents.astype("<f4"), allow_pickle=False)
        return self._write(self.path(name, TRAJECTORY), data.getvalue())

    def read_state(self, name: str) -> bytes:
        """Return the snapshot saved under a name.

        Raises
        ------
        StreamError
            There is no such file, or it cannot be read.
        """
        path = self.path(name)
        try:
            return read_file(path, MOST_STATE)
        except FileNotFoundError:
            hint = suggest(name, self.names(), "there are")
            raise StreamError(f"no saved state {name!r}{hint} (in {self.folder})") from None
        except OSError as error:
            raise read_error(path, error, StreamError) from error

    def names(self, ending: str = STATE) -> list[str]:
        """Return the names of all files with an ending, `STATE` or `TRAJECTORY`, sorted."""
        return sorted(path.name.removesuffix(ending) for path in self.folder.glob(f"*{ending}"))

    def has_trajectory(self, name: str) -> bool:
        """Return whether a trajectory is saved under a name."""
        return is_name(name) and os.path.isfile(self.path(name, TRAJECTORY))  # False if it may not be looked at

    def path(self, name: str, ending: str = STATE) -> Path:
        """Return the file for a name; raise `StreamError` if the name cannot be a file name."""
        check_name(name, _KINDS[ending], StreamError)
        return self.folder / f"{name}{ending}"

    def _write(self, path: Path, data: bytes) -> Path:
        what = f"the {_KINDS[path.suffix]} {path.stem!r}"
        try:
            write_atomically(path, data, parents=True)
        except SinkError as error:
            raise StreamError(f"cannot write {what}: {error}") from error
        return path


class SavedStates:
    """The saved states and trajectories of one performance.

    Any thread may look up states and trajectories.  One background thread writes the files, in the order of the calls,
    so that no frame waits for the disk.

    Parameters
    ----------
    folder : SavedFolder
        The folder from which files are read and to which they are written.
    stream : Stream or ListeningStream
        A stream of the voice to which the states belong.
    """

    def __init__(self, folder: SavedFolder, stream: LiveStream) -> None:
        self.folder = folder
        self._stream = stream
        self._states: dict[str, bytes] = {}
        self._trajectories: dict[str, np.ndarray] = {}
        self._expected: collections.Counter[tuple[type, str]] = collections.Counter()
        self._counting = threading.Lock()
        self._writer = ThreadPoolExecutor(1, "vrnn-engine saved")

    def expect(self, event: Save | Trace) -> None:
        """Count up when an event was sent that has not taken effect yet."""
        with self._counting:
            self._expected[type(event), event.name] += 1

    def fulfil(self, event: Save | Trace) -> None:
        """Count down after such an event has taken effect or failed."""
        with self._counting:
            self._expected[type(event), event.name] -= 1

    def is_expected(self, kind: type[Save] | type[Trace], name: str) -> bool:
        """Return whether an event that has not taken effect yet will save this name, so that it cannot be looked up."""
        return self._expected[kind, name] > 0

    def save_state(self, name: str, snapshot: bytes, failed: Callable[[Exception], None]) -> None:
        """Save a snapshot; call `failed`, in the writing thread, if the file cannot be written."""
        self._states[name] = snapshot
        self._write(self.folder.write_state, name, snapshot, failed)

    def save_trajectory(self, name: str, latents: np.ndarray, failed: Callable[[Exception], None]) -> None:
        """Save a trajectory, [T, Z], in the same way as `save_state`."""
        self._trajectories[name] = latents
        self._write(self.folder.write_trajectory, name, latents, failed)

    def state(self, name: str) -> bytes:
        """Return the snapshot saved under a name; raise `StreamError` if there is none."""
        return self._states.get(name) or self.folder.read_state(name)

    def latent(self, name: str) -> tuple[float, ...]:
        """Return the latent of a saved state, [Z]; raise `StreamError` if the state is missing or has no latent."""
        with self._stream.open_another(0) as stream:
            stream.restore(self.state(name))
            if not stream.latent.any():
                raise StreamError(f"the saved state {name!r} has no latent: it was saved before the first frame")
            return tuple(stream.latent.tolist())

    def trajectory(self, name: str) -> np.ndarray | None:
        """Return the trajectory saved under a name in this performance, [T, Z], or None."""
        return self._trajectories.get(name)

    def close(self) -> None:
        """Wait until all files are written."""
        self._writer.shutdown()

    def _write(self, write: Callable[..., Path], name: str, what: object, failed: Callable[[Exception], None]) -> None:
        def job() -> None:
            try:
                write(name, what)
            except Exception as error:  # noqa: BLE001 - the executor would discard the error
                failed(error)

        self._writer.submit(job)
