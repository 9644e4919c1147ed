"""Prepares lines of ink with their texts: fills in what a file does not say, smooths, resamples and scales."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.base.strokes import resample_strokes
from vrnn_engine.data.batches import Floats
from vrnn_engine.data.line_files import load_lines, writers
from vrnn_engine.data.options import PenData
from vrnn_engine.data.strokes import MM_PER_INCH, ink_height, millimetre_scales
from vrnn_engine.data.text.lines import smooth_strokes
from vrnn_engine.data.text.transcripts import clean_transcript
from vrnn_engine.errors import DataError

SMOOTHING = 0.45
"""Sd of the smoothing before resampling, in points of the new rate."""
SPEED = 20.0
"""Usual speed of a pen on the paper, in heights of the ink (`ink_height`) per second.  Over the 181 sessions of UNIPEN
with at least one line in five, the median is 21.0 and the quartiles are 15.9 and 24.2."""
UNUSUAL = 3.0
"""A warning is logged if the pens of a file are faster or slower than usual by more than this factor."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TextLine:
    """One line of a corpus.

    Attributes
    ----------
    id : str
        Its name.
    ink : float32 array [n, 3]
        dx, dy, pen-up: smoothed, resampled and scaled.
    text : str
        Its transcript, cleaned; empty if it has none.
    writer : str
        Session or writer.
    split : str
        `train`, `valid` or `test`, or empty if the file does not say it.
    """

    id: str
    ink: Floats
    text: str
    writer: str
    split: str


def prepared_lines(path: Path, options: PenData, strict: bool = False) -> Iterator[TextLine]:
    """Yield the lines of a corpus, in the unit and at the rate of a recipe.

    Parameters
    ----------
    path : Path
        The corpus; see `vrnn_engine.data.line_files.load_lines`.  It needs texts.  Without `contributor`, lines are
        those of one contributor if their ids agree up to the last dash.  Without `points_per_inch`, all tablets are
        assumed to have the same resolution; with `height_mm`, the size of the ink then determines the scale.  Without
        `points_per_second`, all pens are assumed to have one rate, at which their median speed is `SPEED`; a warning
        says so.
    options : PenData
        How to scale and resample the lines.
    strict : bool
        Raise an error if a file of a folder cannot be read, instead of leaving it out with a logged warning.

    Raises
    ------
    DataError
        The corpus is not readable, or has no texts.
    """
    table, _ = load_lines(path, strict)
    if "texts" not in table:
        raise DataError(f"{path}: lacks texts, which a text-conditioned model needs; {_remedy(path)}")
    ids, ends = [str(one) for one in table["ids"]], table["offsets"]
    raw = [np.column_stack([table["dxy"][a:b], table["eos"][a:b]]).astype(np.float32) for a, b in pairwise(ends)]
    contributors = table.get("contributor", np.array([one.rpartition("-")[0] for one in ids]))
    scales = np.ones(len(raw))
    if options.height_mm is not None:
        resolution = table.get("points_per_inch", np.full(len(raw), MM_PER_INCH))
        scales = millimetre_scales(raw, contributors, resolution, options.height_mm)
    rates = _rates(path, raw, table.get("points_per_second"))
    splits, names = table.get("split", [""] * len(raw)), writers(table["ids"], contributors)
    for place, ink in enumerate(raw):
        ratio = options.rate / float(rates[place])
        ink = resample_strokes(smooth_strokes(ink, SMOOTHING / ratio if ratio < 1 else 0.0), ratio)
        ink[:, :2] *= scales[place]
        text = clean_transcript(str(table["texts"][place]))
        yield TextLine(ids[place], ink, text, names[place] or ids[place], str(splits[place]))


def _remedy(path: Path) -> str:
    """Return how to add texts to a corpus."""
    if path.is_dir():
        return "put the corpus' folder `ascii` with the transcripts beside `lineStrokes`"
    if path.suffix.lower() == ".jsonl":
        return 'put a header {"text": "..."} before the points of each line'
    return "add the array `texts`, or make the file with vrnn-engine ink convert and its option texts"


def _rates(path: Path, lines: list[Floats], known: NDArray[Any] | None) -> NDArray[np.float64]:
    """Return the points per second of each line; log a warning if they are not known or not plausible."""
    usual = _usual_rate(lines)
    if known is None:
        _log.warning(
            "%s: does not say its points per second; %g are assumed, at which the pen is as fast as usual", path, usual
        )
        return np.full(len(lines), usual)
    stated = float(np.median(known))
    if not 1 / UNUSUAL <= stated / usual <= UNUSUAL:
        _log.warning(
            "%s: says that it has %g points per second; then the pen is %.1f times as fast as usual, "
            "so the number is probably wrong: %g would be usual",
            *(path, stated, stated / usual, usual),
        )
    return known.astype(np.float64)


def _usual_rate(lines: list[Floats]) -> float:
    """Return the points per second at which the pens of a corpus have the usual speed."""
    moves = []
    for line in lines:
        on_paper = np.append(False, line[:-1, 2] < 0.5)
        height = ink_height(line)
        if on_paper.any() and height > 0:
            moves.append(float(np.hypot(*line[on_paper, :2].T).mean()) / height)
    typical = float(np.median(moves)) if moves else 0.0
    return float(max(1, round(SPEED / typical))) if typical > 0 else 1.0
