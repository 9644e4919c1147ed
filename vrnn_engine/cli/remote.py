"""Plays the voice of a server, as the commands `stream` and `write` ask with `--voice ws://HOST:PORT/VOICE`."""

import math
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from vrnn_engine.cli import audio, live, report
from vrnn_engine.cli.kept_files import check_outputs
from vrnn_engine.cli.manuscript import open_remote_manuscript
from vrnn_engine.cli.request import Request
from vrnn_engine.cli.run import choose_target, parse_setting, set_controls
from vrnn_engine.cli.usage import WrongOption

if TYPE_CHECKING:
    from vrnn_engine.client.stream import RemoteStream
    from vrnn_engine.runtime.live.timeline import Timeline
    from vrnn_engine.runtime.readable import Readable
    from vrnn_engine.runtime.sinks import Sink


def is_remote(voice: str) -> bool:
    """Return whether the name of a voice is the address of a served one.

    Parameters
    ----------
    voice : str
    """
    return voice.lower().startswith(("ws://", "wss://", "http://", "https://"))


def run_remote(asked: Request, steering: live.Steering) -> None:
    """Open a session of the voice and play it to its end.

    Parameters
    ----------
    asked : Request
    steering : Steering
        The control sources.

    Raises
    ------
    typer.BadParameter
        An option needs a voice on this machine, or a value is not possible.
    VRNNEngineError
        The server cannot be reached or refuses, or the voice cannot be played.
    """
    _check_options(asked)
    values = [parse_setting(setting) for setting in asked.settings]

    from vrnn_engine.client import connect
    from vrnn_engine.runtime.live.timeline import Timeline, read_timeline
    from vrnn_engine.runtime.sinks import make_sink
    from vrnn_engine.serve.environment import TOKEN_VARIABLE

    report.show_log()
    token = asked.token or os.environ.get(TOKEN_VARIABLE) or None
    with ExitStack() as ending:
        remote = ending.enter_context(connect(asked.voice, asked.seed, token=token))
        manifest = remote.voice.manifest
        to, note = choose_target(asked, manifest)
        check_outputs(asked, to)
        sink = make_sink(to, asked.buffered)
        plan = Timeline()
        if asked.timeline is not None:
            plan = read_timeline(asked.timeline, manifest.frames_per_second)
        if plan.head is not None:
            remote.controls.restore(plan.head.controls)
        set_controls(remote.controls, manifest, asked.temperature, values)
        if asked.timeline is not None or asked.text is not None:
            remote.close()  # its frame rate and its unit, which these need, are known only now
            remote = ending.enter_context(_open_again(asked, plan, remote, sink, token))
        _play(remote, plan, steering, sink, asked, note)


def _check_options(asked: Request) -> None:
    """Raise `typer.BadParameter` for an option that needs a voice on this machine."""
    local = {
        "--resume": asked.resume,
        "--prime": asked.prime,
        "--prime-text": asked.prime_text,
        "--from": asked.listening,
        "--hand": asked.hand,
        "--save-hand": asked.save_hand,
        "--record": asked.record,
        "--allow": asked.allow or None,
        "--overwrite": asked.overwrite,
        "--device": asked.device != "auto",
        "--precision": asked.precision,
        "--threads": asked.threads != 1,
    }
    given = [option for option, value in local.items() if value is not None and value is not False]
    if given:
        need = "needs" if len(given) == 1 else "need"
        named = " and ".join(filter(None, [", ".join(given[:-1]), given[-1]]))
        raise WrongOption(f"{need} a voice on this machine, and {asked.voice} is served", param_hint=named)


def _open_again(
    asked: Request, plan: "Timeline", known: "RemoteStream", sink: "Sink", token: str | None
) -> "RemoteStream":
    """Open the session with its timeline, and with the width of the lines if it writes a text."""
    from vrnn_engine.client import connect
    from vrnn_engine.runtime.sinks import Format

    seed, width = asked.seed, None
    if plan.head is not None:
        if plan.head.start is not None:
            raise typer.BadParameter(
                f"{asked.timeline} begins in a saved state, which no server takes", param_hint="--timeline"
            )
        seed = plan.head.seed if seed is None else seed
    if asked.text is not None:
        known.require_text()
        width = sink.line_width(Format.of(known.voice.manifest))
    controls = known.controls.snapshot()
    return connect(asked.voice, seed, controls=controls, width=width, events=plan.events, token=token)


def _play(
    remote: "RemoteStream", plan: "Timeline", steering: live.Steering, sink: "Sink", asked: Request, note: str
) -> None:
    """Play the stream to its end; open its text and control sources for that time."""
    from vrnn_engine.cli.playing import play
    from vrnn_engine.client.performance import RemoteLetter, RemotePerformance
    from vrnn_engine.runtime.player import Player

    performance = RemotePerformance(remote)
    with ExitStack() as ending:
        for source in steering.sources:
            source.start(performance)
            ending.callback(source.stop)
        manuscript = None
        readable: Readable = performance
        seconds = audio.length(asked.seconds, None, plan, remote.voice.manifest.frames_per_second)
        if asked.text is not None:
            manuscript = open_remote_manuscript(asked.text, remote)
            ending.callback(manuscript.source.close)
            readable, seconds = RemoteLetter(performance, manuscript.source), asked.seconds or math.inf
        player = Player(readable, to=sink, latency=asked.buffered, seconds=seconds)
        play(player, performance, seconds, f"{asked.voice}: seed {remote.seed}", note, steering.learn, manuscript)
