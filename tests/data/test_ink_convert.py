"""`vrnn-engine ink convert`: SVG, InkML, CSV and stroke-3 become ink to train on and to prime with."""

import json
import pickle

import numpy as np
import pytest
from support.command import run_command as run

from vrnn_engine import Engine
from vrnn_engine.data.ink.convert import convert
from vrnn_engine.data.ink.strokes import VOICE_RATE, Conversion, Strokes, to_points
from vrnn_engine.data.line_files import load_lines
from vrnn_engine.data.options import PenData
from vrnn_engine.data.pen import PenCorpus
from vrnn_engine.errors import DataError

# Two strokes in millimetres: an L that begins at (0, 0), and a bar below it.
L, BAR = [(0, 0), (0, 6), (4, 6)], [(1, 8), (5, 8)]
ENDS = [(4, 6), (5, 8)]

SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="20mm" height="20mm" viewBox="0 0 40 40">
<g transform="translate(2 2)"><path d="M0 0 V12 H8"/><polyline points="2,16 10,16"/></g>
<g style="display:none"><path d="M0 0 L99 99"/></g><text x="1" y="1">no ink</text></svg>"""
INKML = """<?xml version="1.0"?><ink xmlns="http://www.w3.org/2003/InkML"><traceFormat>
<channel name="X" type="decimal" units="cm"/><channel name="Y" type="decimal" units="cm"/>
<channel name="T" type="integer" units="ms"/></traceFormat>
<trace>0 0 0, 0 0.6 100, 0.4 0.6 200</trace><trace>0.1 0.8 300, '0.4 '0 '100</trace></ink>"""
CSV = "\ufeffX; Y; Stroke; pressure\n0; 0; 1; 3\n0; 6; 1; 3\n4; 6; 1; 3\n1; 8; 2; 3\n5; 8; 2; 3\n"
MOVES_CSV = "dx,dy,pen_up\n0,0,0\n0,6,0\n4,0,1\n-3,2,0\n4,0,1\n"
STROKE_3 = np.array([[0, 0, 0], [0, 6, 0], [4, 0, 1], [-3, 2, 0], [4, 0, 1]], np.int16)
STROKE_5 = np.column_stack([STROKE_3[:, :2], 1 - STROKE_3[:, 2], STROKE_3[:, 2], np.zeros(5, np.int16)])
STROKE_5 = np.concatenate([STROKE_5, [[0, 0, 0, 0, 1]]])


def write(folder, name):
    path = folder / name
    texts = {"page.svg": SVG, "trace.inkml": INKML, "points.csv": CSV, "moves.csv": MOVES_CSV}
    if name in texts:
        path.write_text(texts[name], "utf-8")
    elif name == "sketches.npz":  # as Quick, Draw! and Sketch-RNN distribute theirs
        drawings = np.empty(2, object)
        drawings[:] = [STROKE_3, STROKE_3]
        np.savez(path, train=drawings)
    else:
        np.save(path, {"three.npy": STROKE_3, "five.npy": STROKE_5}[name])
    return path


def scale_of(name):
    return None if name.endswith((".svg", ".inkml")) else 1.0


NAMES = ["page.svg", "trace.inkml", "points.csv", "moves.csv", "three.npy", "five.npy", "sketches.npz"]


@pytest.mark.parametrize("name", NAMES)
def test_every_format_gives_the_same_ink(tmp_path, name):
    lines = convert([write(tmp_path, name)], tmp_path / "out.npz", Conversion(scale=scale_of(name)))
    assert len(lines) == (2 if name == "sketches.npz" else 1)
    for line in lines:
        points = line.points
        path = np.cumsum(points[:, :2], axis=0)
        assert points[0, :2].tolist() == [0, 0]
        assert points[:, 2].sum() == 2
        np.testing.assert_allclose(path[points[:, 2] == 1], ENDS, atol=1e-4)
        np.testing.assert_allclose(path.max(0), [5, 8], atol=1e-4)
        first = path[: int(points[:, 2].argmax()) + 1]
        corner = np.abs(first - [0, 6]).sum(1).min()
        assert corner <= 1.2  # an outline is sampled, at 1.2 mm a point
        beside = np.minimum(np.abs(first[:, 0]), np.abs(first[:, 1] - 6))
        assert beside.max() < 0.5


def test_times_and_rates_decide_the_number_of_points(tmp_path):
    timed = convert([write(tmp_path, "trace.inkml")], tmp_path / "a.npz", Conversion(rate=100))[0].points
    assert len(timed) == 21 + 11  # 0.2 s and 0.1 s
    slow = Conversion(rate=100, scale=1.0, input_rate=25)
    assert len(convert([write(tmp_path, "three.npy")], tmp_path / "a.npz", slow)[0].points) == 9 + 5
    drawn = convert([write(tmp_path, "page.svg")], tmp_path / "a.npz", Conversion(rate=50, speed=10))[0].points
    assert len(drawn) == 51 + 21  # 10 mm and 4 mm at 0.2 mm a point
    upwards = convert([write(tmp_path, "three.npy")], tmp_path / "a.npz", Conversion(scale=2.0, flip=True))[0].points
    assert np.cumsum(upwards[:, :2], 0)[-1].tolist() == [10, -16]


def test_ink_keeps_its_rate_or_else_has_that_of_the_bundled_voice(tmp_path):
    moves = "dx,dy,pen_up,t\n0,0,0,0\n0,6,0,0.008\n4,0,1,0.016\n-3,2,0,0.9\n4,0,1,0.908\n"
    (tmp_path / "timed.csv").write_text(moves)
    (tmp_path / "timed.inkml").write_text(INKML)
    (tmp_path / "said.jsonl").write_text(
        '{"rate": 60}\n{"dx": 0, "dy": 1, "pen_up": 0}\n{"dx": 0, "dy": 1, "pen_up": 1}\n'
    )
    sources = [*(tmp_path / name for name in ("timed.csv", "timed.inkml", "said.jsonl")), write(tmp_path, "three.npy")]
    for target in ("all.npz", "all.jsonl"):
        lines = convert(sources, tmp_path / target, Conversion(scale=1.0))
        assert [(line.rate, len(line.points)) for line in lines] == [(125, 5), (10, 5), (60, 2), (VOICE_RATE, 5)]
        assert load_lines(tmp_path / target)[0]["points_per_second"].tolist() == [125, 10, 60, VOICE_RATE]
    lines = convert(sources, tmp_path / "all.npz", Conversion(scale=1.0, input_rate=50))
    assert [line.rate for line in lines] == [125, 10, 60, 50]
    lines = convert([write(tmp_path, "page.svg")], tmp_path / "all.npz", Conversion(speed=60))
    assert (lines[0].rate, len(lines[0].points)) == (VOICE_RATE, 6 + 3)  # 10 mm and 4 mm at 2 mm a point
    assert Engine.load("handwriting", "cpu").voice.manifest.rate == VOICE_RATE


def test_even_times_tell_the_rate_of_json_lines_whatever_is_given(tmp_path):
    rows = [{"dx": 0, "dy": 1, "pen_up": int(row == 4), "t": row / 100} for row in range(5)]
    (tmp_path / "even.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    lines = convert([tmp_path / "even.jsonl"], tmp_path / "all.npz", Conversion(input_rate=50))
    assert [(line.rate, len(line.points)) for line in lines] == [(100, 5)]


def test_times_without_length_are_refused_in_one_line(tmp_path):
    (tmp_path / "short.csv").write_text("x,y,stroke,t\n0,0,1,0\n0,6,1,1e-320\n")
    with pytest.raises(DataError, match="its points are inf a second"):
        convert([tmp_path / "short.csv"], tmp_path / "all.npz", Conversion(scale=1.0))


def test_the_rates_of_converted_ink_are_printed(tmp_path):
    (tmp_path / "a.csv").write_text("x,y,stroke,t\n0,0,1,0\n0,6,1,0.01\n4,6,1,0.02\n")
    write(tmp_path, "three.npy")
    done = run("ink", "convert", "a.csv", "three.npy", "out.npz", "--scale", "1", cwd=tmp_path)
    assert done.stderr == "out.npz: 2 lines, 8 points, 0.2 s of ink in mm at 30 to 100 Hz\n"
    wrong = "x,y,stroke,t\n0,0,1,0\n0,6,1,10\n4,6,1,20\n"
    (tmp_path / "a.csv").write_text(wrong)
    done = run("ink", "convert", "a.csv", "out.npz", "--scale", "1", cwd=tmp_path)
    assert done.stderr == "error: a.csv: its points are 0.1 a second; give t in seconds, and rate in points a second\n"


def test_converted_ink_trains_and_primes(tmp_path):
    for number in range(6):
        np.save(tmp_path / f"line{number}.npy", np.tile(STROKE_3, (number + 2, 1)))
    sources = [f"line{number}.npy" for number in range(6)]
    done = run("ink", "convert", *sources, "lines.npz", "--scale", "1", "--writer", "me", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line["points"] for line in json.loads(done.stdout)["lines"]] == [10, 15, 20, 25, 30, 35]
    corpus = PenCorpus(tmp_path / "lines.npz", PenData(rows=2, chunk=5, rate=50, resample=True, height_mm=1.8))
    assert sum(map(len, corpus.lines.values())) == 6
    assert {writer for writers in corpus.writers.values() for writer in writers} == {"me"}
    for target in ("one.npz", "one.jsonl"):
        done = run("ink", "convert", "line0.npy", target, "--scale", "1", "--rate", "100", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert done.stderr == f"{target}: 1 line, 10 points, 0.1 s of ink in mm at 100 Hz\n"
        seen = Engine.load("handwriting", "cpu").stream(1).prime(tmp_path / target)
        assert "100 to 30 points a second" in seen.conversions


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.svg", "<svg", "not a readable SVG"),
        ("a.svg", "<svg xmlns='http://www.w3.org/2000/svg'><text>x</text></svg>", "has no strokes"),
        ("a.inkml", "<ink", "not a readable InkML file"),
        ("a.inkml", "<svg/>", "its first element is <svg>, not <ink>"),
        ("a.inkml", "<ink><trace>1 2, 3</trace></ink>", "a trace has the point '3', and 2 numbers are needed"),
        ("a.inkml", "<ink><trace>1 2, x y</trace></ink>", "a trace has the point 'x y'"),
        (
            "a.inkml",
            "<ink><trace>1 2, 3 4</trace></ink>",
            "does not say how long its unit is; give the scale, the millimetres of one unit (--scale)",
        ),
        ("a.csv", "1,2,3\n", "its first line must name the columns"),
        ("a.csv", "x,y\n1,2\n", "neither a column pen_up nor stroke"),
        ("a.csv", "x,y,stroke\n1,two,1\n", "column y must have a number in every line"),
        ("a.csv", "x,y,stroke,t\n1,2,1,3\n1,3,1,2\n", "does not say how long"),
        ("a.npy", "not an array", "not a readable file of stroke-3 arrays"),
        ("a.npz", "not an archive", "not a readable file of stroke-3 arrays"),
        ("a.docx", "", "ink is read from .svg, .inkml, .csv"),
    ],
)
def test_file_that_is_no_ink_raises_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    done = run("ink", "convert", name, "out.npz", cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {name}: ")
    assert message in line
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("ink", "message"),
    [
        (Strokes([np.array([[0, 0], [1e300, 0]])], 1e10), "coordinates are above 1e\\+06 mm"),
        (Strokes([np.array([[0, 0], [9e5, 0]])] * 2, 1.0, traced=False), "a stroke would have 1.8e\\+06 points"),
        (Strokes([np.eye(2)], 1.0, [np.array([0, 1e12])]), "a stroke would have 1e\\+14 points"),
        (Strokes([np.eye(2)], 1.0, [np.array([-1e308, 1e308])]), "a stroke would have inf points"),
    ],
)
def test_ink_that_would_have_too_many_points_is_refused(ink, message):
    with pytest.raises(DataError, match=message):
        to_points(ink, Conversion(rate=100, speed=50), "a.inkml")


class Harmful:
    def __reduce__(self):
        return (open, ("ran", "w"))


def test_pickled_code_in_an_array_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    harmful = np.empty(1, object)
    harmful[0] = Harmful()
    np.save(tmp_path / "a.npy", harmful)
    with pytest.raises(DataError, match=r"which is not an array"):
        convert([tmp_path / "a.npy"], tmp_path / "out.npz", Conversion(scale=1.0))
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(harmful))[0].close()
    assert (tmp_path / "ran").exists()  # the file would have been written


def test_outputs_are_named_and_wrong_usage_is_explained(tmp_path):
    write(tmp_path, "sketches.npz")
    odd = run("ink", "convert", "sketches.npz", "out.txt", "--scale", "1", cwd=tmp_path)
    assert "out.txt: ink is written to .npz or .jsonl files" in odd.stderr
    assert run("ink", "convert", "sketches.npz", cwd=tmp_path).returncode == 2
    missing = run("ink", "convert", "none.svg", "out.npz", cwd=tmp_path)
    assert missing.stderr == "error: none.svg: no such drawing\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sketches.npz"]
