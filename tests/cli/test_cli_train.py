"""From a corpus to a voice on the command line: train, interrupt, resume, export, verify, stream."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.command import run_command as run
from support.corpora import make_ink
from support.recipes import pen_recipe, toml

from vrnn_engine.cli.train import _bar, _Display, _summary
from vrnn_engine.training.progress import Progress
from vrnn_engine.training.recipe import recipe_fields


@pytest.fixture
def work(tmp_path):
    make_ink(tmp_path / "ink.npz")
    (tmp_path / "mine.toml").write_text(toml(recipe_fields(pen_recipe(updates=400))))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "last.pt").write_bytes(b"a checkpoint")
    return tmp_path


@pytest.mark.slow
def test_train_interrupt_resume_export_stream(work):
    words = ("train", "mine.toml", "--data", "ink.npz", "--out", "run")
    with subprocess.Popen(
        [sys.executable, "-m", "vrnn_engine", *words],
        cwd=work,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background has them ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while not (work / "run" / "best.pt").exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 130, said
    assert said.splitlines()[-2:] == ["run/last.pt is the last checkpoint; --resume continues from it", "interrupted"]

    again = run(*words, cwd=work)
    assert (again.returncode, again.stdout) == (1, "")
    assert "--resume" in again.stderr.splitlines()[-1]

    done = run(*words, "--resume", cwd=work)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "update 400/400: bound" in done.stderr
    assert re.search(r"update 300/400: bound .* nats per frame, 0:\d\d:\d\d left", done.stderr)
    assert re.search(
        r"^best on the validation data: update \d+, after 0:\d\d:\d\d of training$", done.stderr, re.MULTILINE
    )
    assert re.search(
        r"^test data: bound \S+, KL \S+ nats per frame; bound \S+ nats per sequence$", done.stderr, re.MULTILINE
    )

    exported = run(
        "export", "run/best.pt", "--name", "mine", "--out", "voice", "--set", "output.temperature=0.5", cwd=work
    )
    assert exported.returncode == 0, exported.stderr
    assert "200 frames agree with PyTorch" in exported.stderr
    assert run("voices", "verify", "./voice", cwd=work).returncode == 0
    shown = json.loads(run("voices", "show", "./voice", "--json", cwd=work).stdout)
    assert shown["provenance"]["command"] == "vrnn-engine train tiny-pen.toml --data DATA"
    assert {c["name"]: c["default"] for c in shown["controls"]}["output.temperature"] == 0.5
    streamed = run("stream", "--voice", "./voice", "--seconds", "2", "--seed", "1", "--to", "-", cwd=work)
    assert streamed.returncode == 0, streamed.stderr
    assert len(streamed.stdout.splitlines()) == 100

    repeated = run("export", "run/best.pt", "--out", "voice", cwd=work)
    assert repeated.returncode == 1
    assert "exists already" in repeated.stderr


def test_the_summary_counts_updates_in_whole_numbers():
    bounds = {"elbo_per_frame": -1.5, "kl_per_frame": 0.25, "elbo_per_sequence": 13588.957}
    splits = {f"{split}_{name}": value for split in ("valid", "test") for name, value in bounds.items()}
    planned = {"planned_minutes": 60.0, "run_minutes": 58.04}
    assert list(_summary(splits | {"updates": 40.0, "training_seconds": 61.7} | planned)) == [
        "best on the validation data: update 40, after 0:01:02 of training",
        "validation data: bound -1.50, KL 0.25 nats per frame; bound 13,588.96 nats per sequence",
        "test data: bound -1.50, KL 0.25 nats per frame; bound 13,588.96 nats per sequence",
        "time of the run: 58.0 of 60 minutes",
    ]


def test_the_progress_fits_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    bar = _bar()
    display = _Display(bar, 20000)
    display(Progress(12345, 20000, bound=123.456, kl=12.345, gradient_norm=1.0, valid_bound=123.456))
    with bar.console.capture() as shown:
        bar.console.print(bar.get_renderable())
    one, two = shown.get().splitlines()
    assert re.search(r" 12345/20000 0:00:00 left -:--:-- bound 123\.46, valid 123\.46, KL 12\.3", one)
    assert two.strip() == "nats per frame"
    assert len(one) <= 80


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "blizard", "--data", "."), "did you mean 'blizzard'"),
        (("train", "mine.toml", "--data", "none.npz"), "none.npz: not a readable .npz"),
        (("train", "blizzard", "--data", "none"), "none: no such recording or folder of recordings"),
        (
            ("train", "mine.toml", "--data", "ink.npz", "--out", "old"),
            "old/last.pt: this folder has a run already; resume it, or choose another folder (--resume, --out)",
        ),
        (("export", "none.pt"), "none.pt: no such checkpoint"),
        (("export", "ink.npz"), "ink.npz: not a checkpoint of vrnn-engine"),
    ],
)
def test_failure_prints_one_line_and_leaves_no_files(work, words, message):
    before = sorted(os.listdir(work))
    done = run(*words, cwd=work)
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert sorted(os.listdir(work)) == before


@pytest.mark.parametrize("words", [("train", "mine.toml"), ("export",), ("export", "x.pt", "--set", "nonsense")])
def test_wrong_usage_exits_with_2(work, words):
    assert run(*words, cwd=work).returncode == 2


def test_missing_torch_names_the_extra(work):
    blocked = Path(work / "blocked")
    blocked.mkdir()
    for name in ("torch", "onnx"):
        (blocked / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name='{name}')")
    for words in (("train", "mine.toml", "--data", "ink.npz"), ("export", "x.pt")):
        done = subprocess.run(
            [sys.executable, "-m", "vrnn_engine", *words],
            cwd=work,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(blocked)},
            check=False,
        )
        assert done.returncode == 1
        assert "vrnn-engine[train]" in done.stderr
        assert len(done.stderr.splitlines()) == 1
