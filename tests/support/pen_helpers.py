"""Ink for tests, and readers of SVG, HPGL and G-code that share no code with the sinks that write them."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from vrnn_engine.runtime.sinks import Format, make_sink
from vrnn_engine.runtime.sinks.ink.page import Layout, Line, PageOptions

PEN = Format("pen", 100, 3, "mm", "toy")
SVG = "{http://www.w3.org/2000/svg}"

Strokes = list[np.ndarray]


def words(count: int, climb: float = 0.0) -> np.ndarray:
    """Return words of zigzags 16 mm wide, 5 mm apart, on a line that climbs by `climb` mm per word."""
    word = [(5, -climb, 0), *[(1, 2, 0), (1, -2, 0)] * 7, (1, 2, 0), (1, -2, 1)]
    return np.array(word * count, np.float32)


def writing(points: int, seed: int = 0) -> np.ndarray:
    """Return ink that resembles handwriting: strokes of 1 to 40 points, dots, and moves of all sizes."""
    rng = np.random.default_rng(seed)
    moves = rng.normal([0.3, 0], 0.8, (points, 2))
    up = rng.random(points) < rng.choice([0.02, 0.1, 0.5], points)
    moves[np.roll(up, 1)] += rng.normal([1.5, 0], [2, 1], (up.sum(), 2))
    return np.column_stack([moves, up]).astype(np.float32)


def shapes(points: np.ndarray) -> Strokes:
    """Return the strokes of points [n, 3], each relative to its first point."""
    places = np.cumsum(points[:, :2].astype(float), axis=0)
    ends = np.flatnonzero(points[:, 2] > 0.5) + 1
    return [stroke - stroke[0] for stroke in np.split(places, ends) if len(stroke)]


def assert_same_shapes(found: Strokes, expected: Strokes, tolerance: float) -> None:
    """Assert that strokes have the expected shapes, wherever they are."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one - one[0] - other).max() <= tolerance


def looping_stream(ink: np.ndarray, rate: int = 100) -> SimpleNamespace:
    """Return a stream that yields the same ink over and over."""
    position = [0]

    def read(frames: int) -> np.ndarray:
        block = np.take(ink, range(position[0], position[0] + frames), axis=0, mode="wrap")
        position[0] += frames
        return block

    manifest = SimpleNamespace(modality="pen", rate=rate, frame_size=3, unit="mm", name="toy", text=None, channels=1)
    return SimpleNamespace(read=read, voice=SimpleNamespace(manifest=manifest))


def lay_out(points: np.ndarray, block: int = 20, **options: float) -> list[Line]:
    """Return the lines of ink that is added to a layout in blocks."""
    layout = Layout(PageOptions(**options), PEN, "here")
    lines = [line for start in range(0, len(points), block) for line in layout.add(points[start : start + block])]
    return lines + layout.finish()


def send(target: object, *blocks: np.ndarray, format: Format = PEN) -> None:
    """Write blocks of ink to a target."""
    sink = make_sink(str(target))
    sink.open(format)
    for block in blocks:
        sink.write(block)
    sink.close()


def read_svg(path: Path) -> tuple[Strokes, tuple[float, float]]:
    """Return the strokes and the size of the page in mm; y grows downwards."""
    root = ET.parse(path).getroot()
    found = [node.attrib["d"] for node in root.iter(f"{SVG}path")]
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    assert (root.attrib["width"], root.attrib["height"]) == (f"{width:g}mm", f"{height:g}mm")
    return [(read_path(d)[::3] if "C" in d else read_path(d)) for d in found], (width, height)


def read_path(d: str) -> np.ndarray:
    """Return the coordinates of a path of one command, M X Y and then L or C with nothing but numbers."""
    number = r"-?\d+\.\d\d"
    assert re.fullmatch(rf"M{number} {number}[LC]{number}( {number})*", d), d
    places = np.array([float(text) for text in re.findall(number, d)]).reshape(-1, 2)
    assert "L" in d or len(places) % 3 == 1
    return places


def read_hpgl(path: Path | str) -> list[Strokes]:
    """Return the strokes in mm of each page; y grows upwards."""
    text = Path(path).read_text() if isinstance(path, Path) else path
    pages: list[Strokes] = [[]]
    here, stroke, ready = (0, 0), [], False
    for name, numbers in re.findall(r"([A-Z]{2})([-\d,.]*);", text):
        values = [int(number) for number in numbers.split(",") if number]
        moves = list(zip(values[::2], values[1::2], strict=True)) if name in ("PU", "PD") else []
        if name == "IN":
            ready = True
        elif name == "PG":
            pages.append([])
        elif name == "PD":
            assert ready
            stroke = stroke or [here]
            stroke += moves
        elif name == "PU":
            if stroke:
                pages[-1].append(np.array(stroke) / 40)
            stroke = []
        here = moves[-1] if moves else here
    assert not stroke, "the pen was left down"
    assert here == (0, 0)
    return pages


def read_gcode(path: Path) -> list[Strokes]:
    """Return the strokes in mm of each page, of a pen that M3 lowers and M5 lifts; y grows upwards."""
    pages: list[Strokes] = [[]]
    here, stroke, down = (0.0, 0.0), [], False
    for line in path.read_text().splitlines():
        words = dict(re.findall(r"([A-Z])(-?[\d.]+)", line))
        if "M" in words and words["M"] == "0":
            pages.append([])
        elif "M" in words:
            if down and words["M"] == "5":
                pages[-1].append(np.array(stroke))
            down = words["M"] == "3"
            stroke = [here] if down else []
        elif "X" in words:
            assert words["G"] == ("1" if down else "0")
            assert not down or float(words["F"]) > 0
            here = float(words["X"]), float(words["Y"])
            stroke += [here] if down else []
    assert not down
    assert here == (0, 0)
    return pages


LETTER = Format("pen", 30, 3, "mm", "toy", line_height=11.0)
"""Format of a voice that writes a text."""
RESTS = np.tile(np.float32([[0, 0, 1]]), (5, 1))
"""Points of a voice that waits for more text."""


def written_text(text: str, drift: float = 0.0) -> np.ndarray:
    """Return ink as a voice writes a text: a zigzag of 4 x 2 mm for each letter, and a move at the end of each line.

    Every word is one stroke.  `drift` is the number of mm by which the ink moves down for each letter.
    """
    points, begin, x, y = [], (0.0, 0.0), 0.0, 0.0
    here = (0.0, 0.0)
    for line in text.split("\n"):
        heights = []
        x, y = begin
        for word in line.split(" "):
            for index, _ in enumerate(word):
                corners = [(x, y), (x + 1, y - 2), (x + 2, y), (x + 3, y - 2)]
                points += [[*corner, float(index == len(word) - 1 and corner is corners[-1])] for corner in corners]
                heights += [height for _, height in corners]
                x, y = x + 4, y + drift
            x += 4
        begin = (begin[0], float(np.mean(heights)) + 11 if heights else begin[1] + 11)
    moves = np.array(points)
    moves[:, :2] = np.diff(moves[:, :2], axis=0, prepend=[here])
    return moves.astype(np.float32)
