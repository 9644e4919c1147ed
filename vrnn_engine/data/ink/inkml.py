"""Reads the traces of an InkML file (W3C Recommendation, 2011)."""

import re
from array import array
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from vrnn_engine.base.reading.decoding import one_line
from vrnn_engine.base.reading.xml_tree import read_tree
from vrnn_engine.base.strokes import MILLIMETRES
from vrnn_engine.data.ink.strokes import Points, Strokes
from vrnn_engine.errors import DataError

SECONDS = {"s": 1.0, "ms": 1e-3}
VALUE = re.compile(r"([!\"']?)\s*(-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\*)")
"""A value of a channel, with the mark that it and the following ones are differences (') or second differences (")."""
ORDERS = {"!": 0, "'": 1, '"': 2}


def read_inkml(path: Path) -> Strokes:
    """Read the traces of an InkML file as strokes.

    Parameters
    ----------
    path : Path
        The file.  Its first trace format decides which channels are X, Y and T; without one, they are X and Y.

    Raises
    ------
    DataError
        It is not InkML, or a trace is damaged.
    """
    try:
        root = read_tree(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable InkML file: {one_line(error)}") from None
    if _tag(root) != "ink":
        raise DataError(f"{path}: not an InkML file: its first element is <{_tag(root)}>, not <ink>")
    formats = [element for element in root.iter() if _tag(element) == "traceFormat"]
    channels = [channel for channel in formats[0].iter() if _tag(channel) == "channel"] if formats else []
    names = [channel.get("name", "") for channel in channels] or ["X", "Y"]
    if not {"X", "Y"} <= set(names):
        raise DataError(f"{path}: its trace format has the channels {', '.join(names)}, and X and Y are needed")
    units = dict(zip(names, [channel.get("units", "") for channel in channels] or ["", ""], strict=True))
    traces = [
        _values(path, element.text or "", len(names))
        for element in root.iter()
        if _tag(element) == "trace" and (element.text or "").strip() and element.get("type") != "penUp"
    ]
    columns = [names.index("X"), names.index("Y")]
    times = None
    if "T" in names:
        second = SECONDS.get(units["T"] or "ms", 1e-3)
        times = [trace[:, names.index("T")] * second for trace in traces]
    return Strokes([trace[:, columns] for trace in traces], MILLIMETRES.get(units["X"]), times)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _values(path: Path, text: str, channels: int) -> Points:
    """Return the absolute values [n, channels] of a trace."""
    points = array("d")
    before = [0.0] * channels
    orders, speed = [0] * channels, [0.0] * channels
    for point in text.split(","):
        found = VALUE.findall(point := " ".join(point.split()))  # VALUE takes quadratic time for many spaces
        if len(found) < channels or VALUE.sub("", point).strip():
            raise DataError(f"{path}: a trace has the point {point!r:.40}, and {channels} numbers are needed")
        row = []
        for channel, (mark, value) in enumerate(found[:channels]):
            orders[channel] = ORDERS.get(mark, orders[channel])
            if value == "*":
                row.append(before[channel])
                continue
            number = float(value)
            if orders[channel] == 2:
                number += speed[channel]
            if orders[channel]:
                speed[channel], number = number, number + before[channel]
            row.append(number)
        points.extend(row)
        before = row
    return np.array(points, np.float64).reshape(-1, channels)
