"""Where ink lies on paper and on a plotter: names of paper, rotation, plotters that are known by name, their limits."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from support.pen_helpers import lay_out, read_gcode, read_hpgl, send, writing

INK = writing(400)
UNIT = 0.02488


def laid_out(width: float, height: float, margin: float = 12) -> list[np.ndarray]:
    """Return the strokes on the first page, y downwards."""
    lines = lay_out(INK, width=width, height=height, margin=margin)
    return [np.array(stroke) for line in lines if line.page == 0 for stroke in line.strokes]


def draw_file(path: Path, options: str) -> list[np.ndarray]:
    """Write the ink, straight, and return the strokes of the first page, y upwards."""
    send(f"{path}?smooth=false&{options}", INK)
    return (read_gcode if path.suffix in (".gcode", ".nc") else read_hpgl)(path)[0]


def assert_drawn(found: list[np.ndarray], expected: list[np.ndarray], tolerance: float) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one[[0, -1]] - other[[0, -1]]).max() <= tolerance
        assert np.abs(other[:, None] - one[None]).max(axis=2).min(axis=1).max() <= tolerance


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("paper=a4", (210, 297)),
        ("paper=a4&orientation=landscape", (297, 210)),
        ("paper=a3&orientation=portrait", (297, 420)),
        ("paper=letter&orientation=landscape", (279.4, 215.9)),
        ("width=100&height=150&orientation=landscape", (150, 100)),
        ("width=100&height=150", (100, 150)),
    ],
)
def test_paper_has_a_name_and_an_orientation(tmp_path: Path, options: str, size: tuple[float, float]) -> None:
    send(f"{tmp_path}/a.svg?{options}", INK)
    root = ET.parse(tmp_path / "a.svg").getroot()
    assert root.attrib["viewBox"] == f"0 0 {size[0]:g} {size[1]:g}"
    assert_drawn(draw_file(tmp_path / "a.nc", options), [[0, size[1]] + s * [1, -1] for s in laid_out(*size)], 0.006)


@pytest.mark.parametrize("name", ["a.hpgl", "a.plt", "a.gcode", "a.nc"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_page_is_turned_but_never_mirrored(tmp_path: Path, name: str, rotation: int) -> None:
    found = draw_file(tmp_path / name, f"width=120&height=80&rotate={rotation}")
    page = laid_out(120, 80)
    angle = np.radians(rotation)
    turn = np.round([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([(0, 0), (120, 0), (0, 80), (120, 80)]) @ turn
    expected = [([0, 80] + stroke * [1, -1]) @ turn - corners.min(axis=0) for stroke in page]
    assert_drawn(found, expected, 0.5 / 40 + 1e-9)


def test_a_machine_with_its_origin_at_the_top_gets_a_turned_page_too(tmp_path: Path) -> None:
    found = draw_file(tmp_path / "a.gcode", "width=120&height=80&rotate=90&origin=top")
    assert_drawn(found, [np.column_stack([s[:, 1], 120 - s[:, 0]]) for s in laid_out(120, 80)], 0.006)


@pytest.mark.parametrize(
    ("options", "size", "origin", "reach"),
    [
        ("plotter=7475a", (297, 210), (10, 4), (11040, 7721)),
        ("plotter=7475a&paper=a3", (420, 297), (15, 10), (16158, 11040)),
        ("plotter=7475a&paper=letter", (279.4, 215.9), (10, 4.9), (10365, 7962)),
        ("plotter=7440a", (297, 210), (15, 10), (10900, 7650)),
    ],
)
def test_the_default_page_of_a_plotter_lies_in_its_place_on_the_paper_within_the_limits(
    tmp_path: Path,
    said: list[str],
    options: str,
    size: tuple[float, float],
    origin: tuple[float, float],
    reach: tuple[int, int],
) -> None:
    units = [stroke * 40 for stroke in draw_file(tmp_path / "a.hpgl", options)]  # read_hpgl divides by 40
    expected = [([0, size[1]] + stroke * [1, -1] - origin) / UNIT for stroke in laid_out(*size, margin=15)]
    assert_drawn(units, expected, 0.51)
    send(f"{tmp_path}/full.hpgl?{options}", *[writing(9000)])
    full = np.concatenate(read_hpgl(tmp_path / "full.hpgl")[0]) * 40
    assert (full >= 0).all()
    assert (full <= reach).all()
    assert (full.max(axis=0) > 0.8 * np.array(reach)).all()
    assert said == []


def test_an_upright_page_on_a_7475a_is_turned_by_rotate(tmp_path: Path, said: list[str]) -> None:
    units = [stroke * 40 for stroke in draw_file(tmp_path / "a.hpgl", "plotter=7475a&rotate=90")]
    expected = [(stroke[:, ::-1] - (10, 4)) / UNIT for stroke in laid_out(210, 297, margin=15)]
    assert_drawn(units, expected, 0.51)
    assert said == []


def test_the_page_of_an_unnamed_plotter_fits_the_a4_of_those_that_have_names(tmp_path: Path) -> None:
    send(f"{tmp_path}/a.hpgl", writing(9000))
    units = np.concatenate(read_hpgl(tmp_path / "a.hpgl")[0]) * 40
    assert (units >= 0).all()
    assert (units <= (10900, 7650)).all()


@pytest.mark.parametrize("options", ["margin=2", "paper=a3&margin=2", "width=297&height=210&margin=0"])
def test_ink_beyond_the_limits_is_one_warning(tmp_path: Path, said: list[str], options: str) -> None:
    send(f"{tmp_path}/a.plt?plotter=7475a&{options}", writing(2000))
    (warning,) = said
    assert warning.startswith(f"{tmp_path}/a.plt: ink at ")
    assert "is cut off: an HP 7475A on a" in warning
    assert "reaches 1" in warning
