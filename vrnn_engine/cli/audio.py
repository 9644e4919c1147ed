"""What `stream` takes for sound devices: how it plays on one, and what the voice listens to meanwhile."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from vrnn_engine.cli import report
from vrnn_engine.cli import stream_options as options

if TYPE_CHECKING:
    from vrnn_engine.runtime.live import listening_stream as lives
    from vrnn_engine.runtime.live.listening_stream import ListeningStream
    from vrnn_engine.runtime.live.timeline import Timeline
    from vrnn_engine.runtime.player import Player
    from vrnn_engine.runtime.stream import Stream

SECONDS = 10.0
"""How long a voice plays by itself where nobody said."""
MODES = ("resynthesise", "observe", "continue")
"""As in `runtime.live.life`, which takes long to import.  The first is the default."""

Volume = Annotated[
    float | None,
    typer.Option(
        "--volume", metavar="DB", help="Sound device volume in dB; 0 is unchanged.", rich_help_panel=options.OUTPUT
    ),
]
Channels = Annotated[
    int | None,
    typer.Option(
        "--channels",
        metavar="N",
        help="Sound device channels; all play the same signal.  Default: the fewest that the device accepts.",
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
        help="Listen to an input while playing: microphone, microphone:NAME or a FILE.",
        rich_help_panel=options.INPUT,
    ),
]
Mode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="MODE",
        help="What to do with the input.  resynthesise (the default): the voice imitates it.  observe: the input is "
        "played unchanged and the model follows it.  continue: like observe, but the voice generates when the input "
        "pauses or ends.",
        rich_help_panel=options.INPUT,
    ),
]


def add_options(to: str, volume: float | None, channels: int | None, strict: bool, listening: str | None) -> str:
    """Return the target with the options that only sound devices have."""
    from vrnn_engine.runtime.sinks.options import add_option

    is_device = to.partition("?")[0].partition(":")[0] == "speakers"
    microphone = listening is not None and listening.partition(":")[0] == "microphone"
    for name, value in (("volume", volume), ("channels", channels), ("strict", True if strict else None)):
        if value is None or (name == "strict" and microphone and not is_device):
            continue
        if not is_device:
            raise typer.BadParameter(f"is for a sound device, and {to} is none", param_hint=f"--{name}")
        to = add_option(to, name, str(value).lower())
    return to


def check_mode(mode: str | None, listening: str | None) -> None:
    """Raise `typer.BadParameter` unless there is such a mode, and something to listen to."""
    if mode is not None and mode not in MODES:
        raise typer.BadParameter(f"{mode!r} is not one of {', '.join(MODES)}", param_hint="--mode")
    if mode is not None and listening is None:
        raise typer.BadParameter("says what to do with what --from names, which is missing", param_hint="--mode")


def listen(source: "Stream", what: str, mode: str | None, latency: float, strict: bool) -> "ListeningStream":
    """Return the stream, listening to something."""
    from vrnn_engine.runtime.live.inputs import open_input
    from vrnn_engine.runtime.live.listening_stream import ListeningStream

    given = open_input(what, source.voice.manifest, latency, strict)
    life = ListeningStream(source, given, cast("lives.Mode", mode or MODES[0]))
    done = "; converted: " + ", ".join(given.conversions) if given.conversions else ""
    report.say(f"listening to {given.label} ({life.mode}){done}")
    return life


def length(seconds: float | None, life: "ListeningStream | None", plan: "Timeline", frames_per_second: float) -> float:
    """Return how long to play: as asked, or as long as there is something to hear or to do."""
    if seconds is not None:
        return seconds
    if life is None:
        last = plan.events[-1].frame if plan.events else 0
        return (last or 0) / frames_per_second + SECONDS
    return life.input.seconds + (SECONDS if life.mode == "continue" else 0.0)


def say_heard(life: "ListeningStream", player: "Player") -> None:
    """Say what the voice made of what it heard, and how long that took."""
    given, manifest = life.input, life.voice.manifest
    report.say(
        f"heard {life.heard / manifest.frames_per_second:.2f} s of {given.label}, "
        f"KL {life.kl:.2f} and log-likelihood {life.log_likelihood:.2f} nats a frame"
        + (f", {given.dropped} samples dropped" if given.dropped else "")
    )
    if given.live:
        total = life.delay + player.latency
        report.say(f"latency {total:.3f} s: {life.delay:.3f} to a frame and {player.latency:.3f} to {player.label}")
