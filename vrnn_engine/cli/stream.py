"""`vrnn-engine stream`: play a voice, or write what it makes."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vrnn_engine.cli import audio, live, report
from vrnn_engine.runtime.targets import list_targets_only

if TYPE_CHECKING:
    from vrnn_engine.runtime.engine import Engine
    from vrnn_engine.runtime.live.timeline import Timeline
    from vrnn_engine.runtime.stream import Stream

TEMPERATURES = ("latent.temperature", "output.temperature")


def stream(
    voice: Annotated[
        str, typer.Option("--voice", "-v", metavar="VOICE", help="A voice's name, folder or .zip (see: voices).")
    ],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help=f"Sound can go to {list_targets_only('audio')}; ink to {list_targets_only('pen')}; both to "
            f"{list_targets_only('audio', 'pen')}.  Stdout (-) gets raw 16-bit mono PCM, or JSON lines for a pen.  "
            "Options may follow, as in FILE.svg?margin=8 or serial:PORT?format=gcode (docs/ink.md).  Default: the "
            "sound device if there is one, else VOICE.wav; VOICE.svg for a pen.",
        ),
    ] = None,
    width: Annotated[
        float | None, typer.Option(metavar="MM", help="Width of the page for ink, as in TARGET?width=MM.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            "-s",
            metavar="S",
            help="How long; inf for endless.  Default: as long as what --from names, else 10 from the last event of "
            "--timeline on, or from the start.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="The same seed gives the same stream.  Default: random.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(metavar="T", help="Sets latent.temperature and output.temperature, as far as the voice has them."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Set a control; may be repeated.  A vector is a list with commas; NAME/INDEX is one number of it.",
        ),
    ] = None,
    prime: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A recording to listen to first (sound; .jsonl or .npz of ink), and go on from."
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="fp32, int8, ...: one that the voice carries.  Default: its first, or fp16 on CUDA."
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option(metavar="N", min=1, help="Threads that share a step; they change nothing of the stream.")
    ] = 1,
    latency: Annotated[float, typer.Option(metavar="SECONDS", help="Seconds that a sound device buffers.")] = 0.05,
    volume: audio.Volume = None,
    channels: audio.Channels = None,
    strict: audio.Strict = False,
    listening: audio.From = None,
    mode: audio.Mode = None,
    timeline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Events to play, JSON lines (docs/live.md), or a recording.")
    ] = None,
    steer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:...]", help="A plug-in that steers the stream; may be repeated."),
    ] = None,
    osc: live.OscPort = None,
    osc_to: live.OscTo = None,
    midi: live.MidiPort = None,
    midi_learn: live.MidiLearn = None,
    midi_map: live.MidiFile = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write down what is asked of the stream, to play it again.")
    ] = None,
) -> None:
    """Play a voice, or write what it makes."""
    if seconds is not None and not seconds > 0:
        raise typer.BadParameter("must be more than 0 (inf is endless)", param_hint="--seconds")
    if not 0 < latency <= 10:
        raise typer.BadParameter("must be more than 0 and at most 10", param_hint="--latency")
    values = [parse_setting(setting) for setting in settings or ()]
    audio.check_mode(mode, listening)
    steering = live.Steering(osc, osc_to, midi, midi_learn, midi_map, steer)

    # Heavy imports here, so that `--help` and wrong usage answer at once.
    from vrnn_engine.runtime.engine import Engine
    from vrnn_engine.runtime.live.performance import Performance
    from vrnn_engine.runtime.live.timeline import Head, Recorder, Timeline
    from vrnn_engine.runtime.player import Player
    from vrnn_engine.runtime.sinks.options import add_option

    report.show_log()
    engine = Engine.load(voice, device=device, precision=precision, threads=threads)
    manifest = engine.voice.manifest
    if to is None:
        to, note = _default_target(manifest.modality, manifest.name)
    else:
        note = ""
    if width is not None:
        to = add_option(to, "width", f"{width:g}")
    plan = _read_timeline(timeline, engine) if timeline is not None else Timeline()
    playing = engine.stream(seed)
    if plan.head:
        plan.head.bring(playing)
        if seed is not None:
            playing.reseed(seed)
    if temperature is not None:
        named = [name for name in TEMPERATURES if name in playing.controls] or list(TEMPERATURES[:1])
        playing.controls.update(dict.fromkeys(named, temperature))
    for name, value in values:
        playing.controls.turn(name, value)
    if prime is not None:
        _prime(playing, prime)
    what = f"{manifest.name}: seed {playing.seed}, {engine.provider}, {engine.precision}"
    with ExitStack() as ending:
        recorder = ending.enter_context(Recorder(record, Head.of(playing))) if record is not None else None
        life = audio.listen(playing, listening, mode, latency, strict) if listening is not None else None
        heard = playing if life is None else ending.enter_context(life)
        performance = ending.enter_context(Performance(heard, plan.events, recorder))
        for source in steering.sources:
            source.start(performance)
            ending.callback(source.stop)
        seconds = audio.length(seconds, life, plan, manifest.frames_per_second)
        to = audio.add_options(to, volume, channels, strict, listening)
        player = Player(performance, to=to, latency=latency, seconds=seconds)
        if life is not None:
            ending.callback(audio.say_heard, life, player)
        live.play(player, performance, seconds, (what, note), steering.learn)


def _default_target(modality: str, name: str) -> tuple[str, str]:
    """Return where to send a voice when nobody said, and the words that explain it."""
    if modality == "pen":
        return f"{name}.svg", " (no --to given)"
    from vrnn_engine.runtime.sinks.speakers import default_output

    if default_output() is None:
        return f"{name}.wav", " (no --to given, and no sound device here)"
    return "speakers", " (no --to given)"


def parse_setting(setting: str) -> tuple[str, float | list[float]]:
    """Parse NAME=VALUE, where a vector is a list with commas; raise `typer.BadParameter` if it is none."""
    name, equals, text = setting.partition("=")
    try:
        if not name or not equals:
            raise ValueError
        numbers = [float(number) for number in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{setting!r} is not NAME=VALUE, with a number or numbers with commas between them", param_hint="--set"
        ) from None
    return name.strip(), numbers[0] if len(numbers) == 1 else numbers


def _read_timeline(path: Path, engine: "Engine") -> "Timeline":
    from vrnn_engine.runtime.live.timeline import read_timeline

    found = read_timeline(path, engine.voice.manifest.frames_per_second)
    if found.head and found.head.fingerprint != engine.fingerprint:
        report.warn(f"{path} was played on another voice or version ({found.head.voice}): it will not sound the same")
    return found


def _prime(source: "Stream", path: Path) -> None:
    started = source.frame
    seen = source.prime(path)
    seconds = (source.frame - started) / source.voice.manifest.frames_per_second
    done = "; converted: " + ", ".join(seen.conversions) if seen.conversions else ""
    report.say(f"primed with {seconds:.2f} s of {path}{done}")
