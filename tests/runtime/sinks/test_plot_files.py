"""Files of ink: HPGL and G-code hold the strokes of the layout; units and sizes that cannot be drawn."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from support.pen_helpers import (
    PEN,
    lay_out,
    read_gcode,
    read_hpgl,
    send,
    words,
    writing,
)

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks import make_sink


@pytest.mark.parametrize("name", ["page.svg", "page.hpgl", "page.plt", "page.gcode", "page.nc"])
def test_ink_in_an_unknown_unit_needs_a_scale(tmp_path: Path, name: str) -> None:
    ink, tablet = writing(300), dataclasses.replace(PEN, unit="tablet units")
    hint = re.escape(f"give its size in mm, e.g. {tmp_path / name}?scale=0.01")
    with pytest.raises(SinkError, match=f"the unit of voice 'toy' is 'tablet units', whose size is unknown; {hint}$"):
        send(tmp_path / name, ink, format=tablet)
    assert list(tmp_path.iterdir()) == []
    send(tmp_path / name, ink)
    expected = (tmp_path / name).read_bytes()
    send(f"{tmp_path / name}?scale=0.25", ink * [4, 4, 1], format=tablet)
    assert (tmp_path / name).read_bytes() == expected


@pytest.mark.parametrize("target", ["a.svg", "a.hpgl", "a.plt", "a.gcode", "a.nc"])
def test_a_page_that_is_too_small_is_an_error_and_leaves_no_file(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for options in ("width=30", "height=30", "margin=100", "pitch=200"):
        with pytest.raises(SinkError, match=rf"^{target}: a page .* has no room for lines .* a larger width"):
            make_sink(f"{target}?{options}").open(PEN)
    assert list(tmp_path.iterdir()) == []


def test_ink_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    sink = make_sink(tmp_path / "a.gcode")
    sink.open(PEN)
    with pytest.raises(SinkError, match="has diverged"):
        sink.write(np.float32([[0, np.nan, 0]]))
    sink.abort()


def test_hpgl_and_gcode_draw_the_strokes_of_the_layout(tmp_path: Path) -> None:
    ink = writing(4000)
    options = "width=150&height=100&margin=8&smooth=false"
    send(f"{tmp_path}/a.hpgl?{options}&pen=2", ink[:1500], ink[1500:])
    send(f"{tmp_path}/a.gcode?{options}", ink[:1500], ink[1500:])
    lines = lay_out(ink, width=150, height=100, margin=8)
    pages = [[np.array(s) for line in lines if line.page == page for s in line.strokes] for page in range(20)]
    pages = [page for page in pages if page]
    assert len(pages) > 1
    for found, tolerance in ((read_hpgl(tmp_path / "a.hpgl"), 0.5 / 40), (read_gcode(tmp_path / "a.gcode"), 0.005)):
        assert len(found) == len(pages)
        for strokes, expected in zip(found, pages, strict=True):
            assert len(strokes) == len(expected)
            for one, other in zip(strokes, expected, strict=True):
                flipped = other * [1, -1] + [0, 100]
                assert np.abs(one[[0, -1]] - flipped[[0, -1]]).max() <= tolerance + 1e-9
                # Points that round to the one before are drawn once.
                distances = np.abs(flipped[:, None] - one[None]).max(axis=2).min(axis=1)
                assert distances.max() <= tolerance + 1e-9
    assert (tmp_path / "a.hpgl").read_text().startswith("IN;\nSP2;")


@pytest.mark.parametrize(("settle", "line"), [("0.00001", None), ("0.00051", "G4 P0.001"), ("12.3456", "G4 P12.346")])
def test_gcode_has_no_exponents(tmp_path: Path, settle: str, line: str | None) -> None:
    send(f"{tmp_path}/a.gcode?settle={settle}&width=99999&height=1e5", words(2))
    lines = (tmp_path / "a.gcode").read_text().splitlines()
    assert not any(re.search(r"\de", one) for one in lines)
    assert [one for one in lines if one.startswith("G4")] == ([line] * 6 if line else [])


def test_gcode_draws_at_the_speed_of_the_pen_limited_by_feed(tmp_path: Path) -> None:
    slow, fast = np.float32([[1, 0, 0], [0.1, 0, 0], [0.1, 0, 1]]), np.float32([[1, 0, 0], [9, 0, 0], [9, 0, 1]])
    send(f"{tmp_path}/a.gcode?feed=1200&down=G1 Z-1 F300;G4 P0.5&up=G0 Z3&settle=0&start=$H&origin=top", slow, fast)
    assert (tmp_path / "a.gcode").read_text().splitlines() == [
        *("$H", "G21", "G90", "G94", "G0 Z3"),
        *("G0 X12.00 Y12.00", "G1 Z-1 F300", "G4 P0.5", "G1 X12.10 Y12.00 F600", "G1 X12.20 Y12.00 F600", "G0 Z3"),
        *("G0 X13.20 Y12.00", "G1 Z-1 F300", "G4 P0.5", "G1 X22.20 Y12.00 F1200", "G1 X31.20 Y12.00 F1200", "G0 Z3"),
        *("G0 Z3", "G0 X0 Y0"),
    ]
