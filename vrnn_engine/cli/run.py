"""Loads a voice and plays it, as the commands `stream` and `write` ask."""

import math
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vrnn_engine.cli import audio, collector, live, plotting, report
from vrnn_engine.cli.handwriting import check_hand, check_new_hand, save_hand, use_hand
from vrnn_engine.cli.kept_files import check_outputs
from vrnn_engine.cli.manuscript import STDIN, Manuscript, open_manuscript
from vrnn_engine.cli.request import Request
from vrnn_engine.cli.target_options import with_options
from vrnn_engine.cli.usage import WrongOption

if TYPE_CHECKING:
    from vrnn_engine.runtime.controls import Controls
    from vrnn_engine.runtime.engine import Engine
    from vrnn_engine.runtime.live.safety.places import Places
    from vrnn_engine.runtime.live.timeline import Timeline
    from vrnn_engine.runtime.readable import Readable
    from vrnn_engine.runtime.sinks import Sink
    from vrnn_engine.runtime.stream import Stream
    from vrnn_engine.runtime.voice.manifest import Manifest

TEMPERATURES = ("latent.temperature", "output.temperature")
"""Controls that `--temperature` sets."""
TEXT_TEMPERATURES = ("output.temperature", "mixture.temperature")
"""Controls that it sets for a voice that writes a text, whose latent is the hand."""


def run(asked: Request, steering: live.Steering) -> None:
    """Load the voice and play it to its end.

    Parameters
    ----------
    asked : Request
    steering : Steering
        The control sources.

    Raises
    ------
    typer.BadParameter
        A value is not possible.
    VRNNEngineError
        The voice cannot be loaded or played.
    """
    if asked.token is not None:
        raise WrongOption("is for a served voice, --voice ws://HOST:PORT/VOICE", param_hint="--token")
    values = [parse_setting(setting) for setting in asked.settings]
    check_hand(asked.hand, asked.prime, asked.prime_text)
    if asked.text is not None and asked.text.is_piped and str(asked.prime) == STDIN:
        raise WrongOption("cannot be stdin, from which the text is read; give a file", param_hint="--prime")

    report.show_log()
    with collector.paused():
        engine = _load(asked)

    # Imported here, so that `--help` and usage errors are printed at once.
    from vrnn_engine.runtime.live.timeline import Timeline
    from vrnn_engine.runtime.sinks import make_sink

    to, note = choose_target(asked, engine.voice.manifest)
    check_outputs(asked, to)
    if asked.save_hand is not None and asked.resume is None:  # a plot that is continued has saved its hand
        check_new_hand(asked.save_hand, engine.voice.manifest.name)
    plan = _read_timeline(asked.timeline, engine) if asked.timeline is not None else Timeline()
    sink = make_sink(to, asked.buffered)
    with ExitStack() as ending:
        playing = _start(engine, plan, asked, sink)
        set_controls(playing.controls, playing.voice.manifest, asked.temperature, values)
        if asked.hand is not None:
            use_hand(playing, asked.hand)
        if asked.prime is not None:
            _prime(playing, asked.prime, asked.prime_text)
            if asked.save_hand is not None:
                save_hand(playing, asked.save_hand)
        manuscript = None
        if asked.text is not None:
            manuscript = open_manuscript(asked.text, playing)
            ending.callback(manuscript.source.close)
        if asked.resume is not None:
            plotting.resume(sink, asked.resume, plotting.describe_ink(playing, to, asked, manuscript))
        what = f"{engine.voice.manifest.name}: seed {playing.seed}, {engine.provider}, {engine.precision}"
        _play(playing, plan, steering, sink, asked, manuscript, what, note)
        if asked.save_hand is not None and asked.prime is None:
            save_hand(playing, asked.save_hand)


def _load(asked: Request) -> "Engine":
    """Load the engine, and meanwhile import the modules that play it in another thread.

    The main thread loads, because it is the one that a signal interrupts.
    """
    import atexit
    import threading

    from vrnn_engine.runtime.engine import Engine

    # Most of the time passes in onnxruntime, which lets the other thread run.  It is a daemon, because a signal that
    # interrupts an import of this thread may leave a lock behind for which the other one waits forever.  After an
    # error, the process waits up to 2 s for it: a thread that is just importing C++ code can crash a process that ends.
    imports = threading.Thread(target=_import_player, name="vrnn-engine imports", daemon=True)
    imports.start()
    atexit.register(imports.join, 2.0)
    return Engine.load(asked.voice, asked.device, 1, asked.precision, asked.threads)


def _import_player() -> None:
    """Import the modules that play an engine."""
    with suppress(Exception):  # the main thread imports them again, and reports the error
        from vrnn_engine.cli import playing  # noqa: F401
        from vrnn_engine.runtime import player, sinks  # noqa: F401
        from vrnn_engine.runtime.live import performance, timeline  # noqa: F401


def choose_target(asked: Request, manifest: "Manifest") -> tuple[str, str]:
    """Return the target with its options, and a note for the user if it is a default.

    Parameters
    ----------
    asked : Request
    manifest : Manifest
        The voice's manifest.
    """
    to, note = asked.to, ""
    if to is None and asked.text is not None and asked.text.live:
        to = "terminal"
    if to is None:
        to, note = _default_target(manifest.modality, manifest.name)
    to = with_options(to, asked)
    if asked.text is not None:
        to = plotting.allow_pages(to)
    return to, note


def _default_target(modality: str, name: str) -> tuple[str, str]:
    """Return the target to use without `--to`, and a note that says why."""
    if modality == "pen":
        return f"{name}.svg", " (no --to given)"
    from vrnn_engine.runtime.sinks.speakers import default_output

    if default_output() is None:
        return f"{name}.wav", " (no --to given, and no sound device here)"
    return "speakers", " (no --to given)"


def _read_timeline(path: Path, engine: "Engine") -> "Timeline":
    from vrnn_engine.runtime.live.timeline import read_timeline

    found = read_timeline(path, engine.voice.manifest.frames_per_second)
    if found.head and found.head.fingerprint != engine.fingerprint:
        report.warn(
            f"{path} was recorded with another voice or version ({found.head.voice}): the output will be different"
        )
    return found


def _start(engine: "Engine", plan: "Timeline", asked: Request, sink: "Sink") -> "Stream":
    """Start a stream in the initial state of the timeline; `--seed` replaces the timeline's seed."""
    from vrnn_engine.runtime.sinks import Format

    seed, width = plotting.resumed_seed(asked.resume, asked.seed), None
    if asked.text is not None:
        engine.stepper.require_script()
        width = sink.line_width(Format.of(engine.voice.manifest))
    playing = engine.stream(seed, width=width)
    if plan.head:
        plan.head.bring(playing)
        if seed is not None:
            playing.reseed(seed)
    return playing


def set_controls(
    controls: "Controls",
    manifest: "Manifest",
    temperature: float | None,
    values: list[tuple[str, float | list[float]]],
) -> None:
    """Set the controls of a stream.

    Parameters
    ----------
    controls : Controls
    manifest : Manifest
        The voice's manifest.
    temperature : float or None
        The value of `--temperature`.
    values : list of (str, float or list of float)
        Results of `parse_setting`.

    Raises
    ------
    ControlError
        A control does not exist, or cannot have the value.
    """
    if temperature is not None:
        # If the voice has neither, setting the first raises the error.
        wanted = TEMPERATURES if manifest.text is None else TEXT_TEMPERATURES
        named = [name for name in wanted if name in controls] or list(wanted[:1])
        controls.update(dict.fromkeys(named, temperature))
    for name, value in values:
        controls.assign(name, value)


def _prime(source: "Stream", path: Path, text: str | None) -> None:
    started = source.frame
    seen = source.prime(path, trace=False, text=text)
    seconds = (source.frame - started) / source.voice.manifest.frames_per_second
    done = "; converted: " + ", ".join(seen.conversions) if seen.conversions else ""
    report.say(f"primed with {seconds:.2f} s of {path}{done}")


def _play(
    playing: "Stream",
    plan: "Timeline",
    steering: live.Steering,
    sink: "Sink",
    asked: Request,
    manuscript: Manuscript | None,
    description: str,
    note: str,
) -> None:
    """Play the stream to its end; open its input, log and control sources for that time."""
    from vrnn_engine.cli.playing import play
    from vrnn_engine.runtime.live.performance import Performance
    from vrnn_engine.runtime.live.timeline import Head, PerformanceLog
    from vrnn_engine.runtime.player import Player

    with ExitStack() as ending:
        log = None
        if asked.record is not None:
            log = ending.enter_context(PerformanceLog(asked.record, Head.of(playing)))
        listener = None
        if asked.listening is not None:
            listener = audio.listen(playing, asked.listening, asked.mode, asked.buffered, asked.strict, asked.seconds)
        heard = playing if listener is None else ending.enter_context(listener)
        performance = ending.enter_context(Performance(heard, plan, log, places=_places(asked)))
        for source in steering.sources:
            source.start(performance)
            ending.callback(source.stop)
        if manuscript is None:
            readable: Readable = performance
            seconds = audio.length(asked.seconds, listener, plan, playing.voice.manifest.frames_per_second)
        else:
            from vrnn_engine.runtime.live.letters.letter import Letter

            readable = Letter(performance, playing, manuscript.source)
            seconds = asked.seconds or math.inf
        player = Player(readable, to=sink, latency=asked.buffered, seconds=seconds)
        if listener is not None:
            ending.callback(audio.say_heard, listener, player)
        play(player, performance, seconds, description, note, steering.learn, manuscript)


def _places(asked: Request) -> "Places":
    """Return what events may read and write."""
    from vrnn_engine.runtime.live.safety.places import Places

    usual = [Path()] if asked.timeline is None else [Path(), asked.timeline.parent]
    return Places.within([*usual, *asked.allow], asked.overwrite, devices=asked.allow)


def parse_setting(setting: str) -> tuple[str, float | list[float]]:
    """Parse a setting of the command line.

    Parameters
    ----------
    setting : str
        `NAME=VALUE`, where the value is a number, or numbers separated by commas.

    Returns
    -------
    tuple of (str, float or list of float)
        The name and the value; a list if there is more than one number.

    Raises
    ------
    typer.BadParameter
        The text has another form.
    """
    name, equals, text = setting.partition("=")
    try:
        if not name or not equals:
            raise ValueError
        numbers = [float(number) for number in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{setting!r} is not NAME=VALUE with a number, or numbers separated by commas", param_hint="--set"
        ) from None
    return name.strip(), numbers[0] if len(numbers) == 1 else numbers
