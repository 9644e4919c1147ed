"""Options for the hand in which a text is written: a saved one, or that of some ink."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vrnn_engine.cli import report
from vrnn_engine.cli.stream_options import INPUT, STEERING
from vrnn_engine.cli.usage import WrongOption

if TYPE_CHECKING:
    from vrnn_engine.runtime.stream import Stream

PrimeText = Annotated[
    str | None,
    typer.Option(
        "--prime-text",
        metavar="TEXT",
        help="What the ink of --prime says, one line, for a voice that writes texts.",
        rich_help_panel=INPUT,
    ),
]
HandName = Annotated[
    str | None,
    typer.Option(
        "--hand",
        metavar="NAME",
        help="Write in a hand that --save-hand saved (`vrnn-engine hands` lists them).",
        rich_help_panel=STEERING,
    ),
]
SaveHand = Annotated[
    str | None,
    typer.Option(
        "--save-hand",
        metavar="NAME",
        help="Save the hand under this name: that of --prime, or else the one in which the text was written.",
        rich_help_panel=STEERING,
    ),
]


def check_hand(hand: str | None, prime: Path | None, prime_text: str | None) -> None:
    """Raise `typer.BadParameter` if two hands are given, or a text without its ink.

    Parameters
    ----------
    hand, prime, prime_text
        The values of the options.
    """
    if hand is not None and prime is not None:
        raise WrongOption("cannot be combined with --prime, which gives a hand too", param_hint="--hand")
    if prime_text is not None and prime is None:
        raise WrongOption("needs --prime FILE", param_hint="--prime-text")


def check_new_hand(name: str, voice: str) -> None:
    """Raise an error if a hand of a voice cannot be saved under a name, or if there is one already.

    Parameters
    ----------
    name : str
        Name of the hand.
    voice : str
        Name of the voice.

    Raises
    ------
    StreamError
        The name cannot be the name of a file.
    typer.BadParameter
        A hand of this name is saved.
    """
    from vrnn_engine.runtime.hands.saved_hands import SavedHands

    if SavedHands(voice).path(name).exists():
        raise _replaced(name, voice)


def use_hand(stream: "Stream", name: str) -> None:
    """Let a stream write in a saved hand.

    Parameters
    ----------
    stream : Stream
    name : str
        Name of the hand.
    """
    from vrnn_engine.runtime.hands.saved_hands import SavedHands

    SavedHands(stream.voice.name).load(name).apply(stream)


def save_hand(stream: "Stream", name: str) -> None:
    """Save the hand of a stream, and say where.

    Parameters
    ----------
    stream : Stream
    name : str
        Name of the hand.

    Raises
    ------
    StreamError
        The hand cannot be saved.
    typer.BadParameter
        Another hand of this name is saved.
    """
    from vrnn_engine.base.text_files import printable
    from vrnn_engine.runtime.hands.hand import Hand
    from vrnn_engine.runtime.hands.saved_hands import SavedHands

    saved, hand = SavedHands(stream.voice.name), Hand.of(stream)
    if saved.path(name).exists() and saved.load(name).encode() != hand.encode():
        raise _replaced(name, stream.voice.name)
    path = saved.save(name, hand)
    report.say(f"the hand is saved as {name!r} in {printable(path)}")


def _replaced(name: str, voice: str) -> WrongOption:
    delete = ["vrnn-engine", "hands", "delete", name, "--voice", voice]
    return WrongOption(
        f"would replace the hand {name!r}; choose another name, or run `{shlex.join(delete)}` first",
        param_hint="--save-hand",
    )
