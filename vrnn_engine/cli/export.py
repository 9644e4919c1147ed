"""`vrnn-engine export`: turn a checkpoint into a voice."""

from pathlib import Path
from typing import Annotated

import typer

from vrnn_engine.cli import report
from vrnn_engine.cli.stream import parse_setting


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CKPT.pt", help="Written by `vrnn-engine train`.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The voice's folder.  Default: ./NAME.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Give a control another default; may be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The voice's name.  Default: the recipe's.")] = None,
    half_weights: Annotated[
        bool, typer.Option("--half-weights", help="Round the weights to half precision: half the size.")
    ] = False,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What the step is carried in beside fp32: fp16 (for CUDA), int8 or int4; may be repeated.",
        ),
    ] = None,
) -> None:
    """Export a checkpoint as a voice, after comparing its graphs with PyTorch."""
    values = [parse_setting(setting) for setting in settings or ()]
    defaults = {control: value for control, value in values if not isinstance(value, list)}
    if len(defaults) != len(values):
        raise typer.BadParameter("a default is one number, and a control has one", param_hint="--set")
    # Both first: a missing extra is then named before anything is read.
    import onnx  # noqa: F401
    import torch  # noqa: F401

    from vrnn_engine.exporters.export import export as write
    from vrnn_engine.exporters.quantise import BITS

    few = [one for one in BITS if one in (precision or ())]
    if unknown := set(precision or ()) - {"fp32", *BITS}:
        raise typer.BadParameter(f"{min(unknown)!r} is none of fp32, {', '.join(BITS)}", param_hint="--precision")
    done = write(checkpoint, out, name, defaults, half_weights, few)
    report.say(f"{done.frames} frames agree with PyTorch, to {done.difference:.1e} of an output's largest value")
    for moved in done.moved:
        report.say(
            f"{moved.precision}: frames move by {moved.frame:.1%} of their size, the bound by {moved.bound:+.3f} nats "
            f"a frame, a free run's levels by up to {moved.levels:.1f} dB"
        )
    report.say(
        f"voice {done.voice.name!r} written to {done.voice.path}; next: vrnn-engine stream --voice {done.voice.path}"
    )
