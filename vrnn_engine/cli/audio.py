"""Options of `vrnn-engine stream` for sound devices, and for inputs to listen to."""

import math
from typing import TYPE_CHECKING, Annotated, cast

import typer

from vrnn_engine.cli import report
from vrnn_engine.cli import stream_options as options
from vrnn_engine.cli.usage import WrongOption
from vrnn_engine.runtime.live.listening.modes import MODES
from vrnn_engine.runtime.live.listening.modes import Mode as ListeningMode

if TYPE_CHECKING:
    from vrnn_engine.runtime.live.listening_stream import ListeningStream
    from vrnn_engine.runtime.live.timeline import Timeline
    from vrnn_engine.runtime.player import Player
    from vrnn_engine.runtime.stream import Stream

SECONDS = 10.0
"""Seconds that a voice plays by itself without `--seconds`."""

Volume = Annotated[
    float | None,
    typer.Option(
        "--volume", metavar="DB", help="Sound device volume in dB; 0 is unchanged.", rich_help_panel=options.OUTPUT
    ),
]
Ceiling = Annotated[
    float | None,
    typer.Option(
        "--ceiling",
        metavar="DB",
        help="Largest level that a sound device gets, in dB, from -60 to 0 (full scale); a limiter keeps louder sound "
        "below it.  Default: -1.",
        rich_help_panel=options.OUTPUT,
    ),
]
Channels = Annotated[
    int | None,
    typer.Option(
        "--channels",
        metavar="N",
        help="Sound device channels; all play the same signal, or left and right in turn.  Default: as many as the "
        "voice has, if the device accepts them.",
        rich_help_panel=options.OUTPUT,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Fail when a sound device disconnects, instead of waiting for it to come back.",
        rich_help_panel=options.OUTPUT,
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="SOURCE",
        help="Listen to an input while playing: microphone, microphone:NAME, a FILE, or - for a WAV stream on stdin "
        "(JSON lines for ink); '-?rate=48000&channels=2&format=s16le' for raw samples.",
        rich_help_panel=options.INPUT,
    ),
]
Mode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="MODE",
        help="Use of the input.  resynthesise (the default): the voice imitates the input.  observe: the input is "
        "played unchanged and the model follows it.  continue: like observe, but the voice generates when the input "
        "pauses or ends.",
        rich_help_panel=options.INPUT,
    ),
]


def check_mode(mode: str | None, listening: str | None) -> None:
    """Raise `typer.BadParameter` if the mode is unknown, or given without `--from`."""
    if mode is not None and mode not in MODES:
        raise typer.BadParameter(f"{mode!r} is not one of {', '.join(MODES)}", param_hint="--mode")
    if mode is not None and listening is None:
        raise WrongOption("needs --from SOURCE", param_hint="--mode")


def listen(
    source: "Stream", what: str, mode: str | None, latency: float, strict: bool, seconds: float | None
) -> "ListeningStream":
    """Open an input, and return a stream that listens to it.

    Parameters
    ----------
    source : Stream
    what : str
        `microphone`, `microphone:NAME`, a file or `-`.
    mode : str or None
        One of `MODES`; None for the first.
    latency : float
        Largest number of seconds that a microphone buffers.
    strict : bool
        Whether a disconnection of the microphone is an error.
    seconds : float or None
        The value of `--seconds`; without it, a voice that continues after the end of an input plays `SECONDS` more.

    Returns
    -------
    ListeningStream
    """
    from vrnn_engine.runtime.live.inputs import open_input
    from vrnn_engine.runtime.live.listening_stream import ListeningStream

    given = open_input(what, source.voice.manifest, latency, strict)
    tail = SECONDS if seconds is None else math.inf
    listener = ListeningStream(source, given, cast(ListeningMode, mode or MODES[0]), tail=tail)
    done = "; converted: " + ", ".join(given.conversions) if given.conversions else ""
    report.say(f"listening to {given.label} ({listener.mode}){done}")
    return listener


def length(
    seconds: float | None, listener: "ListeningStream | None", plan: "Timeline", frames_per_second: float
) -> float:
    """Return how many seconds to play.

    Parameters
    ----------
    seconds : float or None
        The value of `--seconds`, which is returned if given.
    listener : ListeningStream or None
        Otherwise the length of its input is returned, plus `SECONDS` if the voice continues by itself.
    plan : Timeline
        Without a listener, the time of the last event plus `SECONDS` is returned.
    frames_per_second : float
        Frame rate of the voice.

    Returns
    -------
    float
    """
    if seconds is not None:
        return seconds
    if listener is None:
        last = plan.events[-1].frame if plan.events else 0
        return (last or 0) / frames_per_second + SECONDS
    return listener.input.seconds + (SECONDS if listener.mode == "continue" else 0.0)


def say_heard(listener: "ListeningStream", player: "Player") -> None:
    """Print how much was observed, its mean KL and log-likelihood, and the latency of a microphone."""
    given, manifest = listener.input, listener.voice.manifest
    report.say(
        f"heard {listener.heard / manifest.frames_per_second:.2f} s of {given.label}, "
        f"KL {listener.kl:.2f} and log-likelihood {listener.log_likelihood:.2f} nats per frame"
        + (f", {given.dropped} samples dropped" if given.dropped else "")
    )
    if given.live:
        total = listener.delay + player.latency
        report.say(f"latency {total:.3f} s: {listener.delay:.3f} to a frame and {player.latency:.3f} to {player.label}")
