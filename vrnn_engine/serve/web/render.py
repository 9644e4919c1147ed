"""Renders a voice to a file, by the same engine and sinks as the command line: a seed gives the same bits."""

import math
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vrnn_engine.base.atomic.scratch import ScratchFolder
from vrnn_engine.errors import StreamError, VRNNEngineError
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.runtime.live.letters.letter import Letter
from vrnn_engine.runtime.live.letters.plain_text import PlainText
from vrnn_engine.runtime.live.letters.sources import check_text, given_text
from vrnn_engine.runtime.options import add_option
from vrnn_engine.runtime.player import Player
from vrnn_engine.runtime.readable import Readable
from vrnn_engine.runtime.sinks import Format, make_sink
from vrnn_engine.runtime.stream import Stream

FileFormat = Literal["wav", "flac", "svg", "hpgl", "gcode", "jsonl"]
FORMATS: dict[str, tuple[FileFormat, ...]] = {
    "audio": ("wav", "flac", "jsonl"),
    "pen": ("svg", "hpgl", "gcode", "jsonl"),
}
"""Formats of each modality; the first is the default."""
MEDIA_TYPES: dict[FileFormat, str] = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "svg": "image/svg+xml",
    "hpgl": "application/vnd.hp-hpgl",
    "gcode": "text/x-gcode",
    "jsonl": "application/jsonl",
}
SECONDS = 10.0
"""Length of a rendering by default."""
_WATCH = 0.05
"""Seconds between two looks whether to stop."""


class RenderStopped(Exception):
    """Nobody waits for the rendering any more."""


@dataclass(frozen=True)
class Render:
    """A request to render.

    Attributes
    ----------
    format : str
        A format of the voice's modality.
    seconds : float
        Length of the file; with a text, the longest length.
    seed : int or None
        0 to 2**64-1; None: a random one.
    text : str or None
        Text to write, for a voice that reads one.
    nearest : bool
        Whether the nearest character replaces one that the voice cannot write.
    width : float or None
        Width of the page in mm, for ink.
    controls : mapping of str to float or list of float
        Values of controls; `NAME/INDEX` names one dimension.
    """

    format: FileFormat
    seconds: float = SECONDS
    seed: int | None = None
    text: str | None = None
    nearest: bool = False
    width: float | None = None
    controls: Mapping[str, float | list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rendered:
    """A rendered file.

    Attributes
    ----------
    path : Path
        The file, in `folder`.
    seed : int
        Seed of the stream.
    folder : ScratchFolder
        Folder of this rendering alone; the caller removes it after it has sent the file.
    """

    path: Path
    seed: int
    folder: ScratchFolder


def render(engine: Engine, wanted: Render, stopped: Callable[[], bool]) -> Rendered:
    """Render a voice to a file.

    Parameters
    ----------
    engine : Engine
        Runs the voice; sessions may use it at the same time.
    wanted : Render
    stopped : callable
        Returns whether to stop.

    Returns
    -------
    Rendered

    Raises
    ------
    VRNNEngineError
        A value is not possible for this voice.
    RenderStopped
        `stopped` has returned True.
    """
    modality = engine.voice.manifest.modality
    if wanted.format not in FORMATS[modality]:
        known = FORMATS[modality]
        raise StreamError(
            f"voice {engine.voice.name!r} is rendered to {', '.join(known[:-1])} or {known[-1]}, not to {wanted.format}"
        )
    if wanted.width is not None and modality != "pen":
        raise StreamError(f"voice {engine.voice.name!r} makes sound, which has no width; leave out width")
    folder = ScratchFolder()
    path = Path(folder.name) / f"voice.{wanted.format}"
    try:
        return Rendered(path, _write(engine, wanted, path, stopped), folder)
    except VRNNEngineError as error:
        folder.cleanup()
        raise type(error)(str(error).replace(str(path), path.name)) from None  # no path of the server in an answer
    except BaseException:
        folder.cleanup()
        raise


def _write(engine: Engine, wanted: Render, path: Path, stopped: Callable[[], bool]) -> int:
    """Write the file; return the seed."""
    sink = make_sink(str(path) if wanted.width is None else add_option(str(path), "width", f"{wanted.width:g}"))
    manifest = engine.voice.manifest
    line = None if wanted.text is None or manifest.text is None else sink.line_width(Format.of(manifest))
    with closing(engine.stream(wanted.seed, width=line)) as stream:
        for name, value in wanted.controls.items():
            stream.controls.assign(name, value)
        readable = _with_text(stream, wanted)
        with Player(readable, to=sink, seconds=wanted.seconds) as player:
            while not player.wait(_WATCH):
                if stopped():
                    raise RenderStopped
        return stream.seed


def _with_text(stream: Stream, wanted: Render) -> Readable:
    """Return the stream, or what gives it the text."""
    if wanted.text is None:
        return stream
    script = stream.stepper.require_script().text
    check_text(given_text(wanted.text, PlainText(script, wanted.nearest, quiet=True)))
    return Letter(stream, stream, given_text(wanted.text, PlainText(script, wanted.nearest, quiet=True)))


def parse_controls(settings: list[str]) -> dict[str, float | list[float]]:
    """Parse the values of controls in a query.

    Parameters
    ----------
    settings : list of str
        Each `NAME=NUMBER`, or `NAME=NUMBER,NUMBER,...` for a vector.

    Raises
    ------
    StreamError
        A text has another form.
    """
    values: dict[str, float | list[float]] = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        try:
            numbers = [float(number) for number in text.split(",")]
        except ValueError:
            numbers = [math.nan]
        if not name or not all(map(math.isfinite, numbers)):
            raise StreamError(f"{setting!r:.80} is not NAME=NUMBER, or NAME=NUMBER,NUMBER,... for a vector")
        values[name] = numbers[0] if len(numbers) == 1 else numbers
    return values
