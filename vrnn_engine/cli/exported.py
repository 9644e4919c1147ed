"""Exports a checkpoint to a temporary voice, for commands that accept a voice or a checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def as_voice(where: str) -> Iterator[str]:
    """Yield a voice that `Engine.load` can load.

    Parameters
    ----------
    where : str
        A voice, or a checkpoint ending in .pt.  A checkpoint is exported to a temporary folder, which is removed at the
        end of the block.
    """
    if not where.endswith(".pt"):
        yield where
        return
    # Imported first, so that a missing extra is reported before any file is read.
    import onnx  # noqa: F401
    import torch  # noqa: F401

    from vrnn_engine.base.atomic.scratch import ScratchFolder
    from vrnn_engine.exporters.export import export

    with ScratchFolder() as folder:
        yield str(export(Path(where), Path(folder) / "voice").voice.path)
