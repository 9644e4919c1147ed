"""A page of handwriting through the programs that read it: none loses, clips or mirrors a stroke.

Each reader returns the strokes in mm of the page, y downwards, from its lower left or upper left corner; they are
compared with the layout.  Programs that are Debian packages are skipped where they are absent.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.grbl_machine import NO_DELAY, GrblMachine
from support.hp7475a import Hp7475a
from support.pen_helpers import read_gcode, read_hpgl, read_svg

from vrnn_engine import Engine
from vrnn_engine.runtime.sinks import Format, make_sink
from vrnn_engine.runtime.sinks.ink.line_breaks import Box
from vrnn_engine.runtime.sinks.ink.page import Layout, PageOptions
from vrnn_engine.runtime.sinks.ink.smooth import short_steps

WIDTH, HEIGHT, MARGIN = 297.0, 210.0, 15.0
PAGE = "paper=a4&orientation=landscape&margin=15"
PIXELS = 96 / 25.4  # Inkscape's and vpype's, to a mm
FAST = 100_000  # points a second, so that a simulated plotter is not waited for

CURVE_TOLERANCE = 0.0005
"""Distance in mm of the points of `along_curve` from the curve."""
LETTER = """Dear Anna,

thank you for the letter of 12 May, and for both books (they arrived on Monday). I read the first one in a single
evening: it is as good as you said! The second has 480 pages, so it will take me longer.

We plan to visit you in June. Is the 20th fine? Our train arrives at 17:45, platform 3.
With love, Max & Zoe"""

ROOM = PageOptions(width=WIDTH, height=HEIGHT, margin=MARGIN).room

Strokes = list[np.ndarray]


@pytest.fixture(scope="module")
def handwriting() -> tuple[np.ndarray, Strokes, Format]:
    """Ink of the bundled voice, its strokes on the page, and its format."""
    engine = Engine.load("handwriting", device="cpu")
    written = Format.of(engine.voice.manifest)
    ink = engine.stream(seed=1, text=LETTER, width=WIDTH - 2 * MARGIN).read_text()
    format = Format("pen", FAST, 3, written.unit, written.name, written.line_height)
    layout = Layout(PageOptions(width=WIDTH, height=HEIGHT, margin=MARGIN), format, "here")
    lines = layout.add(ink) + layout.finish()
    assert {line.page for line in lines} == {0}
    return ink, [np.array(stroke) for line in lines for stroke in line.strokes], format


def write_page(target: object, ink: np.ndarray, format: Format) -> None:
    sink = make_sink(str(target))
    sink.open(format)
    sink.write(ink)
    sink.close()


def assert_same_strokes(found: Strokes, expected: Strokes, tolerance: float) -> None:
    """Assert that the strokes pass through all points of the expected ones, from the first to the last, in order."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one[[0, -1]] - other[[0, -1]]).max() <= tolerance
        assert np.abs(other[:, None] - one[None]).max(axis=2).min(axis=1).max() <= tolerance
        curve = along_curve(other, Box(-WIDTH, -HEIGHT, 2 * WIDTH, 2 * HEIGHT))
        beyond = tolerance + CURVE_TOLERANCE
        assert (one.min(axis=0) >= curve.min(axis=0) - beyond).all()
        assert (one.max(axis=0) <= curve.max(axis=0) + beyond).all()


def along_curve(stroke: np.ndarray, room: Box = ROOM) -> np.ndarray:
    """Return points that follow the curve through a stroke's points."""
    steps = short_steps(stroke.tolist(), room, tolerance=CURVE_TOLERANCE)
    return np.array([tuple(stroke[0]), *(point for part in steps for point in part)])


def upright(strokes: Strokes) -> Strokes:
    """Return strokes with y downwards, from y upwards."""
    return [[0, HEIGHT] + stroke * [1, -1] for stroke in strokes]


def run(*command: str, cwd: Path) -> str:
    """Run a program in a home of its own, or skip the test if it is absent."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed; it is a Debian package")
    environment = {**os.environ, "HOME": str(cwd)}
    done = subprocess.run(command, cwd=cwd, env=environment, input="", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_strict_parsers_of_svg_and_gcode(tmp_path: Path, handwriting: tuple[np.ndarray, Strokes, Format]) -> None:
    ink, expected, format = handwriting
    for name in ("a.svg", "a.gcode", "a.hpgl"):
        write_page(f"{tmp_path}/{name}?{PAGE}", ink, format)
    found, size = read_svg(tmp_path / "a.svg")
    assert size == (WIDTH, HEIGHT)
    assert_same_strokes(found, expected, 0.0251)
    assert_same_strokes(upright(read_gcode(tmp_path / "a.gcode")[0]), expected, 0.0051)
    assert_same_strokes(upright(read_hpgl(tmp_path / "a.hpgl")[0]), expected, 0.0126)


def test_vpype(tmp_path: Path, handwriting: tuple[np.ndarray, Strokes, Format]) -> None:
    vpype = pytest.importorskip("vpype", reason="vpype comes with the extra `dev`")
    ink, expected, format = handwriting
    write_page(f"{tmp_path}/a.svg?{PAGE}", ink, format)
    document = vpype.read_multilayer_svg(str(tmp_path / "a.svg"), quantization=0.02)
    assert list(document.layers) == [1]
    assert np.allclose(np.array(document.page_size) / PIXELS, (WIDTH, HEIGHT))
    found = [np.column_stack([line.real, line.imag]) / PIXELS for line in document.layers[1].lines]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one[[0, -1]] - other[[0, -1]]).max() <= 0.0251
        curve = along_curve(other)
        assert (one.min(axis=0) >= curve.min(axis=0) - 0.0251).all()
        assert (one.max(axis=0) <= curve.max(axis=0) + 0.0251).all()


def test_inkscape(tmp_path: Path, handwriting: tuple[np.ndarray, Strokes, Format]) -> None:
    ink, expected, format = handwriting
    write_page(f"{tmp_path}/a.svg?{PAGE}&ink=0.4", ink, format)
    rows = [line.split(",") for line in run("inkscape", "--query-all", "a.svg", cwd=tmp_path).splitlines()]
    assert [row[0] for row in rows[:2]][1:] == ["pen1"]
    boxes = np.array([row[1:] for row in rows if row[0].startswith("path")], float) / PIXELS
    assert len(boxes) == len(expected)
    for (x, y, width, height), stroke in zip(boxes, expected, strict=True):
        curve = along_curve(stroke)
        # Inkscape's outline of a sharp turn is up to 0.1 mm short, half of the part of the ink beside the curve.
        assert np.abs([x, y] - (curve.min(axis=0) - 0.2)).max() <= 0.11
        assert np.abs([x + width, y + height] - (curve.max(axis=0) + 0.2)).max() <= 0.11


@pytest.mark.parametrize("reader", ["rsvg-convert", "cairosvg"])
def test_a_picture_of_the_page_has_ink_where_the_strokes_are_and_nowhere_else(
    tmp_path: Path, handwriting: tuple[np.ndarray, Strokes, Format], reader: str
) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra `plot`")
    ink, expected, format = handwriting
    write_page(f"{tmp_path}/a.svg?{PAGE}&ink=0.4", ink, format)
    scale = 10  # dots in a mm
    if reader == "cairosvg":
        cairosvg = pytest.importorskip("cairosvg", reason="cairosvg is not installed")
        cairosvg.svg2png(url=str(tmp_path / "a.svg"), write_to=str(tmp_path / "a.png"), dpi=25.4 * scale)
    else:
        run("rsvg-convert", "-d", "254", "-p", "254", "a.svg", "-o", "a.png", cwd=tmp_path)
    alpha = np.array(image.open(tmp_path / "a.png").convert("RGBA"))
    dark = (alpha[..., 3] > 127) & (alpha[..., :3].max(axis=2) < 128)
    assert dark.shape == (round(HEIGHT * scale), round(WIDTH * scale))
    near = np.zeros_like(dark)
    for stroke in expected:
        # Steps of a tenth of the ink's width, along the curve.
        path = along_curve(stroke)
        lengths = np.append(0, np.cumsum(np.hypot(*np.diff(path, axis=0).T)))
        along = np.linspace(0, lengths[-1], int(lengths[-1] / 0.04) + 2)
        dense = np.column_stack([np.interp(along, lengths, column) for column in path.T])
        columns, rows = (dense * scale).astype(int).T
        assert dark[rows, columns].all()
        for right in range(-3, 4):
            for down in range(-3, 4):
                near[rows + down, columns + right] = True
    assert not (dark & ~near).any()


def test_hp2xx(tmp_path: Path, handwriting: tuple[np.ndarray, Strokes, Format]) -> None:
    """It moves the drawing to its own corner, so the strokes are compared from there."""
    ink, expected, format = handwriting
    write_page(f"{tmp_path}/a.hpgl?{PAGE}", ink, format)
    run("hp2xx", "-q", "-t", "-m", "dxf", "-f", "a.dxf", "a.hpgl", cwd=tmp_path)
    number = r"\s*(-?[\d.]+)\s*"
    lines = re.findall(
        rf"LINE\s+8\s+0\s+62\s+\d+\s+39\s+[\d.]+\s+10\n{number}20\n{number}30\n.*\s+11\n{number}21\n{number}31",
        (tmp_path / "a.dxf").read_text(),
    )
    found: list[list[tuple[float, float]]] = []
    for texts in lines:
        x, y, to_x, to_y = map(float, texts)
        if not found or found[-1][-1] != (x, y):
            found.append([(x, y)])
        found[-1].append((to_x, to_y))
    everything = np.concatenate([along_curve(stroke) for stroke in expected])
    corner, low = everything.min(axis=0), everything[:, 1].max()
    from_corner = [np.column_stack([stroke[:, 0] - corner[0], low - stroke[:, 1]]) for stroke in expected]
    assert_same_strokes([np.array(stroke) for stroke in found], from_corner, 0.03)


def test_a_simulated_7475a(handwriting: tuple[np.ndarray, Strokes, Format]) -> None:
    pytest.importorskip("serial", reason="pyserial comes with the extra `dev`")
    ink, expected, format = handwriting
    with Hp7475a() as plotter:
        write_page(plotter.target(), ink, format)
        plotter.finish()
        assert (plotter.lost, plotter.clipped) == (0, 0)
        found = [np.array(stroke) * 0.02488 + [10, 4] for stroke in plotter.strokes]
    assert_same_strokes(upright(found), expected, 0.0131)  # half a step, and the tolerance of the curve


@pytest.mark.slow
def test_a_simulated_grbl(handwriting: tuple[np.ndarray, Strokes, Format]) -> None:
    pytest.importorskip("serial", reason="pyserial comes with the extra `dev`")
    ink, expected, format = handwriting
    with GrblMachine(reach=(WIDTH, HEIGHT)) as machine:
        write_page(f"serial:{machine.port}?format=gcode&{PAGE}{NO_DELAY}", ink, format)
        assert machine.problems == []
        assert_same_strokes(upright([np.array(stroke) for stroke in machine.strokes]), expected, 0.0051)
