"""A checkpoint as a voice, for verbs that take either."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def as_voice(where: str) -> Iterator[str]:
    """Give the voice to load: a checkpoint is exported for as long as it is needed."""
    if not where.endswith(".pt"):
        yield where
        return
    # Both first: a missing extra is then named before anything is read.
    import onnx  # noqa: F401
    import torch  # noqa: F401

    from vrnn_engine.exporters.export import export

    with tempfile.TemporaryDirectory(prefix="vrnn-engine-") as folder:
        yield str(export(Path(where), Path(folder) / "voice").voice.path)
