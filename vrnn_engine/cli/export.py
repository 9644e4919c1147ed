"""`vrnn-engine export`: converts a checkpoint to a voice, or a voice to one of this version or to a model of Triton."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from vrnn_engine.cli import report
from vrnn_engine.cli.run import parse_setting


def export(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CKPT.pt|VOICE",
            help="Checkpoint written by `vrnn-engine train`; or a voice (name, folder or .zip), to export its model "
            "again with the graphs of this version, or as it is with --triton.",
        ),
    ],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the voice.  Default: ./NAME.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change the default of a control; repeatable."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the voice.  Default: that of the recipe or voice."),
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
    triton: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Add the voice to this model repository of NVIDIA Triton, in the precision of --precision or else in "
            "its first one.  A voice that exists needs no checkpoint: give its name, folder or .zip.",
        ),
    ] = None,
) -> None:
    """Write a checkpoint as a voice, or a voice again or for Triton.

    Compares the graphs with PyTorch first, and writes nothing if they differ.
    """
    if triton and len(precision or ()) > 1:
        raise typer.BadParameter("a model of Triton has one precision", param_hint="--precision")
    if triton and not source.endswith(".pt"):
        if out or settings or name or half_weights:
            raise typer.BadParameter(
                f"{source!r} is a voice, which stays as it is with --triton; leave out --out, --set, --name and "
                "--half-weights",
                param_hint="--triton",
            )
        return _add_to_repository(source, triton, precision)
    written = _export(source, out, settings, name, half_weights, precision)
    return _add_to_repository(written, triton, precision) if triton else None


def _export(
    source: str,
    out: Path | None,
    settings: list[str] | None,
    name: str | None,
    half_weights: bool,
    precision: list[str] | None,
) -> Path:
    """Write a voice, say how exact it is, and return its folder."""
    values = [parse_setting(setting) for setting in settings or ()]
    defaults = {control: value for control, value in values if not isinstance(value, list)}
    if len(defaults) != len(values):
        raise typer.BadParameter("a control has one default, which is one number", param_hint="--set")
    # Imported first, so that a missing extra is reported before any file is read.
    import onnx  # noqa: F401
    import torch  # noqa: F401

    from vrnn_engine.exporters.export import export
    from vrnn_engine.exporters.precision.quantise import BITS
    from vrnn_engine.exporters.training_file import is_checkpoint
    from vrnn_engine.runtime.voice.voice import Voice

    reduced = [one for one in BITS if one in (precision or ())]
    if unknown := set(precision or ()) - {"fp32", *BITS}:
        raise typer.BadParameter(f"{min(unknown)!r} is not one of fp32, {', '.join(BITS)}", param_hint="--precision")
    given = Path(source) if is_checkpoint(source) else Voice.open(source)
    done = export(given, out, name, defaults, half_weights, reduced)
    report.say(
        f"all outputs of {done.frames} frames agree with PyTorch: the largest difference is {done.difference:.1e} of "
        "an output's largest value"
    )
    for found in done.deviations:
        report.say(
            f"{found.precision}: frames change by {found.frame:.1%} of their size, the bound by {found.bound:+.3f} "
            f"nats per frame, the levels of free-running streams by up to {found.levels:.1f} dB"
        )
    path = done.voice.path
    # A bare name may be that of a bundled or an installed voice.
    given_as = shlex.quote(str(path) if path.is_absolute() or len(path.parts) > 1 else f"./{path}")
    report.say(f"voice {done.voice.name!r} written to {path}; next: vrnn-engine stream --voice {given_as}")
    return done.voice.path


def _add_to_repository(where: str | Path, repository: Path, precision: list[str] | None) -> None:
    """Add a voice to a model repository of Triton, and say how to serve it."""
    from vrnn_engine.runtime.voice.voice import Voice
    from vrnn_engine.serve.triton import write_repository

    folder = write_repository(Voice.open(where), repository, precision[0] if precision else None)
    report.say(f"model written to {folder}; next: tritonserver --model-repository={repository.absolute()}")
