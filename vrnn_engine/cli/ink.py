"""`vrnn-engine ink`: converts ink from other programs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vrnn_engine.base.reading.rates import PEN_RATES
from vrnn_engine.cli import report
from vrnn_engine.cli.guard import guard
from vrnn_engine.cli.kept_files import check_replaced
from vrnn_engine.cli.once import OnceCommand
from vrnn_engine.cli.usage import WrongOption


def ink() -> None:
    """Convert ink of other programs."""


def _points_per_second(help: str) -> Any:
    """Return an option that is a number of points per second."""
    return typer.Option(metavar="HZ", min=PEN_RATES[0], max=PEN_RATES[1], help=help)


def convert(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE... OUT",
            help="Drawings (.svg, .inkml, .csv, .jsonl, or stroke-3 in .npy or .npz), and the file to write "
            "(.npz or .jsonl).",
        ),
    ],
    rate: Annotated[
        float | None,
        _points_per_second(
            "Points per second to write.  Default: those of the file, or else 30, those of the voice handwriting."
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(metavar="MM", min=1e-9, help="Millimetres of one unit.  Default: what the file says."),
    ] = None,
    input_rate: Annotated[
        float | None,
        _points_per_second("Points per second of ink whose file tells neither times nor a rate.  Default: as --rate."),
    ] = None,
    speed: Annotated[
        float, typer.Option(metavar="MM/S", min=0.1, max=10_000, help="Speed of the pen along the outlines of an SVG.")
    ] = 60.0,
    flip: Annotated[bool, typer.Option("--flip", help="In the files, y grows upwards.")] = False,
    writer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who wrote the lines.  Default: the name of each file.")
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="TEXT", help="What the ink says, if it is one line.")] = None,
    texts: Annotated[
        Path | None,
        typer.Option(metavar="FILE.txt", help="Text file with what the ink says, one line for each line of ink."),
    ] = None,
    json: report.AsJson = False,
) -> None:
    """Convert drawings to ink for `train` and `stream --prime`.

    Each drawing becomes one line of ink, in millimetres.
    """
    from vrnn_engine.data.ink.convert import convert as write
    from vrnn_engine.data.ink.convert import read_texts
    from vrnn_engine.data.ink.strokes import Conversion

    if len(files) < 2:
        raise WrongOption("are needed: the files to read, and last the file to write", param_hint="FILE... OUT")
    if text is not None and texts is not None:
        raise WrongOption("cannot be combined with --texts", param_hint="--text")
    for file in files[:-1]:
        check_replaced("OUT", files[-1], {"FILE": file, "--texts": texts})
    said = [text] if text is not None else read_texts(texts) if texts is not None else None
    lines = write(files[:-1], files[-1], Conversion(rate, scale, input_rate, speed, flip), writer, said)
    if json:
        found = [{"id": line.id, "points": len(line.points), "text": line.text, "rate": line.rate} for line in lines]
        report.print_json({"path": str(files[-1]), "lines": found})
        return
    points = sum(len(line.points) for line in lines)
    count = "1 line" if len(lines) == 1 else f"{len(lines):,} lines"
    seconds = sum(len(line.points) / line.rate for line in lines if line.rate)
    rates = sorted({f"{line.rate:.4g}" for line in lines}, key=float)
    at = rates[0] if len(rates) == 1 else f"{rates[0]} to {rates[-1]}"
    report.say(f"{files[-1]}: {count}, {points:,} points, {seconds:.1f} s of ink in mm at {at} Hz")


app = typer.Typer(no_args_is_help=True)
app.callback()(guard(ink))
app.command("convert", cls=OnceCommand)(guard(convert))
