"""Writes and reads files of tensors and plain values in the format of torch.  Nothing in a file is executed."""

import warnings
from pathlib import Path
from typing import Any

import torch

from vrnn_engine.base.file_errors import write_error
from vrnn_engine.base.files import AtomicFile
from vrnn_engine.errors import CheckpointError
from vrnn_engine.models.file_checksum import add_checksum, verify_checksum


def save_fields(kind: str, fields: dict[str, Any], path: Path) -> None:
    """Write a file with a checksum and replace an earlier one; if this fails, the earlier one is unchanged.

    Parameters
    ----------
    kind : str
        What the file is, such as `checkpoint`; `load_fields` refuses a file of another kind.
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
            torch.save({"magic": _magic(kind), **fields}, file)  # type: ignore[arg-type]  # a raw file is enough
        except RuntimeError as error:
            file.check()  # raises the error of the operating system, which torch does not report
            raise write_error(path, error, CheckpointError) from None
        add_checksum(file)


def load_fields(kind: str, path: Path, remedy: str) -> dict[str, Any]:
    """Return the fields of a file, with its tensors on the CPU.

    Parameters
    ----------
    kind : str
        As that of `save_fields`.
    path : Path
        The file.
    remedy : str
        What to do if there is no such file, for the error message.

    Raises
    ------
    CheckpointError
        The file is missing, truncated or of another kind, or its checksum is wrong.  A file of an earlier version has
        none, and is read without this check.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such {kind}; {remedy}")
    try:
        verify_checksum(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about foreign pickles; the error below says enough
            fields: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        known = fields["magic"] == _magic(kind)
    except CheckpointError:
        raise
    except Exception:  # noqa: BLE001 - torch raises many kinds of errors for a foreign file
        known = False
    if not known:
        raise CheckpointError(f"{path}: not a {kind} of vrnn-engine, or a truncated one; use another copy, or {remedy}")
    return fields


def _magic(kind: str) -> str:
    """Return the value of the first field, which says what a file is."""
    return f"vrnn-engine {kind}"
