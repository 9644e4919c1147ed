"""Smooth curves: they pass through every point, stay within the page, and turn without a corner."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from support.pen_helpers import SVG, lay_out, read_gcode, read_hpgl, read_path, send, shapes, writing

from vrnn_engine.runtime.sinks.ink.line_breaks import Box
from vrnn_engine.runtime.sinks.ink.smooth import bezier_curves, short_steps

STROKES = {
    "handwriting": [stroke for line in lay_out(writing(600)) for stroke in line.strokes if len(stroke) > 1],
    "uneven": [[(0.0, 0.0), (50.0, 0.1), (50.1, 0.0), (50.0, 40.0)]],
    "back and forth": [[(0.0, 0.0), (5.0, 0.0), (0.0, 0.0), (5.0, 0.0)]],
    "with repeated points": [[(0.0, 0.0), (0.0, 0.0), (3.0, 1.0), (3.0, 1.0), (6.0, 0.0)]],
    "two points": [[(1.0, 2.0), (3.0, 4.0)]],
}


def points_on(curve: np.ndarray, count: int = 200) -> np.ndarray:
    """Return points of a cubic Bezier curve by de Casteljau's construction, which the package does not use."""
    t = np.linspace(0, 1, count)[:, None, None]
    level = np.broadcast_to(curve, (count, 4, 2))
    while level.shape[1] > 1:
        level = (1 - t) * level[:, :-1] + t * level[:, 1:]
    return level[:, 0]


@pytest.mark.parametrize("strokes", STROKES.values(), ids=STROKES)
def test_the_curve_passes_through_every_point_within_their_bounding_box(strokes: list) -> None:
    for stroke in strokes:
        curves = bezier_curves(stroke)
        distinct = [point for index, point in enumerate(stroke) if index == 0 or point != stroke[index - 1]]
        assert np.array_equal(np.concatenate([curves[:1, 0], curves[:, 3]]), distinct)
        assert np.array_equal(curves[1:, 0], curves[:-1, 3])
        drawn = np.concatenate([points_on(curve) for curve in curves])
        assert (drawn >= np.min(stroke, axis=0) - 1e-9).all()
        assert (drawn <= np.max(stroke, axis=0) + 1e-9).all()


def test_the_curve_has_no_corner_at_a_point() -> None:
    circle = [(float(np.cos(a)), float(np.sin(a))) for a in np.linspace(0, 2 * np.pi, 13)]
    curves = bezier_curves(circle)
    arriving, leaving = curves[:-1, 3] - curves[:-1, 2], curves[1:, 1] - curves[1:, 0]
    cross = arriving[:, 0] * leaving[:, 1] - arriving[:, 1] * leaving[:, 0]
    assert np.abs(cross).max() < 1e-12
    assert (np.sum(arriving * leaving, axis=1) > 0).all()
    radii = np.hypot(*np.concatenate([points_on(curve) for curve in curves[1:-1]]).T)
    assert np.abs(radii - 1).max() < 0.02  # straight lines between these points come to within 0.966


def test_the_curvature_has_no_jump_at_a_point() -> None:
    wave = [(0.4 * n, float(np.sin(0.7 * n))) for n in range(20)]
    curves = bezier_curves(wave, Box(-1, -3, 9, 3))
    arriving = curves[:-1, 3] - 2 * curves[:-1, 2] + curves[:-1, 1]
    leaving = curves[1:, 2] - 2 * curves[1:, 1] + curves[1:, 0]
    assert arriving == pytest.approx(leaving, abs=1e-12)
    drawn = np.concatenate([points_on(curve) for curve in curves[2:-2]])
    assert drawn[:, 1] == pytest.approx(np.sin(0.7 * drawn[:, 0] / 0.4), abs=0.005)


def test_the_curve_uses_the_room_that_it_has_and_no_more() -> None:
    arch = [(0.0, 2.0), (1.0, 0.0), (2.0, 0.0), (3.0, 2.0)]
    for top in (0.0, -0.1, -9.0):
        drawn = np.concatenate([points_on(curve) for curve in bezier_curves(arch, Box(0, top, 9, 9))])
        assert drawn[:, 1].min() == pytest.approx({0.0: 0.0, -0.1: -0.075, -9.0: -0.3}[top], abs=1e-4)


def test_a_move_that_is_much_longer_than_its_neighbours_makes_no_loop() -> None:
    stroke = [(0.0, 0.0), (50.0, 0.0), (50.1, 0.0), (50.1, 40.0)]
    drawn = np.concatenate([points_on(curve) for curve in bezier_curves(stroke, Box(-99, -99, 99, 99))])
    assert drawn[:, 0].max() < 50.2


def test_a_pen_that_turns_back_turns_at_a_point() -> None:
    stroke = [(0.0, 0.0), (2.0, 0.5), (4.0, 0.9), (2.1, 0.6), (0.0, 0.4)]
    curves = bezier_curves(stroke, Box(-9, -9, 9, 9))
    assert curves[1, 2:] == pytest.approx(np.array([stroke[2]] * 2), abs=0.1)
    assert max(point[0] for curve in curves for point in points_on(curve)) <= 4.02


@pytest.mark.parametrize("strokes", STROKES.values(), ids=STROKES)
@pytest.mark.parametrize("tolerance", [0.1, 0.02])
def test_short_steps_stay_near_the_curve_and_end_at_the_points(strokes: list, tolerance: float) -> None:
    for stroke in strokes:
        curves, steps = bezier_curves(stroke), short_steps(stroke, tolerance=tolerance)
        assert [part[-1] for part in steps] == [tuple(curve[3]) for curve in curves]
        for curve, part in zip(curves, steps, strict=True):
            ends = np.array([tuple(curve[0]), *part])
            for point in points_on(curve, 50):
                along = ends[1:] - ends[:-1]
                t = np.sum((point - ends[:-1]) * along, axis=1) / np.sum(along**2, axis=1)
                nearest = ends[:-1] + np.clip(t, 0, 1)[:, None] * along
                assert np.hypot(*(nearest - point).T).min() <= tolerance


def test_straight_lines_need_no_further_steps() -> None:
    assert short_steps([(0.0, 0.0), (1.0, 1.0), (4.0, 4.0)]) == [[(1.0, 1.0)], [(4.0, 4.0)]]
    assert short_steps([(1.0, 1.0)]) == []


@pytest.mark.parametrize("smooth", ["true", "false"])
@pytest.mark.parametrize("ending", ["svg", "hpgl", "gcode"])
def test_smooth_and_straight_ink_has_the_same_strokes_through_the_same_points(
    tmp_path: Path, ending: str, smooth: str
) -> None:
    ink = writing(1500)
    path = tmp_path / f"a.{ending}"
    send(f"{path}?width=200&height=900&smooth={smooth}", ink)
    expected = shapes(ink)
    if ending == "svg":
        found = [read_path(node.attrib["d"]) for node in ET.parse(path).getroot().iter(f"{SVG}path")]
        assert ("C" in path.read_text()) == (smooth == "true")
    else:
        (found,) = read_hpgl(path) if ending == "hpgl" else read_gcode(path)
        found = [stroke * [1, -1] for stroke in found]
    assert len(found) == len(expected)
    for stroke, shape in zip(found, expected, strict=True):
        distances = np.abs(shape[:, None] - (stroke - stroke[0])[None]).max(axis=2).min(axis=1)
        assert distances.max() <= 0.026
    counts = sum(map(len, found)), sum(map(len, expected))
    assert counts[0] > 1.5 * counts[1] if smooth == "true" else counts[0] <= counts[1] + len(expected)


def test_no_number_of_a_curve_has_an_exponent(tmp_path: Path) -> None:
    tiny = np.float32([[0, 0, 0], [1e-7, 1, 0], [1e-7, 1e-7, 0], [3, 0, 1]])
    send(f"{tmp_path}/a.svg", tiny)
    assert not re.search(r"\de", (tmp_path / "a.svg").read_text())
