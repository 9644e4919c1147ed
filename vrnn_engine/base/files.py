"""Writes files atomically: a file gets its final name when it is complete, or not at all.

Data is written to a hidden temporary file in the same folder, which is then renamed.  A reader never sees a
half-written file, and after an error, a full disk or a killed process an earlier file of that name is unchanged.  The
content is on the disk before the file is renamed, so that this is also true after a power failure.  If the file cannot
be renamed, because the path is a mount point, its content is copied there once it is complete.

A writer locks its temporary file.  The next process that writes the same path finds those that killed processes have
left: it removes them, or gives them a visible name if they may be worth keeping.
"""

import contextlib
import io
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from vrnn_engine.base.atomic.durable import sync_file, sync_folder
from vrnn_engine.base.atomic.leftovers import offer_back, remove_leftovers_once
from vrnn_engine.base.atomic.locks import lock_held
from vrnn_engine.base.atomic.partial import new_partial_file
from vrnn_engine.base.file_errors import write_error
from vrnn_engine.base.file_kinds import copy_in_place, non_file_kind
from vrnn_engine.errors import SinkError, VRNNEngineError


class AtomicFile(io.RawIOBase):
    """A file that is written under a temporary name, and renamed to its path by `commit`.

    As a context manager, it commits at the end of the block, and aborts if the block raises.

    Writing is unbuffered, so that the write that fills the disk is the one that fails.  The first `OSError` of a write
    is kept in `failure`, because libraries that write through this object (libsndfile, torch) lose the exception.

    Parameters
    ----------
    path : str or path
        The final path.  A symbolic link is followed, and stays a link.
    error_class : type
        Class of the errors raised when the file cannot be written.
    take : bool
        Whether an incomplete file is worth keeping, e.g. a recording: what a killed process has written of it gets a
        visible name.  Otherwise it is removed.
    durable : bool
        Whether `commit` waits until the content is on the disk.

    Attributes
    ----------
    path : Path
        The final path, resolved.
    failure : OSError or None
        The first error of a write.

    Raises
    ------
    VRNNEngineError
        Of class `error_class`: the file cannot be created, or the path names a folder, a pipe or a device.

    See Also
    --------
    write_atomically : Write a whole file in one call.
    vrnn_engine.base.atomic_folder.atomic_folder : The same for a folder.

    Examples
    --------
    >>> with AtomicFile("notes.txt") as file:
    ...     file.append(b"hello")
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        error_class: type[VRNNEngineError] = SinkError,
        *,
        take: bool = False,
        durable: bool = True,
    ) -> None:
        self.path = Path(os.path.realpath(path))
        self.failure: OSError | None = None
        self._error_class = error_class
        self._durable = durable
        self._complete = False
        _require_file(path, error_class)
        if take:
            offer_back(self.path)
        else:
            remove_leftovers_once(self.path)
        try:
            self._temporary, descriptor = new_partial_file(self.path)
        except OSError as error:
            raise write_error(path, error, error_class) from error
        self._file = io.FileIO(descriptor, "r+b")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()

    def readable(self) -> bool:
        """Return True: libsndfile reads its header back."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True: libsndfile completes its header at the end."""
        return True

    def readinto(self, buffer) -> int | None:  # type: ignore[no-untyped-def]
        """Read bytes into a buffer.

        Parameters
        ----------
        buffer : writable buffer
            Where the bytes go.

        Returns
        -------
        int
            Number of bytes read; 0 at the end of the file.
        """
        return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position.

        Parameters
        ----------
        offset, whence : int
            Bytes, and what they are relative to, as for `io.RawIOBase.seek`.

        Returns
        -------
        int
            The new position in bytes.
        """
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._file.tell()

    def write(self, data) -> int:  # type: ignore[no-untyped-def]
        """Write all data, without raising an error.

        Parameters
        ----------
        data : bytes-like
            What to write.

        Returns
        -------
        int
            Number of bytes written: all of them, or 0 if this or an earlier write failed.  `failure` is then the error.
        """
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view) and self.failure is None:
                done += self._file.write(view[done:])
        except OSError as error:
            self.failure = error
        return done if self.failure is None else 0

    def append(self, data: bytes) -> None:
        """Write all data.

        Parameters
        ----------
        data : bytes
            What to write.

        Raises
        ------
        VRNNEngineError
            Of class `error_class`: this or an earlier write failed.
        """
        self.write(data)
        self.check()

    def check(self) -> None:
        """Raise an error of `error_class` if a write has failed."""
        if self.failure is not None:
            raise write_error(self.path, self.failure, self._error_class) from self.failure

    def commit(self) -> None:
        """Close the file and rename it to its path.

        Raises
        ------
        VRNNEngineError
            Of class `error_class`: a write has failed, or the file cannot be closed; the temporary file is removed.
            Or the file can neither be renamed nor copied; the message says where the complete file is.
        """
        with lock_held(self._file):  # otherwise another writer could take the closed file for abandoned
            self._close()
            try:
                self._temporary.replace(self.path)
            except OSError as error:
                self._complete = True  # the temporary file is now the only complete copy: `abort` must not remove it
                self._copy(error)
        if self._durable:
            sync_folder(self.path.parent)

    def abort(self) -> None:
        """Close the temporary file and remove it; an earlier file at the path stays."""
        with lock_held(self._file):
            with contextlib.suppress(OSError):  # the content is discarded anyway
                self._file.close()
            if not self._complete:
                self._temporary.unlink(missing_ok=True)

    def _close(self) -> None:
        """Close the complete file; abort and raise an error if a write has failed or the file cannot be closed."""
        try:
            if self._durable and self.failure is None:
                sync_file(self._file.fileno())
            self._file.close()
            self.check()
        except OSError as error:
            self.abort()
            raise write_error(self.path, error, self._error_class) from error
        except VRNNEngineError:
            self.abort()
            raise

    def _copy(self, reason: OSError) -> None:
        """Copy the complete temporary file to its path, because it cannot be renamed."""
        try:
            copy_in_place(self._temporary, self.path)
        except OSError:
            error = write_error(self.path, reason, self._error_class)
            where = f"; the complete file is {self._temporary}" if self._temporary.exists() else ""
            raise self._error_class(f"{error}{where}") from reason
        self._temporary.unlink(missing_ok=True)


def write_atomically(
    path: str | os.PathLike[str],
    data: bytes,
    error_class: type[VRNNEngineError] = SinkError,
    *,
    parents: bool = False,
    durable: bool = True,
) -> None:
    """Write a whole file in one call; an earlier file of that name is replaced.

    Parameters
    ----------
    path : str or path
        Where to write.
    data : bytes
        The content.
    error_class : type
        Class of the errors raised.
    parents : bool
        Create missing parent folders.
    durable : bool
        As for `AtomicFile`.

    Raises
    ------
    VRNNEngineError
        Of class `error_class`: the file cannot be written.
    """
    if parents:
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(path, error, error_class) from error
    with AtomicFile(path, error_class, durable=durable) as file:
        file.append(data)


def _require_file(path: str | os.PathLike[str], error_class: type[VRNNEngineError]) -> None:
    """Raise an error if writing a file at a path would replace a folder, a pipe or a device."""
    with contextlib.suppress(OSError):  # the path does not exist, or opening the file will report the error
        kind = non_file_kind(path)
        if kind == "a folder":
            raise error_class(f"{path} is a folder; name a file in it")
        if kind is not None:
            raise error_class(f"{path} is {kind}, which a file would replace; name a file")
