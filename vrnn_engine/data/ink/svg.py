"""Reads the outlines of an SVG."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from vrnn_engine.base.reading.decoding import guard_damage, one_line
from vrnn_engine.data.ink.strokes import MOST_POINTS, Points, Strokes
from vrnn_engine.data.ink.svg_tree import read_svg_tree
from vrnn_engine.errors import DataError

MM_PER_PX = 25.4 / 96
CURVE_STEPS = 24
"""Pieces of each curved segment, before they are spaced evenly."""


def read_svg(path: Path) -> Strokes:
    """Read paths, lines, polylines and shapes of an SVG, with their transforms, as strokes in order.

    Text is not read: turn it into paths first.

    Parameters
    ----------
    path : Path
        The file.  Its lengths are absolute: those of its width and height, or else 96 px an inch.

    Raises
    ------
    DataError
        It is not an SVG, or has more than `MOST_POINTS` points, or more than the limits of `read_svg_tree`.
    ModuleNotFoundError
        svgelements is not installed; it comes with the extra `ink`.
    """
    import svgelements

    try:
        data = io.BytesIO(ElementTree.tostring(read_svg_tree(path)))
        strokes = guard_damage(lambda: _outlines(svgelements.SVG.parse(data, reify=True, ppi=96.0)))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable SVG: {one_line(error)}") from None
    return Strokes([stroke for stroke in strokes if len(stroke)], MM_PER_PX, traced=False)


def _outlines(svg: Any) -> list[Points]:
    """Return the visible shapes of a document as polylines."""
    import svgelements

    strokes: list[Points] = []
    count = 0
    for shape in svg.elements():
        if isinstance(shape, svgelements.Shape) and shape.values.get("visibility") != "hidden":
            for part in abs(svgelements.Path(shape)).as_subpaths():
                strokes.append(_points(part, MOST_POINTS - count))
                count += len(strokes[-1])
    return strokes


def _points(subpath: Iterable[Any], most: int) -> Points:
    """Return a subpath as a polyline; raise `ValueError` if it has too many points."""
    found: list[tuple[float, float]] = []
    for segment in subpath:
        kind = type(segment).__name__
        if kind == "Move" or segment.start is None or segment.end is None:
            continue
        steps = 1 if kind in {"Line", "Close"} else CURVE_STEPS
        if not found:
            found.append((segment.start.x, segment.start.y))
        points = (segment.point(k / steps) for k in range(1, steps + 1))
        found += [(point.x, point.y) for point in points]
        if len(found) > most:
            raise ValueError(f"it has more than {MOST_POINTS} points; divide it")
    return np.array(found, np.float64).reshape(-1, 2)
