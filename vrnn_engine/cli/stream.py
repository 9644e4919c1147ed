"""`vrnn-engine stream`: plays a voice live, or writes its output to a file."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vrnn_engine.cli import audio, live, plotting, report
from vrnn_engine.cli import stream_options as options
from vrnn_engine.cli.help import examples
from vrnn_engine.cli.playing import play

if TYPE_CHECKING:
    from vrnn_engine.runtime.engine import Engine
    from vrnn_engine.runtime.live.timeline import Timeline
    from vrnn_engine.runtime.stream import Stream

TEMPERATURES = ("latent.temperature", "output.temperature")
"""Controls that `--temperature` sets."""

EPILOG = examples(
    ("Play speech until a key or Ctrl-C stops it.", "vrnn-engine stream --voice blizzard --seconds inf"),
    (
        "Write 20 seconds of handwriting on a page 180 mm wide.",
        "vrnn-engine stream --voice handwriting -s 20 --to page.svg --width 180",
    ),
    (
        "Answer the microphone, steered by OSC messages to port 9000.",
        "vrnn-engine stream --voice blizzard --from microphone --osc 9000",
    ),
)


@dataclass(frozen=True)
class _Playback:
    """Target, length and other settings of the playback, as given on the command line."""

    to: str
    seconds: float | None
    latency: float
    volume: float | None
    channels: int | None
    strict: bool
    listening: str | None
    mode: str | None
    record: Path | None
    description: str
    note: str
    resume: Path | None
    ink: dict[str, str]


def stream(
    voice: options.VoiceName,
    to: options.Target = None,
    width: options.Width = None,
    seconds: options.Seconds = None,
    latency: options.Latency = 0.05,
    resume: plotting.Resume = None,
    volume: audio.Volume = None,
    channels: audio.Channels = None,
    strict: audio.Strict = False,
    prime: options.Prime = None,
    listening: audio.From = None,
    mode: audio.Mode = None,
    seed: options.Seed = None,
    temperature: options.Temperature = None,
    settings: options.Settings = None,
    timeline: options.TimelineFile = None,
    record: options.Record = None,
    osc: live.OscPort = None,
    osc_to: live.OscTo = None,
    midi: live.MidiPort = None,
    midi_learn: live.MidiLearn = None,
    midi_map: live.MidiFile = None,
    steer: options.Plugins = None,
    device: options.Device = "auto",
    precision: options.Precision = None,
    threads: options.Threads = 1,
) -> None:
    """Play a voice live, or write its output to a file."""
    _check_ranges(seconds, latency)
    values = [parse_setting(setting) for setting in settings or ()]
    audio.check_mode(mode, listening)
    steering = live.Steering(osc, osc_to, midi, midi_learn, midi_map, steer)

    # Imported here, so that `--help` and usage errors are printed at once.
    from vrnn_engine.runtime.engine import Engine
    from vrnn_engine.runtime.live.timeline import Timeline

    report.show_log()
    engine = Engine.load(voice, device=device, precision=precision, threads=threads)
    to, note = _choose_target(to, width, engine)
    plan = _read_timeline(timeline, engine) if timeline is not None else Timeline()
    playing = _start(engine, plan, plotting.resumed_seed(resume, seed))
    _set_controls(playing, temperature, values)
    if prime is not None:
        _prime(playing, prime)
    ink = plotting.describe_ink(playing, to, temperature, settings, prime, timeline)
    what = f"{engine.voice.manifest.name}: seed {playing.seed}, {engine.provider}, {engine.precision}"
    _play(
        playing,
        plan,
        steering,
        _Playback(to, seconds, latency, volume, channels, strict, listening, mode, record, what, note, resume, ink),
    )


def _check_ranges(seconds: float | None, latency: float) -> None:
    if seconds is not None and not seconds > 0:
        raise typer.BadParameter("must be more than 0 (inf is endless)", param_hint="--seconds")
    if not 0 < latency <= 10:
        raise typer.BadParameter("must be more than 0 and at most 10", param_hint="--latency")


def _choose_target(to: str | None, width: float | None, engine: "Engine") -> tuple[str, str]:
    """Return the target with its options, and a note for the user if it is a default."""
    from vrnn_engine.runtime.options import add_option

    manifest, note = engine.voice.manifest, ""
    if to is None:
        to, note = _default_target(manifest.modality, manifest.name)
    if width is not None:
        to = add_option(to, "width", f"{width:g}")
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


def _start(engine: "Engine", plan: "Timeline", seed: int | None) -> "Stream":
    """Start a stream in the initial state of the timeline; `seed` replaces the timeline's seed."""
    playing = engine.stream(seed)
    if plan.head:
        plan.head.bring(playing)
        if seed is not None:
            playing.reseed(seed)
    return playing


def _set_controls(playing: "Stream", temperature: float | None, values: list[tuple[str, float | list[float]]]) -> None:
    if temperature is not None:
        # If the voice has neither, setting the first raises the error.
        named = [name for name in TEMPERATURES if name in playing.controls] or list(TEMPERATURES[:1])
        playing.controls.update(dict.fromkeys(named, temperature))
    for name, value in values:
        playing.controls.assign(name, value)


def _prime(source: "Stream", path: Path) -> None:
    started = source.frame
    seen = source.prime(path, trace=False)
    seconds = (source.frame - started) / source.voice.manifest.frames_per_second
    done = "; converted: " + ", ".join(seen.conversions) if seen.conversions else ""
    report.say(f"primed with {seconds:.2f} s of {path}{done}")


def _play(playing: "Stream", plan: "Timeline", steering: live.Steering, asked: _Playback) -> None:
    """Play the stream to its end; open its input, log and control sources for that time."""
    from vrnn_engine.runtime.live.performance import Performance
    from vrnn_engine.runtime.live.timeline import Head, PerformanceLog
    from vrnn_engine.runtime.player import Player
    from vrnn_engine.runtime.sinks import make_sink

    with ExitStack() as ending:
        log = None
        if asked.record is not None:
            log = ending.enter_context(PerformanceLog(asked.record, Head.of(playing)))
        listener = None
        if asked.listening is not None:
            listener = audio.listen(playing, asked.listening, asked.mode, asked.latency, asked.strict, asked.seconds)
        heard = playing if listener is None else ending.enter_context(listener)
        performance = ending.enter_context(Performance(heard, plan.events, log))
        for source in steering.sources:
            source.start(performance)
            ending.callback(source.stop)
        seconds = audio.length(asked.seconds, listener, plan, playing.voice.manifest.frames_per_second)
        to = audio.add_options(asked.to, asked.volume, asked.channels, asked.strict, asked.listening)
        sink = make_sink(to, asked.latency)
        if asked.resume is not None:
            plotting.resume(sink, asked.resume, asked.ink)
        player = Player(performance, to=sink, latency=asked.latency, seconds=seconds)
        if listener is not None:
            ending.callback(audio.say_heard, listener, player)
        play(player, performance, seconds, asked.description, asked.note, steering.learn)


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
