"""`vrnn-engine export`: converts a checkpoint to a voice."""

from pathlib import Path
from typing import Annotated

import typer

from vrnn_engine.cli import report
from vrnn_engine.cli.run import parse_setting


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CKPT.pt", help="Checkpoint written by `vrnn-engine train`.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the voice.  Default: ./NAME.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change the default of a control; repeatable."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the voice.  Default: the recipe's name.")
    ] = None,
    half_weights: Annotated[
        bool, typer.Option("--half-weights", help="Round the weights to half precision, which halves the file.")
    ] = False,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Add a graph of this precision to the fp32 one: fp16 (for CUDA), int8 or int4; repeatable.",
        ),
    ] = None,
) -> None:
    """Convert a checkpoint to a voice.

    Compares the graphs with PyTorch first, and writes nothing if they differ.
    """
    values = [parse_setting(setting) for setting in settings or ()]
    defaults = {control: value for control, value in values if not isinstance(value, list)}
    if len(defaults) != len(values):
        raise typer.BadParameter("a control has one default, which is one number", param_hint="--set")
    # Imported first, so that a missing extra is reported before any file is read.
    import onnx  # noqa: F401
    import torch  # noqa: F401

    from vrnn_engine.exporters.export import export as write
    from vrnn_engine.exporters.precision.quantise import BITS

    reduced = [one for one in BITS if one in (precision or ())]
    if unknown := set(precision or ()) - {"fp32", *BITS}:
        raise typer.BadParameter(f"{min(unknown)!r} is not one of fp32, {', '.join(BITS)}", param_hint="--precision")
    done = write(checkpoint, out, name, defaults, half_weights, reduced)
    report.say(
        f"all outputs of {done.frames} frames agree with PyTorch: the largest difference is {done.difference:.1e} of "
        "an output's largest value"
    )
    for found in done.deviations:
        report.say(
            f"{found.precision}: frames change by {found.frame:.1%} of their size, the bound by {found.bound:+.3f} "
            f"nats per frame, the levels of free-running streams by up to {found.levels:.1f} dB"
        )
    report.say(
        f"voice {done.voice.name!r} written to {done.voice.path}; next: vrnn-engine stream --voice {done.voice.path}"
    )
