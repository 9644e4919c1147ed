"""`vrnn-engine latents`: draws the KL and the latents of a recording under a voice."""

import os
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vrnn_engine.cli import report
from vrnn_engine.cli.exported import as_voice
from vrnn_engine.errors import RecordingError, SinkError, VoiceError

if TYPE_CHECKING:
    import numpy as np

    from vrnn_engine.evaluation.latents import LatentTrace
    from vrnn_engine.runtime.recording import FrameBlocks
    from vrnn_engine.runtime.stream import Stream

SEED = 0
"""Seed of the samples from the posterior; fixed, so that the same recording gives the same picture."""


def latents(
    voice: Annotated[
        str, typer.Argument(metavar="VOICE", help="Name, folder or .zip of a voice, or a .pt checkpoint.")
    ],
    recording: Annotated[
        Path, typer.Argument(metavar="FILE", help="A recording: a sound file, or .jsonl or .npz for ink.")
    ],
    to: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="Picture to write: .png, .svg or .pdf.  Default: ./FILE.latents.png."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the values of each frame as JSON; draw only if --to is given.")
    ] = False,
) -> None:
    """Draw a recording and the statistics of its latents.

    The picture shows the recording, the KL per frame, and the change of the posterior mean.
    """
    from vrnn_engine.base.files import AtomicFile
    from vrnn_engine.base.text_files import printable
    from vrnn_engine.evaluation.figures import FORMATS, draw_ink, draw_sound, render
    from vrnn_engine.evaluation.long_curve import LongCurve
    from vrnn_engine.runtime.engine import Engine
    from vrnn_engine.runtime.recording import open_recording

    note = ""
    if to is None and not json:
        to, note = Path(f"{recording.stem}.latents.png"), " (no --to given)"
    if to is not None:
        if to.suffix.lower() not in FORMATS:
            raise SinkError(f"{to}: not a picture format; use {', '.join(FORMATS)}")
        _import_matplotlib()  # first, so that a missing extra is reported before any computation

    # The file is opened first, so that a path that cannot be written to is reported before any computation.
    with as_voice(voice) as where, AtomicFile(to) if to else nullcontext() as file:
        engine = Engine.load(where)
        manifest = engine.voice.manifest
        if "kl" not in engine.voice.graph("observe").outputs:
            raise VoiceError(f"voice {manifest.name!r} ({manifest.family}) has no latents to draw")
        if manifest.text:
            raise VoiceError(
                f"voice {manifest.name!r} reads a text: it has one latent for a line, and none of each point to draw; "
                "give a voice without text"
            )
        pen, sound = manifest.modality == "pen", LongCurve()
        ink: list[np.ndarray] = []
        with closing(open_recording(recording, manifest)) as given:
            trace = _observe(engine.stream(SEED), given, ink.append if pen else sound.add)
        if len(trace.kl) < 2:
            raise RecordingError(f"{recording}: is too short: a picture needs two frames of voice {manifest.name!r}")
        if to is not None and file is not None:
            title = f"{printable(recording.name)}, observed by {manifest.name}"
            figure = draw_ink(trace, ink, title) if pen else draw_sound(trace, sound, manifest.rate, title)
            file.append(render(figure, to.suffix))
    target = f" -> {to}{note}" if to else ""
    converted = "; converted: " + ", ".join(given.conversions) if given.conversions else ""
    report.say(f"{len(trace.kl)} frames of {recording}{target}{converted}")
    if json:
        columns = {name: values.tolist() for name, values in vars(trace).items()}
        report.print_json({"voice": manifest.name, "recording": printable(recording), **columns})


def _observe(stream: "Stream", given: "FrameBlocks", keep: "Callable[[np.ndarray], None]") -> "LatentTrace":
    """Observe a recording block by block; pass each block of samples [n] or points [n, 3] to `keep`."""
    from vrnn_engine.evaluation.latents import LatentTracer

    manifest = stream.voice.manifest
    tracer = LatentTracer(manifest.basis, manifest.frames_per_second)
    for frames in given:
        block = frames.reshape(manifest.block_shape)
        seen = stream.prime(block)
        tracer.add(seen.posterior_mean, seen.kl, seen.log_likelihood)
        keep(block.mean(axis=1) if manifest.channels == 2 else block)
    return tracer.trace()


def _import_matplotlib() -> None:
    """Import matplotlib; unless the user has chosen a folder, it keeps its font list in this program's cache."""
    from vrnn_engine.base.folders import cache_folder

    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder("matplotlib")))
    import matplotlib  # noqa: F401
