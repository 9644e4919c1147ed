"""Messages of errors about files that cannot be read or written."""

import os
from pathlib import Path
from typing import TypeVar

from vrnn_engine.errors import SinkError, VRNNEngineError

Error = TypeVar("Error", bound=VRNNEngineError)


def write_error(
    path: str | os.PathLike[str], error: Exception, error_class: type[VRNNEngineError] = SinkError
) -> VRNNEngineError:
    """Return the error that says why a path cannot be written, and what to do.

    Parameters
    ----------
    path : str or path
        The file to be written, as the user gave it.
    error : Exception
        The error: an `OSError`, or an error of the library that writes.
    error_class : type
        Class of the error returned.
    """
    target = os.fspath(path)
    if isinstance(error, BrokenPipeError):
        return error_class(f"{target}: the program reading it closed the pipe")
    if isinstance(error, FileNotFoundError):
        folder = Path(os.path.realpath(target)).parent
        if folder.is_dir():  # of a file system such as /proc
            return error_class(f"cannot write {target}: no file can be made in {folder}; choose another folder")
        return error_class(f"cannot write {target}: there is no folder {folder}; make it first")
    if isinstance(error, PermissionError):
        return error_class(f"cannot write {target}: {reason(error)}; choose a place you may write to")
    return error_class(f"cannot write {target}: {reason(error)}")


def read_error(path: str | os.PathLike[str], error: Exception, error_class: type[Error]) -> Error:
    """Return the error that says why a file cannot be read.

    Parameters
    ----------
    path : str or path
        The file, as the user gave it.
    error : Exception
        The error: an `OSError`, or a `ValueError` for a path that no file can have.
    error_class : type
        Class of the error returned.
    """
    return error_class(f"{os.fspath(path)}: cannot be read: {reason(error)}")


def newer_error(where: str | os.PathLike[str], version: int, error_class: type[Error]) -> Error:
    """Return the error that says that a later version of this package wrote a file.

    Parameters
    ----------
    where : str or path
        The file, or a line of it.
    version : int
        Version of its format.
    error_class : type
        Class of the error returned.
    """
    return error_class(f"{os.fspath(where)}: version {version} is newer than this vrnn-engine understands")


def reason(error: Exception) -> str:
    """Return what went wrong, without names of files and objects.

    Parameters
    ----------
    error : Exception
        An `OSError`, an error of soundfile, whose message begins with the Python object that it opened, or any other.
    """
    return getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)
