"""`vrnn-engine latents`: pictures, JSON, and one line for each error."""

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
from PIL import Image
from support import tiny_models
from support.command import ROOT, environment, the_error
from support.corpora import make_ink
from support.exports import export_once
from support.recipes import pen_recipe

from vrnn_engine import Engine
from vrnn_engine.base.extras import install_command
from vrnn_engine.cli.latents import SEED
from vrnn_engine.evaluation.latents import trace_latents
from vrnn_engine.training.checkpoint import Checkpoint, save_checkpoint

SVG = "{http://www.w3.org/2000/svg}"
MAGIC = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".pdf": b"%PDF-"}


def noise(seconds, rate=16000):
    return np.random.default_rng(3).uniform(-0.3, 0.3, round(seconds * rate)).astype(np.float32)


def ink(points):
    """Return random moves in strokes of 2, 1, 3, 4... points."""
    rng = np.random.default_rng(4)
    line = rng.normal(0.3, 0.5, (points, 3)).astype(np.float32)
    line[:, 2] = np.isin(np.arange(points), (1, 2, 5, 9, 14, 20))
    return line


@pytest.fixture
def recordings(work):
    """Folder of the command line, with a file for each toy voice."""
    soundfile.write(work / "sound.wav", noise(0.51), 16000, subtype="FLOAT")
    line = ink(30)
    np.savez(work / "line.npz", dx=line[:, 0], dy=line[:, 1], pen_up=line[:, 2])
    return work


@pytest.mark.parametrize(
    ("voice", "recording", "panels"), [("toy_audio", "sound.wav", 3), ("toy_pen", "line.npz", 3 + 1)]
)
def test_picture_has_the_format_of_its_ending(run, recordings, voice, recording, panels, request):
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


def test_default_target_is_printed(run, recordings, toy_audio):
    done = run("latents", toy_audio, "sound.wav")
    assert "sound.latents.png (no --to given); converted: last frame filled up with 40 zeros" in done.stderr
    assert (recordings / "sound.latents.png").read_bytes().startswith(MAGIC[".png"])


def without(folder, *names):
    """Return an environment in which libraries cannot be imported, as if they were not installed."""
    folder.mkdir()
    for name in names:
        (folder / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name='{name}')")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{environment()['PYTHONPATH']}"}


def test_json_is_the_trace_and_needs_no_matplotlib(run, recordings, toy_pen, tmp_path):
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
def test_missing_extra_is_named(run, recordings, toy_audio, tmp_path, missing, voice, extra):
    """It is reported before any file is read."""
    done = run("latents", voice or toy_audio, "none.wav", env=without(tmp_path / "blocked", missing))
    assert the_error(done) == f"error: this needs {missing}, which is not installed: {install_command(extra)}"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("none.wav",), ("none.wav: no such file",)),
        (("none.wav", "--to", "a.gif"), ("a.gif", "not a picture format", ".png, .svg, .pdf")),
        (("none.wav", "--to", "none/a.png"), ("none/a.png", "no folder")),
        (("short.wav",), ("short.wav: is too short", "two frames")),
        (("line.npz",), ("line.npz: cannot be read as sound",)),
    ],
)
def test_failure_prints_one_line_and_leaves_no_files(run, recordings, toy_audio, words, parts):
    soundfile.write(recordings / "short.wav", noise(0.01), 16000)
    before = sorted(recordings.iterdir())
    error = the_error(run("latents", toy_audio, *words))
    for part in parts:
        assert part in error
    assert sorted(recordings.iterdir()) == before


def test_voice_without_latents_is_refused(run, recordings, tmp_path_factory):
    plain = export_once("samples-rnn-gmm", tmp_path_factory)
    error = the_error(run("latents", plain.path, "sound.wav"))
    assert error == "error: voice 'samples-rnn-gmm' (rnn-gmm) has no latents to draw"
    assert not list(recordings.glob("*.png"))


def test_code_of_the_document_saves_a_line_of_a_corpus(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_ink(tmp_path / "iamondb_lines.npz")
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "latents.md").read_text(), re.DOTALL)
    exec(code, {})
    assert len(Engine.load("handwriting", device="cpu").stream(SEED).prime(Path("line.npz")).kl) == 82


@pytest.mark.slow
def test_checkpoint_is_exported_to_a_temporary_voice(run, recordings, tmp_path):
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
