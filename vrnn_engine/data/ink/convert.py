"""Converts files of other programs to ink that `vrnn-engine train` and `stream --prime` read."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vrnn_engine.base.files import write_atomically
from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.data.ink.inkml import read_inkml
from vrnn_engine.data.ink.json_lines import encode_json_lines, read_json_lines
from vrnn_engine.data.ink.lines import Drawing, Line, lines_table
from vrnn_engine.data.ink.strokes import Conversion, rate_of, to_points
from vrnn_engine.data.ink.svg import read_svg
from vrnn_engine.data.ink.tables import read_arrays, read_csv
from vrnn_engine.errors import DataError

READ = (".svg", ".inkml", ".csv", ".tsv", ".npy", ".npz", ".jsonl")
MOST_POINTS = 100_000_000
"""Largest number of points of a file that is written."""
WRITTEN = (".npz", ".jsonl")


def convert(
    sources: Sequence[Path],
    target: Path,
    how: Conversion,
    writer: str | None = None,
    texts: Sequence[str] | None = None,
) -> list[Line]:
    """Convert files to one file of ink.

    Parameters
    ----------
    sources : sequence of Path
        SVG, InkML, CSV, .npy or .npz of stroke-3, or .jsonl.  Each drawing becomes one line of ink.
    target : Path
        An .npz or .jsonl of lines, to train on; with one line, also to prime with.
    how : Conversion
        Rate and scale of the result.
    writer : str, optional
        Who wrote the lines; by default what a .jsonl says, or the name of each file.
    texts : sequence of str, optional
        What each line says; by default what a .jsonl says, or nothing.

    Returns
    -------
    list of Line
        The lines.

    Raises
    ------
    DataError
        A file cannot be read, the target's kind is unknown, the number of texts is not that of the lines, or there are
        more than `MOST_POINTS` points.
    """
    if target.suffix.lower() not in WRITTEN:
        raise DataError(f"{target}: ink is written to {' or '.join(WRITTEN)} files; name one")
    lines: list[Line] = []
    count = 0
    for source in sources:
        for one in read_ink(source):
            lines.append(_line(one, how, source, writer))
            count += len(lines[-1].points)
            if count > MOST_POINTS:
                raise DataError(f"{source}: more than {MOST_POINTS} points would be written; are the times right?")
    if texts is not None:
        if len(texts) != len(lines):
            raise DataError(
                f"{target}: number of lines of ink: {len(lines)}, of texts: {len(texts)}; give one text for each line"
            )
        lines = [replace(line, text=text) for line, text in zip(lines, texts, strict=True)]
    write_atomically(target, _npz(lines) if target.suffix.lower() == ".npz" else encode_json_lines(lines), DataError)
    return lines


def read_texts(path: Path) -> list[str]:
    """Read the texts of lines of ink from a text file.

    Parameters
    ----------
    path : Path
        UTF-8, one text in each line.  Empty lines at the end do not count; others are lines without a text.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    try:
        return read_text_bytes(path).decode().rstrip().splitlines()
    except OSError as error:
        raise DataError(f"{path}: not a readable file of texts: {error.strerror}") from None
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}: line {row} is not text in UTF-8; save the file in that encoding") from None


def read_ink(source: Path) -> list[Drawing]:
    """Read the drawings of a file.

    Parameters
    ----------
    source : Path
        Its ending decides how it is read.

    Raises
    ------
    DataError
        The ending is unknown, or the file cannot be read.
    """
    if not source.is_file():
        raise DataError(f"{source}: no such drawing")
    kind, stem = source.suffix.lower(), source.stem
    if kind == ".jsonl":
        return read_json_lines(source)
    if kind in (".npy", ".npz"):
        return [
            Drawing(f"{stem}-{name}" if name != stem else name, ink, stem) for name, ink in read_arrays(source).items()
        ]
    readers = {".svg": read_svg, ".inkml": read_inkml, ".csv": read_csv, ".tsv": read_csv}
    if kind not in readers:
        raise DataError(f"{source}: ink is read from {', '.join(READ)} files")
    return [Drawing(stem, readers[kind](source), stem)]


def _line(drawing: Drawing, how: Conversion, source: Path, writer: str | None) -> Line:
    """Return a drawing as a line of points."""
    where = str(source) if source.suffix.lower() != ".jsonl" else f"{source}: {drawing.id}"
    rate = rate_of(drawing.ink, how, where)
    points = to_points(drawing.ink, replace(how, rate=rate), where)
    return Line(drawing.id, points, writer or drawing.writer, drawing.text, rate)


def _npz(lines: Sequence[Line]) -> bytes:
    """Return lines as an .npz file; one line also as `--prime` reads it."""
    table = lines_table(lines)
    if len(lines) == 1:
        points = lines[0].points
        table |= {"dx": points[:, 0], "dy": points[:, 1], "pen_up": points[:, 2]}
        table |= {"unit": np.array("mm"), "rate": np.array(lines[0].rate)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **table)  # type: ignore[arg-type]
    return buffer.getvalue()
