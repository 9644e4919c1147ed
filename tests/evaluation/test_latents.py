"""Latents of a recording: their values against the observation, the pictures, and what goes wrong, in one line."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from matplotlib.collections import LineCollection
from PIL import Image
from support import tiny_models
from support.command import ROOT, environment, the_error
from support.corpora import make_ink
from support.exports import export_once
from support.recipes import pen_recipe

from vrnn_engine import Engine
from vrnn_engine.cli.latents import SEED
from vrnn_engine.evaluation.figures import COLUMNS, FORMATS, draw_ink, draw_sound, envelope, render
from vrnn_engine.evaluation.latents import LatentTrace, trace_latents
from vrnn_engine.training.checkpoint import Checkpoint, save_checkpoint

SVG = "{http://www.w3.org/2000/svg}"
MAGIC = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".pdf": b"%PDF-"}


def noise(seconds, rate=16000):
    return np.random.default_rng(3).uniform(-0.3, 0.3, round(seconds * rate)).astype(np.float32)


def ink(points):
    """A zigzag of strokes of 2, 1, 3, 4... points."""
    rng = np.random.default_rng(4)
    line = rng.normal(0.3, 0.5, (points, 3)).astype(np.float32)
    line[:, 2] = np.isin(np.arange(points), (1, 2, 5, 9, 14, 20))
    return line


def made_up(frames, frames_per_second=80.0):
    rng = np.random.default_rng(5)
    return LatentTrace(
        np.arange(frames) / frames_per_second,
        rng.gamma(2, 3, frames),
        np.concatenate([[np.nan], rng.gamma(1, 3, frames - 1)]),
        np.zeros(frames),
    )


@pytest.fixture
def recordings(work):
    """Files that the toy voices can observe, where the command line runs."""
    soundfile.write(work / "sound.wav", noise(0.51), 16000, subtype="FLOAT")
    line = ink(30)
    np.savez(work / "line.npz", dx=line[:, 0], dy=line[:, 1], pen_up=line[:, 2])
    return work


# Values


@pytest.mark.parametrize(("voice", "signal", "centre"), [("audio", noise(0.2), 0.5), ("pen", ink(16), 0.0)])
def test_trace_by_hand(voice, signal, centre, request):
    engine = Engine.load(request.getfixturevalue(f"toy_{voice}"), device="cpu")
    manifest = engine.voice.manifest
    seen = engine.stream(1).prime(signal)
    trace = trace_latents(seen.posterior_mean, seen.kl, seen.log_likelihood, manifest.basis, manifest.frames_per_second)
    assert len(trace.seconds) == 16
    for t in range(16):
        frames_per_second = {"audio": 80, "pen": 100}[voice]
        assert trace.seconds[t] == pytest.approx((t + centre) / frames_per_second)
        assert trace.kl[t] == seen.kl[t]
        assert trace.log_likelihood[t] == seen.log_likelihood[t]
        if t > 0:
            moved = [(now - before) ** 2 for now, before in zip(*seen.posterior_mean[[t, t - 1]].tolist(), strict=True)]
            assert trace.change[t] == pytest.approx(sum(moved), rel=1e-5)
    assert np.isnan(trace.change[0])
    assert trace.change[1:].min() > 0


def test_mdct_leaves_out_the_step_that_completes_no_frame():
    mean = np.array([[9.0, 9.0], [1.0, 2.0], [1.0, 4.0], [0.0, 0.0]])
    trace = trace_latents(mean, np.array([0, 5, 6, 7]), np.array([0, -1, -2, -3]), "mdct", 80)
    assert trace.seconds.tolist() == [1 / 80, 2 / 80, 3 / 80]
    assert trace.kl.tolist() == [5, 6, 7]
    assert trace.log_likelihood.tolist() == [-1, -2, -3]
    assert trace.change[1:].tolist() == [4, 17]


@pytest.fixture(scope="module")
def tiny_mdct(tmp_path_factory):
    return export_once("mdct-gauss", tmp_path_factory).path


@pytest.mark.parametrize("basis", ["samples", "mdct"])
@pytest.mark.parametrize("at", [10.25, 11.995])
def test_a_click_shows_where_it_is(basis, at, toy_audio, tiny_mdct):
    """The first frame that a click changes has it within its reach: half a hop without overlap, a hop with it."""
    engine = Engine.load({"samples": toy_audio, "mdct": tiny_mdct}[basis], device="cpu")
    manifest = engine.voice.manifest
    rate, hop = manifest.rate, manifest.frame_size / manifest.rate
    sound = 0.01 * noise(0.25)[: rate // 4]
    clicked = sound.copy()
    clicked[int(at * manifest.frame_size)] += 0.2
    traces = []
    for samples in (sound, clicked):
        seen = engine.stream(1).prime(samples)
        traces.append(trace_latents(seen.posterior_mean, seen.kl, seen.log_likelihood, manifest.basis, 1 / hop))
    first = traces[0].seconds[np.flatnonzero(traces[0].kl != traces[1].kl)[0]]
    reach = hop if basis == "mdct" else hop / 2
    assert first - reach <= int(at * manifest.frame_size) / rate < first + reach
    assert manifest.basis == basis


# Pictures


def test_envelope_keeps_every_extreme():
    values = np.random.default_rng(0).standard_normal(10_007)
    values[[1234, 9_999]] = 9, -9
    chosen = envelope(values, 100)
    assert len(chosen) <= 200
    assert (np.diff(chosen) > 0).all()
    assert {1234, 9_999} <= set(chosen.tolist())
    length = -(-len(values) // 100)
    for start in range(0, len(values), length):
        piece, kept = values[start : start + length], values[chosen[(chosen >= start) & (chosen < start + length)]]
        assert (kept.min(), kept.max()) == (piece.min(), piece.max())
    assert envelope(values[:200], 100).tolist() == list(range(200))


def test_sound_has_three_panels_over_the_same_seconds():
    trace, samples = made_up(160), noise(2)
    figure = draw_sound(trace, samples, 16000, "costs $5 or $6")
    wave, kl, change = figure.axes
    assert wave.get_title(loc="left") == "costs $5 or $6"
    assert {axes.get_xlim() for axes in figure.axes} == {(0.0, 2.0)}
    np.testing.assert_array_equal(kl.lines[0].get_xydata(), np.column_stack([trace.seconds, trace.kl]))
    np.testing.assert_array_equal(change.lines[0].get_xydata(), np.column_stack([trace.seconds[1:], trace.change[1:]]))
    drawn = wave.lines[0].get_xydata()
    assert len(drawn) <= 2 * COLUMNS
    assert (drawn[:, 1].min(), drawn[:, 1].max()) == (samples.min(), samples.max())
    assert [axes.get_ylabel() for axes in figure.axes] == ["Amplitude", "KL (nats)", "Mean change"]
    assert change.get_xlabel() == "Seconds"
    assert b">costs $5 or $6<" in render(figure, ".svg")  # as it is, not as a formula


def test_ten_minutes_stay_small():
    figure = draw_sound(made_up(48_000), noise(600), 16000, "long")
    assert len(render(figure, ".svg")) < 300_000


def test_ink_is_drawn_where_the_pen_was_down():
    points = np.array([[5, 5, 0], [1, 0, 1], [2, 2, 1], [3, 0, 0], [0, 4, 0], [-1, 0, 0]], np.float32)
    trace = made_up(len(points), 50.0)
    page, kl, change, bar = draw_ink(trace, points, "a line").axes
    (pieces,) = (one for one in page.collections if isinstance(one, LineCollection))
    expected = [
        ([5, 5], [6, 5]),  # a stroke of two points; then the pen goes to a dot, and on to a stroke of three
        ([8, 7], [8, 7]),
        ([11, 7], [11, 11]),
        ([11, 11], [10, 11]),
    ]
    np.testing.assert_allclose(pieces.get_segments(), expected, atol=0.01)
    start, end = pieces.get_segments()[1]
    assert start[0] < end[0]  # a dot of no length would not be drawn
    np.testing.assert_array_equal(pieces.get_array(), trace.kl[[1, 2, 4, 5]])
    assert page.get_aspect() == 1
    assert page.yaxis_inverted()
    assert kl.get_xlim() == change.get_xlim() == (0, trace.seconds[-1])
    for axes in (kl, change):
        (lifts,) = axes.collections
        assert [segment[0][0] for segment in lifts.get_segments()] == trace.seconds[[1, 2]].tolist()
    assert bar.get_ylabel() == "KL (nats)"


def test_a_page_of_ink_stays_small():
    trace = made_up(9000, 50.0)
    points = np.concatenate([np.random.default_rng(1).normal(0.2, 1, (9000, 2)), np.zeros((9000, 1))], axis=1)
    assert len(render(draw_ink(trace, points, "long"), ".svg")) < 1_000_000


@pytest.mark.parametrize("ending", FORMATS)
def test_the_same_figure_gives_the_same_bytes(ending):
    first, second = (render(draw_sound(made_up(20), noise(0.25), 16000, "twice"), ending) for _ in range(2))
    assert first == second
    assert first.startswith(MAGIC[ending])


# The command line


@pytest.mark.parametrize(
    ("voice", "recording", "panels"), [("toy_audio", "sound.wav", 3), ("toy_pen", "line.npz", 3 + 1)]
)
def test_pictures_are_what_their_endings_say(run, recordings, voice, recording, panels, request):
    folder = request.getfixturevalue(voice)
    for name in ("a.png", "b.SVG"):
        done = run("latents", folder, recording, "--to", name)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert f"frames of {recording} -> {name}" in done.stderr
    with Image.open(recordings / "a.png") as picture:
        assert picture.format == "PNG"
        assert picture.width == 1080
        assert 450 < picture.height < 1300
        assert len(np.unique(np.asarray(picture.convert("L")))) > 100
    drawing = ET.parse(recordings / "b.SVG").getroot()
    assert drawing.tag == f"{SVG}svg"
    axes = [group for group in drawing.iter(f"{SVG}g") if group.get("id", "").startswith("axes_")]
    assert len(axes) == panels
    assert all(list(one.iter(f"{SVG}path")) for one in axes)
    texts = {"".join(text.itertext()) for text in drawing.iter(f"{SVG}text")}
    assert {"Seconds", "KL (nats)", "Mean change", f"{recording}, observed by {folder.name}"} <= texts
    assert sorted(path.name for path in recordings.iterdir()) == ["a.png", "b.SVG", "line.npz", "sound.wav"]


def test_without_a_target_it_says_where_the_picture_is(run, recordings, toy_audio):
    done = run("latents", toy_audio, "sound.wav")
    assert "sound.latents.png (no --to given); converted: last frame filled up with 40 zeros" in done.stderr
    assert (recordings / "sound.latents.png").read_bytes().startswith(MAGIC[".png"])


def without(folder, *names):
    """An environment in which libraries cannot be imported, as where they are not installed."""
    folder.mkdir()
    for name in names:
        (folder / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name='{name}')")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{environment()['PYTHONPATH']}"}


def test_json_is_the_trace_and_needs_no_plots(run, recordings, toy_pen, tmp_path):
    env = without(tmp_path / "blocked", "matplotlib", "torch", "onnx", "scipy")
    done = run("latents", toy_pen, "line.npz", "--json", env=env)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in recordings.iterdir()) == ["line.npz", "sound.wav"]
    seen = Engine.load(toy_pen, device="cpu").stream(SEED).prime(recordings / "line.npz")
    trace = trace_latents(seen.posterior_mean, seen.kl, seen.log_likelihood, "points", 100)
    found = json.loads(done.stdout)
    assert found.pop("change") == [None, *trace.change[1:].tolist()]
    assert found == {
        "voice": "toy-pen",
        "recording": "line.npz",
        "seconds": trace.seconds.tolist(),
        "kl": trace.kl.tolist(),
        "log_likelihood": trace.log_likelihood.tolist(),
    }
    both = run("latents", toy_pen, "line.npz", "--json", "--to", "a.svg")
    assert both.stdout == done.stdout
    assert (recordings / "a.svg").exists()


@pytest.mark.parametrize(("missing", "voice", "extra"), [("matplotlib", None, "plot"), ("torch", "x.pt", "train")])
def test_a_missing_extra_is_named(run, recordings, toy_audio, tmp_path, missing, voice, extra):
    """Before anything else is looked for."""
    done = run("latents", voice or toy_audio, "none.wav", env=without(tmp_path / "blocked", missing))
    assert the_error(done) == (
        f"error: this needs {missing}, which is not installed: pip install 'vrnn-engine[{extra}]'"
    )


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("none.wav",), ("none.wav: no such file",)),
        (("none.wav", "--to", "a.gif"), ("a.gif", ".png, .svg, .pdf")),
        (("none.wav", "--to", "none/a.png"), ("none/a.png", "no folder")),
        (("short.wav",), ("short.wav: too short", "two frames")),
        (("line.npz",), ("line.npz: cannot be read as sound",)),
    ],
)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(run, recordings, toy_audio, words, parts):
    soundfile.write(recordings / "short.wav", noise(0.01), 16000)
    before = sorted(recordings.iterdir())
    error = the_error(run("latents", toy_audio, *words))
    for part in parts:
        assert part in error
    assert sorted(recordings.iterdir()) == before


def test_a_voice_without_latents_has_nothing_to_draw(run, recordings, tmp_path_factory):
    plain = export_once("samples-rnn-gmm", tmp_path_factory)
    error = the_error(run("latents", plain.path, "sound.wav"))
    assert error == "error: voice 'samples-rnn-gmm' (rnn-gmm) has no latents: there is nothing to draw"
    assert not list(recordings.glob("*.png"))


def test_a_line_of_a_corpus_is_saved_as_the_document_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_ink(tmp_path / "unipen_lines.npz")
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "latents.md").read_text(), re.DOTALL)
    exec(code, {})
    assert len(Engine.load("handwriting", device="cpu").stream(SEED).prime(Path("line.npz")).kl) == 42


@pytest.mark.slow
def test_a_checkpoint_is_a_voice_for_as_long_as_it_takes(run, recordings, tmp_path):
    recipe = pen_recipe()
    (tmp_path / "scratch").mkdir()
    weights = tiny_models.model("pen-gmm").state_dict()
    checkpoint = Checkpoint(recipe, weights, (0.0, 0.0), (1.0, 1.0), {}, "", {"update": torch.tensor(1)})
    save_checkpoint(checkpoint, recordings / "best.pt")
    done = run("latents", "best.pt", "line.npz", "--json", env={"TMPDIR": str(tmp_path / "scratch")})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["voice"] == "tiny-pen"
    assert len(found["kl"]) == 30
    assert list((tmp_path / "scratch").glob("vrnn-engine-*")) == []


def test_help_loads_neither_numpy_nor_matplotlib():
    code = (
        "import sys; from vrnn_engine.cli.main import run; sys.argv[1:] = ['latents', '--help']\n"
        "try: run()\n"
        "finally: print(sorted({'numpy', 'matplotlib', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, cwd=Path.cwd()
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
