"""Small files of ink cannot take more memory or time than large ones may."""

import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.memory import begin_peak, peak_bytes

from vrnn_engine.data.iam import load_line_strokes
from vrnn_engine.data.ink import convert as converting
from vrnn_engine.data.ink import strokes, svg
from vrnn_engine.data.ink.convert import convert, read_ink
from vrnn_engine.data.ink.strokes import Conversion, Strokes, to_points
from vrnn_engine.errors import DataError

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
PATH = '<path d="M0 0h1"/>'
USES = "".join(f'<g id="a{at}">' + 8 * f'<use xlink:href="#a{at - 1}"/>' + "</g>" for at in range(1, 9))
CHILDREN = 2000 * f"<g>{PATH}</g>"
BRACKETS = f'<g transform="{28 * "matrix("}">'
USE_NO_ID = '<use href="#" xlink:href="#other"/>'
ENTITY = '[<!ENTITY a "' + 1000 * "1" + '">]'
TOO_LARGE = "it has too many shapes, too long outlines or too many transforms; divide it"
HOSTILE = {
    "uses.svg": (f'{SVG}<g id="a0">{PATH}</g>{USES}<use href="#a8"/></svg>', TOO_LARGE),
    "circle.svg": (f'{SVG}<g id="a"><use href="#a"/></g></svg>', "more than 200 of its elements lie within or use"),
    "deep.svg": (SVG + 300 * "<g>" + 300 * "</g>" + "</svg>", "more than 200 of its elements lie within each other"),
    "long.svg": (f'{SVG}<path d="M0 0{5_000_000 * "h1"}"/></svg>', TOO_LARGE),
    "moves.svg": (f'{SVG}<g transform="{6000 * "scale(1)"}">{CHILDREN}</g></svg>', TOO_LARGE),
    "brackets.svg": (f'{SVG}<path transform="{100_000 * "matrix("}"/></svg>', "a transform that cannot be read"),
    "digits.svg": (f'{SVG}<polyline points="{20_000 * "1"}"/></svg>', "a number of more than 30 digits"),
    "entity.svg": (f"<!DOCTYPE svg {ENTITY}>{SVG}{80_000 * '&a;'}</svg>", "its entity a contains"),
    "nested.svg": (f'<!DOCTYPE svg [<!ENTITY a "1"><!ENTITY b "&a;">]>{SVG}&b;</svg>', "its entity b contains others"),
    "sheet digits.svg": (
        f"{SVG}<style>.h{{x:{2000 * '1'}}}</style>{PATH}</svg>",
        "x has a number of more than 30 digits",
    ),
    "sheet moves.svg": (
        f"{SVG}<style>*{{transform:{1500 * 'scale(1)'}}}</style>{190 * '<g>'}{20 * PATH}{190 * '</g>'}</svg>",
        TOO_LARGE,
    ),
    "inner brackets.svg": (f"{SVG}{160 * BRACKETS}{PATH}{160 * '</g>'}</svg>", "a transform that cannot be read"),
    "no id.svg": (f'{SVG}<g id="">{600 * PATH}</g>{600 * USE_NO_ID}</svg>', TOO_LARGE),
    "defaults.inkml": (
        f'<!DOCTYPE ink [<!ATTLIST b c CDATA "{100_000 * "x"}">]><ink>{10_000 * "<b/>"}</ink>',
        "its attributes make it larger than 64 MiB",
    ),
    "names.inkml": (
        f'<ink xmlns:x="{100_000 * "n"}">{"".join(f"<x:b{at}/>" for at in range(10_000))}</ink>',
        "a name and its namespace have more than 200 characters",
    ),
    "spaces.inkml": (f"<ink><trace>1 2{2_000_000 * ' '}x</trace></ink>", "a trace has the point '1 2 x', and 2 number"),
    "entity.inkml": (f"<!DOCTYPE ink {ENTITY}><ink>{80_000 * '&a;'}</ink>", "its entity a contains"),
    "many.inkml": (f"<ink>{1_000_001 * '<a/>'}</ink>", "it has more than 1000000 elements"),
    "wide.csv": (",".join(f"a{at}" for at in range(20_000)) + ",x,y,pen_up\n" + 20_000 * "1\n", "column x must have a"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_expands_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    content, message = HOSTILE[name]
    (tmp_path / name).write_text(content)
    begin = begin_peak()
    with pytest.raises(DataError, match=message) as caught:
        read_ink(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert peak_bytes() - begin < 500 << 20


def test_outlines_of_too_many_points_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "MOST_POINTS", 1000)
    for content in (f'<path d="M0 0{50 * "t1 1"}"/>', 50 * '<path d="M0 0t1 1"/>'):
        (tmp_path / "page.svg").write_text(f"{SVG}{content}</svg>")
        with pytest.raises(DataError, match="it has more than 1000 points; divide it"):
            read_ink(tmp_path / "page.svg")


def test_styles_that_no_shape_needs_are_not_looked_at(tmp_path: Path) -> None:
    long = "a" * 100_000 + "{" + " " * 100_000
    style = f"/* {{ */ .h, .i {{ fill: red; display: none }} path {{ stroke: #fff }} {long}"
    hidden = '<path class="h" d="M0 0h9"/><path style="fill:none; visibility:hidden" d="M0 0h9"/>'
    shown = '<path class="j" fill="rgb(  1, 2, 3)" transform=" translate(1,\n2) " d=" M0 0\nh9"/>'
    (tmp_path / "page.svg").write_text(f"{SVG}<style>{style}</style>{hidden}{shown}</svg>")
    (drawing,) = read_ink(tmp_path / "page.svg")
    np.testing.assert_allclose(drawing.ink.paths, [[[1, 2], [10, 2]]])


def test_a_sheet_has_no_outlines_and_a_path_may_have_none(tmp_path: Path) -> None:
    style = f"path{{d:M0 0{100_000 * 'h1'}}}"
    (tmp_path / "page.svg").write_text(f'{SVG}<style>{style}</style>{200 * "<path/>"}{PATH}<path d=""/></svg>')
    begin = begin_peak()
    (drawing,) = read_ink(tmp_path / "page.svg")
    np.testing.assert_allclose(drawing.ink.paths, [[[0, 0], [1, 0]]])
    assert peak_bytes() - begin < 200 << 20


@pytest.mark.parametrize("transform", ["translate(1,2)", "none", "rotate(0); scale(1)", "matrix(1 0 0 1 0 0) , "])
def test_transforms_in_usual_forms_are_read(tmp_path: Path, transform: str) -> None:
    (tmp_path / "page.svg").write_text(f'{SVG}<g transform="{transform}">{PATH}</g></svg>')
    assert len(read_ink(tmp_path / "page.svg")[0].ink.paths) == 1


def test_a_vast_file_of_drawings_is_not_read(tmp_path: Path) -> None:
    """The file is sparse: it takes no room on the disk."""
    np.save(tmp_path / "sketch.npy", np.array([None, None], object))
    with (tmp_path / "sketch.npy").open("r+b") as file:
        file.truncate((4 << 30) + 1)
    begin = begin_peak()
    with pytest.raises(DataError, match="it has more than 4 GiB"):
        read_ink(tmp_path / "sketch.npy")
    assert peak_bytes() - begin < 100 << 20


def test_an_entity_of_a_namespace_is_read(tmp_path: Path) -> None:
    head = '<!DOCTYPE svg [<!ENTITY ns_svg "http://www.w3.org/2000/svg">]><svg xmlns="&ns_svg;">'
    (tmp_path / "page.svg").write_text(f"{head}{PATH}</svg>")
    assert len(read_ink(tmp_path / "page.svg")[0].ink.paths) == 1


def test_a_line_of_a_corpus_that_expands_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lineStrokes").mkdir()
    entity = f"<!DOCTYPE a {ENTITY}><a>{80_000 * '&a;'}</a>"
    (tmp_path / "lineStrokes" / "a01-000u-01.xml").write_text(entity)
    with pytest.raises(DataError, match="its entity a contains others, or makes it larger than 64 MiB"):
        load_line_strokes(tmp_path, strict=True)


class Huge:
    """Becomes an array of 2.4 GB when it is unpickled, from a few bytes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return np.ndarray, ((100_000_000, 3),)


def nested() -> tuple[Any, ...]:
    made: tuple[Any, ...] = (1,)
    for _ in range(25):
        made = 10 * (made,)
    return made


@pytest.mark.parametrize(
    ("drawings", "message"),
    [
        (pickle.dumps([Huge()]), "its objects are not an array"),
        ([Huge()], "more numbers than the file has bytes"),
        (5000 * [np.ones((1000, 3))], "more numbers than the file has bytes"),
        ([nested()], "neither arrays nor lists of rows"),
        (None, "neither arrays nor lists of rows"),
        (b"\x80\x02Nr" + struct.pack("<I", 60_000_000) + b".", "numbered in a way that takes too much memory"),
    ],
    ids=["list", "shape", "shared", "nested", "none", "number"],
)
def test_pickled_drawings_that_expand_are_refused(tmp_path: Path, drawings: Any, message: str) -> None:
    path = tmp_path / "sketch.npy"
    if isinstance(drawings, bytes):
        head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
        path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + drawings)
    else:
        table = np.empty(len(drawings) if drawings else (), object)
        if drawings:
            table[:] = drawings
        np.save(path, table)
    begin = begin_peak()
    with pytest.raises(DataError, match=message):
        read_ink(path)
    assert peak_bytes() - begin < 200 << 20


def test_drawings_that_are_lists_of_rows_are_read(tmp_path: Path) -> None:
    table = np.empty(2, object)
    table[:] = [[[0, 0, 0], [1, 2, 1]], [(0.0, 0.0, 0), (3.0, 4.0, 1), (0.0, 0.0, 1)]]
    np.save(tmp_path / "sketch.npy", table)
    assert [len(one.ink.paths) for one in read_ink(tmp_path / "sketch.npy")] == [1, 2]


def test_strokes_that_become_too_many_points_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strokes, "MOST_OF_A_LINE", 1000)
    path = np.array([[0.0, 0.0], [1.0, 1.0]])
    timed = Strokes(30 * [path], 1.0, times=30 * [np.array([0.0, 1.0])])
    for ink in (timed, Strokes(30 * [60 * path], 1.0, traced=False), Strokes([np.zeros((50, 2))], 1.0, rate=1.0)):
        with pytest.raises(DataError, match="page: would have more than 1000 points; are its unit and its rate right"):
            to_points(ink, Conversion(rate=50), "page")


def test_lines_that_become_too_many_points_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converting, "MOST_POINTS", 1000)
    (tmp_path / "page.svg").write_text(f'{SVG}<path d="M0 0h2000"/></svg>')
    with pytest.raises(DataError, match=r"page\.svg: more than 1000 points would be written"):
        convert(5 * [tmp_path / "page.svg"], tmp_path / "out.npz", Conversion(rate=30))
