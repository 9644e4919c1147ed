"""`vrnn-engine write`: writes a text by hand."""

from collections.abc import Collection
from typing import Annotated

import typer

from vrnn_engine.cli import handwriting, live, manuscript, plotting
from vrnn_engine.cli import stream_options as options
from vrnn_engine.cli.help import examples
from vrnn_engine.cli.remote import is_remote, run_remote
from vrnn_engine.cli.request import Request
from vrnn_engine.cli.run import run
from vrnn_engine.cli.target_options import advise_target
from vrnn_engine.cli.usage import WrongOption

EPILOG = examples(
    ("Write a letter on A5 pages.", "vrnn-engine write --file letter.txt --to 'letter.svg?paper=a5' --seed 4"),
    (
        "Write the output of a program on a plotter.",
        "fortune | vrnn-engine write - --to 'serial:/dev/ttyUSB0?format=gcode'",
    ),
    ("Write what you type.", "vrnn-engine write --live"),
)


def advise(word: str, given: Collection[str]) -> str:
    """Return what to do with a second argument."""
    quoted = 'is an argument too many; put a text with spaces in quotation marks: "Dear Anna"'
    return advise_target(word, given) or quoted


def write(
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="The text; - reads it from stdin.", show_default=False)
    ] = None,
    file: manuscript.File = None,
    typed: manuscript.Live = False,
    nearest: manuscript.Nearest = False,
    voice: options.VoiceName = "handwriting",
    to: options.InkTarget = None,
    width: options.Width = None,
    resume: plotting.Resume = None,
    prime: options.PrimeInk = None,
    prime_text: handwriting.PrimeText = None,
    seed: options.Seed = None,
    hand: handwriting.HandName = None,
    save_hand: handwriting.SaveHand = None,
    temperature: options.InkTemperature = None,
    settings: options.Settings = None,
    device: options.Device = "auto",
    precision: options.Precision = None,
    threads: options.Threads = 1,
    token: options.Token = None,
) -> None:
    """Write a text by hand, on a page, a plotter or the terminal.

    Lines end where the text has line ends, and between words at the width of the page.
    """
    sources = {"TEXT": text is not None, "--file": file is not None, "--live": typed}
    given = [source for source, is_given in sources.items() if is_given]
    if not given:
        raise WrongOption("is needed", param_hint="one of TEXT, --file FILE and --live")
    if len(given) > 1:
        raise WrongOption("cannot be combined", param_hint=" and ".join(given))
    (run_remote if is_remote(voice) else run)(
        Request(
            voice=voice,
            to=to,
            width=width,
            resume=resume,
            prime=prime,
            prime_text=prime_text,
            hand=hand,
            save_hand=save_hand,
            seed=seed,
            temperature=temperature,
            settings=tuple(settings or ()),
            device=device,
            precision=precision,
            threads=threads,
            token=token,
            text=manuscript.TextRequest(text, file, typed, nearest),
        ),
        live.Steering(None, None, None, None, None, None),
    )
