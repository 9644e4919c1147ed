"""`vrnn-engine stream`: plays a voice live, or writes its output to a file."""

from collections.abc import Collection

from vrnn_engine.cli import audio, handwriting, live, manuscript, plotting
from vrnn_engine.cli import stream_options as options
from vrnn_engine.cli.help import examples
from vrnn_engine.cli.remote import is_remote, run_remote
from vrnn_engine.cli.request import Request
from vrnn_engine.cli.run import run
from vrnn_engine.cli.target_options import advise_target
from vrnn_engine.cli.usage import WrongOption

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
    (
        "Play the voice of a server for a minute.",
        "vrnn-engine stream --voice ws://studio:8080/blizzard --seconds 60",
    ),
)


def advise(word: str, given: Collection[str]) -> str:
    """Return what to do with an argument, of which this command takes none."""
    other = "is an argument, and this command takes none"
    return advise_target(word, given) or (other if "voice" in given else f"{other}; write --voice {word}")


def stream(
    voice: options.VoiceName,
    to: options.Target = None,
    width: options.Width = None,
    seconds: options.Seconds = None,
    latency: options.Latency = None,
    resume: plotting.Resume = None,
    volume: audio.Volume = None,
    ceiling: audio.Ceiling = None,
    channels: audio.Channels = None,
    strict: audio.Strict = False,
    prime: options.Prime = None,
    prime_text: handwriting.PrimeText = None,
    text: manuscript.Text = None,
    nearest: manuscript.Nearest = False,
    listening: audio.From = None,
    mode: audio.Mode = None,
    seed: options.Seed = None,
    temperature: options.Temperature = None,
    settings: options.Settings = None,
    timeline: options.TimelineFile = None,
    record: options.Record = None,
    allow: options.Allow = None,
    overwrite: options.Overwrite = False,
    osc: live.OscPort = None,
    osc_to: live.OscTo = None,
    midi: live.MidiPort = None,
    midi_learn: live.MidiLearn = None,
    midi_map: live.MidiFile = None,
    steer: options.Plugins = None,
    device: options.Device = "auto",
    precision: options.Precision = None,
    threads: options.Threads = 1,
    token: options.Token = None,
) -> None:
    """Play a voice live, or write its output to a file."""
    if seconds is not None and not seconds > 0:
        raise WrongOption("must be more than 0 (inf is endless)", param_hint="--seconds")
    if latency is not None and not 0 < latency <= 10:
        raise WrongOption("must be more than 0 and at most 10", param_hint="--latency")
    if text is not None and listening is not None:
        raise WrongOption("cannot be combined with --from", param_hint="--text")
    audio.check_mode(mode, listening)
    (run_remote if is_remote(voice) else run)(
        Request(
            voice=voice,
            to=to,
            width=width,
            seconds=seconds,
            latency=latency,
            resume=resume,
            volume=volume,
            ceiling=ceiling,
            channels=channels,
            strict=strict,
            prime=prime,
            prime_text=prime_text,
            listening=listening,
            mode=mode,
            seed=seed,
            temperature=temperature,
            settings=tuple(settings or ()),
            timeline=timeline,
            record=record,
            allow=tuple(allow or ()),
            overwrite=overwrite,
            device=device,
            precision=precision,
            threads=threads,
            token=token,
            text=None if text is None else manuscript.TextRequest(text, nearest=nearest),
        ),
        live.Steering(osc, osc_to, midi, midi_learn, midi_map, steer),
    )
