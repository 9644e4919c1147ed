"""Options of `vrnn-engine stream` for the target, the stream and the engine.

The options for sound devices and inputs are in `vrnn_engine.cli.audio`, those for live control in
`vrnn_engine.cli.live`.
"""

from pathlib import Path
from typing import Annotated

import typer

from vrnn_engine.runtime.targets import list_targets_only

OUTPUT, INPUT, STEERING, ENGINE = "Output", "Input", "Steering", "Engine"
"""Titles of the groups in the help text."""

VoiceName = Annotated[
    str,
    typer.Option(
        "--voice",
        "-v",
        metavar="VOICE",
        help="Name, folder or .zip of a voice (`vrnn-engine voices` lists them), or ws://HOST:PORT/VOICE of a server.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="TARGET",
        help=f"Target of the output.  Sound: {list_targets_only('audio')}.  Ink: {list_targets_only('pen')}.  Both: "
        f"{list_targets_only('audio', 'pen')} (stdout: raw 16-bit PCM for sound, JSON lines for ink).  "
        "Options follow the target, as in FILE.svg?margin=8, serial:PORT?format=gcode (docs/ink.md) or -?format=wav.  "
        "An existing file is replaced.  Default: the sound device if there is one, else VOICE.wav; VOICE.svg for ink.",
        rich_help_panel=OUTPUT,
    ),
]
InkTarget = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="TARGET",
        help=f"Target of the ink: {list_targets_only('pen')}, {list_targets_only('audio', 'pen')} (stdout: "
        "JSON lines).  Options follow the target, as in FILE.svg?margin=8 or serial:PORT?format=gcode (docs/ink.md).  "
        "An existing file is replaced.  Default: VOICE.svg; with --live, the terminal.",
        rich_help_panel=OUTPUT,
    ),
]
Width = Annotated[
    float | None,
    typer.Option(
        "--width", metavar="MM", help="Width of the page for ink; the same as TARGET?width=MM.", rich_help_panel=OUTPUT
    ),
]
Seconds = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        "-s",
        metavar="S",
        help="Length of the stream; inf plays until you stop it.  Default: the length of the --from file; otherwise "
        "10 seconds after the last event of --timeline, or 10 seconds.",
        rich_help_panel=OUTPUT,
    ),
]
Latency = Annotated[
    float | None,
    typer.Option(
        "--latency",
        metavar="SECONDS",
        help="Length of the sound device's buffer; for --to -, of the pipe (Linux; at least 4096 bytes).  "
        "Default: 0.05.",
        rich_help_panel=OUTPUT,
    ),
]
Prime = Annotated[
    Path | None,
    typer.Option(
        "--prime",
        metavar="FILE",
        help="Recording that the stream continues: a sound file, or .jsonl or .npz for ink.",
        rich_help_panel=INPUT,
    ),
]
PrimeInk = Annotated[
    Path | None,
    typer.Option(
        "--prime",
        metavar="FILE",
        help="Ink in whose hand to write: .jsonl or .npz.",
        rich_help_panel=INPUT,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        help="Seed of the random numbers; the same seed gives the same stream.  Default: random.",
        rich_help_panel=STEERING,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        metavar="T",
        help="Set both latent.temperature and output.temperature, if the voice has them; of a voice that writes texts, "
        "output.temperature and mixture.temperature.",
        rich_help_panel=STEERING,
    ),
]
InkTemperature = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        metavar="T",
        help="Set output.temperature and mixture.temperature: below 1 the pen writes more carefully, above 1 more "
        "loosely.",
        rich_help_panel=STEERING,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Set a control; repeatable.  Separate the values of a vector with commas; NAME/INDEX=VALUE sets one "
        "dimension.",
        rich_help_panel=STEERING,
    ),
]
TimelineFile = Annotated[
    Path | None,
    typer.Option(
        "--timeline",
        metavar="FILE",
        help="Apply the timed events of a file: JSON lines (docs/live.md), or a file that --record wrote.",
        rich_help_panel=STEERING,
    ),
]
Record = Annotated[
    Path | None,
    typer.Option(
        "--record",
        metavar="FILE.jsonl",
        help="Write every steering event to a file, for --timeline to replay.",
        rich_help_panel=STEERING,
    ),
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="FOLDER|DEVICE",
        help="Let the events of a timeline, OSC or a plug-in read and write files in this folder and below, or let "
        "forks write to this target, such as serial:/dev/ttyUSB0; repeatable.  Default: the current folder, and that "
        "of the --timeline file; no devices but the default speakers.",
        rich_help_panel=STEERING,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Let the event fork replace existing files; otherwise it is refused.",
        rich_help_panel=STEERING,
    ),
]
Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--steer",
        metavar="NAME[:...]",
        help="Let a plug-in steer the stream; repeatable.",
        rich_help_panel=STEERING,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="SECRET",
        help="Secret that the server of the voice asks for.  Default: the variable VRNN_ENGINE_TOKEN.",
        rich_help_panel=ENGINE,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        help="Processor that runs the model: auto, cpu, cuda or cuda:N.",
        rich_help_panel=ENGINE,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="One of the precisions that the voice contains: fp32, fp16, int8 or int4.  Default: on CUDA fp16 if the "
        "voice has it, otherwise its first precision.",
        rich_help_panel=ENGINE,
    ),
]
Threads = Annotated[
    int,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        help="Threads that compute one step.  The output does not depend on their number.",
        rich_help_panel=ENGINE,
    ),
]
