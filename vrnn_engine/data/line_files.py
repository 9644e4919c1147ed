"""Opens a corpus of lines of ink: an .npz or .jsonl file, or a folder of IAM-OnDB."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vrnn_engine.data.iam import load_line_strokes
from vrnn_engine.data.ink.json_lines import load_json_lines
from vrnn_engine.data.ink.lines import lines_table
from vrnn_engine.data.pen_files import load_npz
from vrnn_engine.data.skipped import warn_of_skipped


def load_lines(path: Path, strict: bool = False) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Read the lines of a corpus.

    Parameters
    ----------
    path : Path
        A folder of IAM-OnDB (see `vrnn_engine.data.iam`), a .jsonl file (see `vrnn_engine.data.ink.json_lines`), or
        else an .npz file (see `vrnn_engine.data.pen_files`).
    strict : bool
        Raise an error if a file of a folder cannot be read, instead of leaving it out with a logged warning.

    Returns
    -------
    dict
        Arrays by name, as `vrnn_engine.data.pen_files.load_npz` describes them.
    list of str
        For each skipped file, its path and the reason.

    Raises
    ------
    DataError
        There are no lines of ink at the path, or they cannot be read.
    """
    if path.is_dir():
        table, skipped = load_line_strokes(path, strict)
        warn_of_skipped(path, skipped, len(table["ids"]) + len(skipped), "lines")
        return table, skipped
    if path.suffix.lower() == ".jsonl":
        return lines_table(load_json_lines(path)), []
    return load_npz(path), []


def writers(ids: NDArray[Any], others: Iterable[object]) -> list[str]:
    """Return the writer of each line: the part of its id before the last `#`, or else its name in `others`.

    UNIPEN's ids are `FILE#SEGMENTS`.  A file is a session of one writer, and UNIPEN's contributors are institutions.

    Parameters
    ----------
    ids : array [lines]
        Names of the lines.
    others : iterable
        A name for each line, such as its contributor.
    """
    named = ((*str(identity).rpartition("#"), str(other)) for identity, other in zip(ids, others, strict=True))
    return [file if mark else other for file, mark, _, other in named]
