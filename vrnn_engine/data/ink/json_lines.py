"""Reads and writes lines of ink as JSON lines: a header for each line of writing, then its points.

    {"text": "Dear Anna,", "id": "letter-1", "writer": "me", "unit": "mm", "rate": 50}
    {"t": 0.0, "dx": 0, "dy": 0, "pen_up": 0}
    {"t": 0.02, "dx": 0.31, "dy": -0.2, "pen_up": 0}

Each object without `dx` is a header, and the points after it are a new line of writing.  All its fields are optional.
`unit`, `rate` and `writer` also hold for the lines after it.  A file without headers is one line, as
`vrnn_engine.runtime.sinks.jsonl` writes it.  y grows downwards.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from vrnn_engine.base.reading.decoding import decode_json
from vrnn_engine.base.reading.limits import MOST_CORPUS
from vrnn_engine.base.strokes import MILLIMETRES
from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.data.ink.lines import Drawing, Line
from vrnn_engine.data.ink.strokes import Conversion, Strokes, check_rate, cut, mean_rate, to_points
from vrnn_engine.errors import DataError

ROUNDING = 2e-6
"""Largest deviation in seconds of evenly spaced times that were rounded to microseconds."""

Length = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]


class Row(msgspec.Struct, frozen=True):
    """One object of a file: a point if it has `dx`, else a header."""

    dx: Length | None = None
    dy: Length | None = None
    pen_up: bool | float | None = None
    t: float | None = None
    text: str | None = None
    id: str | None = None
    writer: str | None = None
    unit: str | None = None
    rate: float | None = None


@dataclass
class _Block:
    """The header and the points of one line of writing."""

    number: int
    """Number of the first row in the file, from 1."""
    header: Row
    points: list[Row] = field(default_factory=list)


def read_json_lines(path: Path) -> list[Drawing]:
    """Read the lines of writing of a .jsonl file.

    Parameters
    ----------
    path : Path
        The file; the docstring of this module describes it.  Without `id`, the name of a line is that of the file and
        the number of the row where it begins; without `writer`, its writer is the name of the file.

    Raises
    ------
    DataError
        The file cannot be read, or a row is neither a point nor a header; the message names the row.
    """
    drawings = []
    for block in _blocks(path):
        header, rows = block.header, block.points
        where = f"{path}: line {block.number}"
        if header.unit is not None and header.unit not in MILLIMETRES:
            raise DataError(f"{where}: the unit {header.unit!r} is not a length; give one of {', '.join(MILLIMETRES)}")
        ends = np.flatnonzero([bool(row.pen_up) for row in rows]) + 1
        places = np.cumsum(np.array([(row.dx, row.dy) for row in rows], np.float64), axis=0)
        times, rate = None, header.rate
        if all(row.t is not None for row in rows):
            times = cut(np.array([row.t for row in rows], np.float64), ends)
            rate = mean_rate(times) or rate
            times = None if rate is not None and _even(times, rate) else times
        if rate is not None:
            check_rate(rate, where)
        ink = Strokes(cut(places, ends), MILLIMETRES[header.unit or "mm"], times, rate=rate)
        name = header.id or f"{path.stem}:{block.number}"
        drawings.append(Drawing(name, ink, header.writer or path.stem, header.text or ""))
    return drawings


def load_json_lines(path: Path) -> list[Line]:
    """Read the lines of writing of a .jsonl file as points at their own rate.

    Parameters
    ----------
    path : Path
        As for `read_json_lines`.  Ink without a unit is taken to be in millimetres.

    Raises
    ------
    DataError
        As `read_json_lines`; or some lines have a rate and others do not.
    """
    drawings = read_json_lines(path)
    unknown = [one.id for one in drawings if one.ink.rate is None]
    if unknown and len(unknown) < len(drawings):
        raise DataError(
            f"{path}: line of writing {unknown[0]} has neither rate nor t, which others have; add one to its header"
        )
    return [
        Line(
            one.id,
            to_points(one.ink, Conversion(one.ink.rate), f"{path}: {one.id}"),
            one.writer,
            one.text,
            one.ink.rate,
        )
        for one in drawings
    ]


def encode_json_lines(lines: Sequence[Line]) -> bytes:
    """Return lines as the content of a .jsonl file, in millimetres.

    Parameters
    ----------
    lines : sequence of Line
        Lines with a rate.
    """
    rows: list[dict[str, object]] = []
    for line in lines:
        rate = line.rate or 1.0
        named = {"id": line.id, "writer": line.writer} if len(lines) > 1 else {}
        rows.append(({"text": line.text} if line.text else {}) | named | {"unit": "mm", "rate": rate})
        for number, (dx, dy, up) in enumerate(line.points.tolist()):
            rows.append(
                {"t": round(number / rate, 6), "dx": float(f"{dx:.9g}"), "dy": float(f"{dy:.9g}"), "pen_up": int(up)}
            )
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()


def _blocks(path: Path) -> list[_Block]:
    """Return the headers of a file, each with its points."""
    blocks: list[_Block] = []
    for number, text in enumerate(_rows(path), 1):
        if not text.strip():
            continue
        try:
            row = decode_json(text, Row)
        except ValueError as error:
            raise DataError(f"{path}: line {number}: neither a point nor a header: {error}") from None
        if row.dx is None:
            blocks.append(_Block(number, _inherited(row, blocks[-1].header) if blocks else row))
            continue
        if row.dy is None or row.pen_up not in (0, 1):
            raise DataError(f"{path}: line {number}: a point needs numbers dx and dy, and a pen_up of 0 or 1")
        if not blocks:
            blocks.append(_Block(number, Row(unit=row.unit)))
        blocks[-1].points.append(row)
    for block in blocks:
        if not block.points and block.header.text is not None:
            raise DataError(f"{path}: line {block.number}: the text {block.header.text!r:.40} has no points after it")
    found = [block for block in blocks if block.points]
    if not found:
        raise DataError(f"{path}: has no points of ink, objects with dx, dy and pen_up")
    return found


def _rows(path: Path) -> list[bytes]:
    try:
        return read_text_bytes(path, MOST_CORPUS).split(b"\n")
    except OSError as error:
        raise DataError(f"{path}: not a readable file of JSON lines: {error.strerror}") from None


def _inherited(row: Row, before: Row) -> Row:
    """Return a header with the unit, rate and writer of the header before it, where it has none."""
    kept = {name: getattr(row, name) or getattr(before, name) for name in ("unit", "rate", "writer")}
    return msgspec.structs.replace(row, **kept)


def _even(times: Sequence[np.ndarray], rate: float) -> bool:
    """Return whether all points within strokes have the same distance in time, but for rounding to microseconds."""
    return all((np.abs(np.diff(stroke) - 1 / rate) <= ROUNDING).all() for stroke in times)
