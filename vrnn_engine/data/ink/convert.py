"""Converts files of other programs to ink that `vrnn-engine train` and `stream --prime` read."""

import io
import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.base.files import write_atomically
from vrnn_engine.data.ink.inkml import read_inkml
from vrnn_engine.data.ink.strokes import Conversion, Strokes, to_points
from vrnn_engine.data.ink.svg import read_svg
from vrnn_engine.data.ink.tables import read_arrays, read_csv
from vrnn_engine.errors import DataError

READ = (".svg", ".inkml", ".csv", ".tsv", ".npy", ".npz")
WRITTEN = (".npz", ".jsonl")
STEPS_PER_MM = 100
"""Positions in an .npz are whole numbers of this step, since training adds noise of one of them."""

Line = tuple[str, NDArray[np.float32]]
"""Name and points [T, 3] of one line of ink."""


def convert(sources: Sequence[Path], target: Path, how: Conversion, writer: str | None = None) -> list[Line]:
    """Convert files to one file of ink.

    Parameters
    ----------
    sources : sequence of Path
        SVG, InkML, CSV, or .npy or .npz of stroke-3.  Each drawing becomes one line of ink.
    target : Path
        An .npz of lines, to train on; with one line, also to prime with.  Or a .jsonl of one line, to prime with.
    how : Conversion
        Rate and scale of the result.
    writer : str, optional
        Who wrote the lines; by default the name of each file.

    Returns
    -------
    list of tuple
        Name and points of each line.

    Raises
    ------
    DataError
        A file cannot be read, or the target's kind is unknown.
    """
    if target.suffix.lower() not in WRITTEN:
        raise DataError(f"{target}: ink is written to {' or '.join(WRITTEN)} files; name one")
    lines: list[Line] = []
    writers: list[str] = []
    for source in sources:
        for name, ink in read_ink(source).items():
            lines.append((name, to_points(ink, how, str(source))))
            writers.append(writer or source.stem)
    if target.suffix.lower() == ".npz":
        data = _npz(lines, writers, how.rate)
    elif len(lines) == 1:
        data = _jsonl(lines[0][1], how.rate)
    else:
        raise DataError(f"{target}: a .jsonl has one line of ink, and there are {len(lines)}; write an .npz")
    write_atomically(target, data, DataError)
    return lines


def read_ink(source: Path) -> dict[str, Strokes]:
    """Read the drawings of a file, by name.

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
    kind = source.suffix.lower()
    if kind in (".npy", ".npz"):
        return {
            f"{source.stem}-{name}" if name != source.stem else name: ink for name, ink in read_arrays(source).items()
        }
    readers = {".svg": read_svg, ".inkml": read_inkml, ".csv": read_csv, ".tsv": read_csv}
    if kind not in readers:
        raise DataError(f"{source}: ink is read from {', '.join(READ)} files")
    return {source.stem: readers[kind](source)}


def _npz(lines: Sequence[Line], writers: Sequence[str], rate: float) -> bytes:
    """Return the file that `vrnn_engine.data.pen_files.load_npz` describes; one line also as `--prime` reads it."""
    steps = [_whole_steps(points) for _, points in lines]
    table = {
        "dxy": np.concatenate(steps),
        "eos": np.concatenate([points[:, 2] for _, points in lines]).astype(np.uint8),
        "offsets": np.array([0, *accumulate(map(len, steps))]),
        "ids": np.array([name for name, _ in lines]),
        "contributor": np.array(writers),
        "points_per_inch": np.full(len(lines), 25.4 * STEPS_PER_MM, np.float32),
        "points_per_second": np.full(len(lines), rate, np.float32),
    }
    if len(lines) == 1:
        points = lines[0][1]
        table |= {"dx": points[:, 0], "dy": points[:, 1], "pen_up": points[:, 2]}
        table |= {"unit": np.array("mm"), "rate": np.array(rate)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **table)  # type: ignore[arg-type]
    return buffer.getvalue()


def _whole_steps(points: NDArray[np.float32]) -> NDArray[np.int32]:
    positions = np.rint(np.cumsum(points[:, :2], axis=0, dtype=np.float64) * STEPS_PER_MM)
    return np.diff(positions, axis=0, prepend=positions[:1]).astype(np.int32)


def _jsonl(points: NDArray[np.float32], rate: float) -> bytes:
    rows = [{"unit": "mm", "rate": rate}]
    for number, (dx, dy, up) in enumerate(points.tolist()):
        rows.append(
            {"t": round(number / rate, 6), "dx": float(f"{dx:.9g}"), "dy": float(f"{dy:.9g}"), "pen_up": int(up)}
        )
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()
