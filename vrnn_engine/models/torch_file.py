"""Writes and reads files of tensors and plain values in the format of torch.  Nothing in a file is executed."""

import warnings
from pathlib import Path
from typing import Any

import torch

from vrnn_engine.base.file_errors import write_error
from vrnn_engine.base.files import AtomicFile
from vrnn_engine.errors import CheckpointError
from vrnn_engine.models.file_checksum import add_checksum, verify_checksum


def save_fields(fields: dict[str, Any], path: Path) -> None:
    """Write a file with a checksum and replace an earlier one; if this fails, the earlier one is unchanged.

    Parameters
    ----------
    fields : dict
        Tensors and plain values by name.
    path : Path
        The file; its folder must exist.

    Raises
    ------
    CheckpointError
        The file cannot be written.
    """
    with AtomicFile(path, CheckpointError) as file:
        try:
            torch.save(fields, file)  # type: ignore[arg-type]  # a raw file is enough
        except RuntimeError as error:
            file.check()  # raises the error of the operating system, which torch does not report
            raise write_error(path, error, CheckpointError) from None
        add_checksum(file)


def load_fields(path: Path) -> Any:
    """Return the content of a file, with its tensors on the CPU; torch raises many kinds of errors for a foreign file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    CheckpointError
        Its checksum is wrong.  A file of an earlier version has none, and is read without this check.
    """
    verify_checksum(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about foreign pickles; the caller's error says enough
        return torch.load(path, map_location="cpu", weights_only=True)
