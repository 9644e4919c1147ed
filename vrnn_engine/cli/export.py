"""`vrnn-engine export`: turn a checkpoint into a voice."""

from pathlib import Path
from typing import Annotated

import typer

from vrnn_engine.cli import report


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CKPT.pt", help="Written by `vrnn-engine train`.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The voice's folder.  Default: ./NAME.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The voice's name.  Default: the recipe's.")] = None,
) -> None:
    """Export a checkpoint as a voice, after comparing its graphs with PyTorch."""
    # Both first: a missing extra is then named before anything is read.
    import onnx  # noqa: F401
    import torch  # noqa: F401

    from vrnn_engine.exporters.export import export as write

    done = write(checkpoint, out, name)
    report.say(f"{done.frames} frames agree with PyTorch, to {done.difference:.1e} of an output's largest value")
    report.say(
        f"voice {done.voice.name!r} written to {done.voice.path}; next: vrnn-engine stream --voice {done.voice.path}"
    )
