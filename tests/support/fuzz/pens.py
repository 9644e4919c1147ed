"""Readers of ink: recordings that prime a voice, corpora, and files of other programs."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from support import toy_voice
from support.corpora import make_ink
from support.fuzz.arrays import damaged_arrays, npz_bytes
from support.fuzz.damage import damage_bytes, damage_value, to_json
from support.fuzz.reader import Reader
from support.pen_helpers import writing
from vrnn_engine.data.ink.convert import read_ink, read_texts
from vrnn_engine.data.ink.strokes import Conversion, to_points
from vrnn_engine.data.line_files import load_lines
from vrnn_engine.runtime.recording import read_recording
from vrnn_engine.runtime.recording.ink import text_of_ink
from vrnn_engine.runtime.voice.manifest import read_manifest

SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" width="20mm" height="20mm" viewBox="0 0 40 40">
<g transform="translate(2 2) rotate(3)"><path d="M0 0 V12 H8 C 1 2 3 4 5 6 A 3 3 0 0 1 5 5 Z"/><polyline
points="2,16 10,16"/></g><circle cx="4" cy="4" r="2"/><g style="display:none"><path d="M0 0 L99 99"/></g></svg>"""
INKML = b"""<?xml version="1.0"?><ink xmlns="http://www.w3.org/2003/InkML"><traceFormat>
<channel name="X" type="decimal" units="cm"/><channel name="Y" type="decimal" units="cm"/>
<channel name="T" type="integer" units="ms"/></traceFormat>
<trace>0 0 0, 0 0.6 100, 0.4 0.6 200</trace><trace>0.1 0.8 300, '0.4 '0 '100</trace></ink>"""
CSV = b"X; Y; Stroke; t\n0; 0; 1; 0\n0; 6; 1; 0.1\n4; 6; 1; 0.2\n1; 8; 2; 0.3\n5; 8; 2; 0.4\n"
IAM = b"""<?xml version="1.0" encoding="ISO-8859-1"?><WhiteboardCaptureSession><StrokeSet>
<Stroke><Point x="100" y="200" time="1.00"/><Point x="110" y="210" time="1.01"/></Stroke>
<Stroke><Point x="120" y="200" time="1.30"/><Point x="130" y="190" time="1.31"/></Stroke>
</StrokeSet></WhiteboardCaptureSession>"""


def _rows(points: np.ndarray) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"text": "Dear Anna,", "id": "one", "writer": "me", "unit": "mm", "rate": 100}]
    for number, (dx, dy, up) in enumerate(points.tolist()):
        rows.append({"t": number / 100, "dx": dx, "dy": dy, "pen_up": int(up)})
    return rows


def _json_lines(rows: list[dict[str, Any]]) -> Callable[[Random], bytes]:
    def damaged(rng: Random) -> bytes:
        lines = [json.dumps(row).encode() for row in rows]
        if rng.random() < 0.4:
            return damage_bytes(b"\n".join(lines), rng)
        at = rng.randint(0, len(rows) - 1)
        lines[at] = to_json(damage_value(rows[at], rng))
        return b"\n".join(lines)

    return damaged


def _recording(home: Path, name: str, valid: bytes, damaged: Callable[[Random], bytes]) -> Reader:
    """A recording of ink for a toy voice."""
    manifest = read_manifest(toy_voice.build(home / "toy", "pen"))

    def read(path: Path) -> Any:
        text_of_ink(path)
        return read_recording(path, manifest).frames.tobytes()

    return Reader.of_file(home / name, valid, read, damaged)


def recordings_npz(home: Path) -> Reader:
    """An .npz that primes a voice."""
    points = writing(50)
    arrays = {"dx": points[:, 0], "dy": points[:, 1], "pen_up": points[:, 2]}
    valid, damaged = damaged_arrays(
        {**arrays, "unit": np.array("mm"), "rate": np.array(50.0), "texts": np.array(["one"])}
    )
    return _recording(home, "ink.npz", valid, damaged)


def recordings_jsonl(home: Path) -> Reader:
    """A .jsonl that primes a voice."""
    rows = _rows(writing(50))
    return _recording(home, "ink.jsonl", b"\n".join(json.dumps(row).encode() for row in rows), _json_lines(rows))


def piped_ink(home: Path) -> Reader:
    """JSON lines from a pipe."""
    manifest = read_manifest(toy_voice.build(home / "toy", "pen"))
    rows = _rows(writing(50))

    def read(data: bytes) -> Any:
        with piped(data) as place:
            return read_recording(place, manifest).frames.tobytes()

    return Reader(b"\n".join(json.dumps(row).encode() for row in rows), _json_lines(rows), read)


class piped:  # noqa: N801 - a context manager
    """The path of a pipe that holds bytes; those that do not fit are left out."""

    def __init__(self, data: bytes) -> None:
        self._read, write = os.pipe()
        os.set_blocking(write, False)
        if data:
            os.write(write, data)
        os.close(write)

    def __enter__(self) -> str:
        return f"/dev/fd/{self._read}"

    def __exit__(self, *error: object) -> None:
        os.close(self._read)


def _corpus(home: Path, name: str, valid: bytes, damaged: Callable[[Random], bytes] | None = None) -> Reader:
    (home / name).parent.mkdir(exist_ok=True)

    def read(path: Path) -> Any:
        table, _ = load_lines(path if path.parent == home else path.parent, strict=True)
        return {name: array.tobytes() for name, array in table.items()}

    return Reader.of_file(home / name, valid, read, damaged)


def corpora_npz(home: Path) -> Reader:
    """An .npz of lines of ink."""
    with np.load(make_ink(home / "whole.npz", 4)) as file:
        arrays = dict(file)
    return _corpus(home, "lines.npz", *damaged_arrays(arrays))


def corpora_jsonl(home: Path) -> Reader:
    """A .jsonl of lines of ink."""
    rows = _rows(writing(50))
    return _corpus(home, "lines.jsonl", b"\n".join(json.dumps(row).encode() for row in rows), _json_lines(rows))


def corpora_iam(home: Path) -> Reader:
    """A line of IAM-OnDB."""
    return _corpus(home, "iam/a01-000u-01.xml", IAM)


def _drawing(home: Path, name: str, valid: bytes) -> Reader:
    """A drawing of another program."""

    def read(path: Path) -> Any:
        return [(one.id, to_points(one.ink, Conversion(scale=1.0), name).tobytes()) for one in read_ink(path)]

    return Reader.of_file(home / name, valid, read)


def arrays_npy(home: Path) -> Reader:
    """A .npy of stroke-3."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([[0, 0, 0], [0, 6, 0], [4, 0, 1], [-3, 2, 0], [4, 0, 1]], np.int16))
    return _drawing(home, "three.npy", buffer.getvalue())


def arrays_npz(home: Path) -> Reader:
    """An .npz of arrays of objects, as Sketch-RNN's."""
    drawings = np.empty(2, object)
    drawings[:] = [np.zeros((5, 3), np.int16), np.ones((4, 3), np.int16)]
    valid = npz_bytes({"train": drawings}, True)
    return _drawing(home, "sketches.npz", valid)


def texts(home: Path) -> Reader:
    """A file of texts."""
    return Reader.of_file(home / "texts.txt", "Dear Anna,\nthank you, für ☃\n".encode(), read_texts)


READERS = {
    "ink-npz": recordings_npz,
    "ink-jsonl": recordings_jsonl,
    "ink-piped": piped_ink,
    "corpus-npz": corpora_npz,
    "corpus-jsonl": corpora_jsonl,
    "corpus-iam": corpora_iam,
    "drawing-svg": lambda home: _drawing(home, "page.svg", SVG),
    "drawing-inkml": lambda home: _drawing(home, "trace.inkml", INKML),
    "drawing-csv": lambda home: _drawing(home, "points.csv", CSV),
    "drawing-npy": arrays_npy,
    "drawing-npz": arrays_npz,
    "texts": texts,
}
