"""Runs each example as its reader would."""

import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import sound_server, triton_server
from support.command import ROOT, environment
from support.grbl_machine import GrblMachine
from werkzeug.serving import make_server

from vrnn_engine import Engine, Voice
from vrnn_engine.runtime.live.control.osc_messages import to_event
from vrnn_engine.serve.triton import write_repository

EXAMPLES = ROOT / "examples"


def example(name, *words, cwd=None, **env):
    """Run an example; return its output."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=environment(**env), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_examples_are_short_and_each_is_tested_here():
    for path in EXAMPLES.glob("*.py"):
        assert 40 <= len(path.read_text().splitlines()) <= 110, path
        assert f'"{path.stem}' in Path(__file__).read_text(), f"{path} is run by no test"


def test_asyncio_app_measures_and_steers(toy_audio):
    *lines, last = example("asyncio_app.py", toy_audio, 2).splitlines()
    assert len(lines) == 4
    assert {line.split()[-1] for line in lines} <= {"1.00", "0.30"}
    assert last.startswith("4 half seconds; ")
    assert last.endswith(" iterations of the event loop meanwhile")


def test_pygame_loop_reads_points_at_the_rate_of_the_pen(toy_pen):
    said = example("pygame_loop.py", toy_pen, 1, SDL_VIDEODRIVER="dummy")
    assert "100 points" in said  # of one second


def test_triton_stream_plays_the_stream_of_the_seed(toy_pen, tmp_path):
    models = tmp_path / "models"
    with triton_server.serve(write_repository(Voice.open("blizzard"), models)) as address:
        example("triton_stream.py", "blizzard", 1, 7, address, cwd=tmp_path)
    sound, rate = soundfile.read(tmp_path / "blizzard.wav", dtype="float32")
    assert (len(sound), rate) == (16000, 16000)
    assert np.allclose(sound, Engine.load("blizzard", "cpu").stream(7).read(80), atol=1e-4)
    with triton_server.serve(write_repository(Voice.open(toy_pen), models)) as address:
        points = example("triton_stream.py", "toy-pen", 1, 8, address)
    found = np.array([line.split() for line in points.splitlines()], np.float32)
    assert np.array_equal(found, Engine.load(toy_pen, "cpu").stream(8).read(100))


@pytest.fixture
def site(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    flask_app = __import__("flask_app")
    server = make_server("127.0.0.1", 0, flask_app.app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    sys.modules.pop("flask_app")


def test_flask_app_serves_sound(site, tmp_path):
    (tmp_path / "a.wav").write_bytes(urllib.request.urlopen(f"{site}/blizzard.wav?seed=7&seconds=0.5").read())
    sound, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert (len(sound), rate) == (8000, 16000)
    assert np.allclose(sound, Engine.load("blizzard", "cpu").stream(7).read(40), atol=1e-4)
    with urllib.request.urlopen(f"{site}/blizzard.wav") as one, urllib.request.urlopen(f"{site}/blizzard.wav") as two:
        assert one.read(9000) != two.read(9000)  # endless, and each listener has a stream
    assert "<audio" in urllib.request.urlopen(site).read().decode()
    for query, code in (("blizard.wav", 404), ("blizzard.wav?output.heat=1", 400), ("blizzard.wav?seed=x", 400)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{site}/{query}")
        assert refused.value.code == code


@pytest.mark.skipif(sound_server.missing() is not None, reason=str(sound_server.missing()))
def test_sounddevice_callback_plays(toy_audio, tmp_path):
    server = sound_server.SoundServer(tmp_path)
    try:
        said = example("sounddevice_callback.py", toy_audio, 3, **server.environment)
    finally:
        server.close()
    assert " s played, " in said
    assert float(said.split()[0]) > 0


def test_osc_sketch_steers_a_stream(toy_audio):
    command = [sys.executable, "-m", "vrnn_engine", "stream", "--voice", str(toy_audio), "--to", "null"]
    command += ["--seconds", "inf", "--osc", "0"]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as streaming:
        try:
            port = next(line.rpartition(":")[2].strip() for line in streaming.stderr if "OSC: listening" in line)
            said = example("osc_sketch.py", port, 2)
        finally:
            streaming.terminate()
    assert "refused: unknown control 'output.voicing'" in said  # the toy voice does not have it
    assert int(said.split()[-2]) > 10


def test_messages_of_the_supercollider_sketch_are_valid():
    sketch = (EXAMPLES / "osc_sketch.scd").read_text()
    sent = re.findall(
        r"sendMsg\('([^']+)'(?: \+\+ 64.rand)?((?:, [^,()]+)*)\)", re.sub(r"position\.linlin\([^)]*\)", "0.5", sketch)
    )
    assert len(sent) == 17 == sketch.count("sendMsg")
    for address, arguments in sent:
        address += "3" if address.endswith("/") else ""
        values = [part.strip(' "') for part in arguments.split(",")[1:]]
        to_event(
            address, [float(v) if v[0] in "-0123456789" else v for v in (re.sub(r"\.rand2?", "", v) for v in values)]
        )


def test_plotter_job_draws_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with GrblMachine(reach=(148, 210)) as machine:
        said = example("plotter_job.py", machine.port, 1, 5)
        assert machine.problems == []
        assert not machine.down
        assert len(machine.strokes) > 3
    assert said.endswith("drawn\n")
    assert (tmp_path / "page.svg").read_text().startswith("<svg ")
