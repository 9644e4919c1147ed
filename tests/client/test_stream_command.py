"""`vrnn-engine stream --voice ws://...` plays a served voice into every sink, or says in one line why not."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from support.command import environment, the_error
from support.server_process import running

from vrnn_engine.client import connect
from vrnn_engine.client.performance import RemotePerformance
from vrnn_engine.runtime.live.control.keys import Keyboard
from vrnn_engine.runtime.live.events import Set
from vrnn_engine.runtime.live.timeline import Head, PerformanceLog

HEAT = "output.temperature"


@pytest.fixture(scope="module")
def sound(served, engine):
    return served.url(engine.voice.name)


@pytest.fixture(scope="module")
def ink(served):
    return served.url("toy-pen")


@pytest.fixture
def timeline(tmp_path):
    path = tmp_path / "timeline.jsonl"
    events = [
        {"do": "set", "frame": 0, "control": HEAT, "value": 0.2},
        {"do": "set", "second": 0.5, "control": HEAT, "value": 1, "ramp": 0.3},
    ]
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_a_sound_file_is_that_of_a_local_voice(run, work, sound, toy_audio, timeline):
    words = ["--seed", 7, "--seconds", 0.8, "--timeline", timeline, "--set", "latent.shift/1=0.5", "--temperature", 0.9]
    for voice, name in ((sound, "remote.wav"), (toy_audio, "local.wav")):
        done = run("stream", "--voice", voice, "--to", name, *words)
        assert done.returncode == 0, done.stderr
    assert (work / "remote.wav").read_bytes() == (work / "local.wav").read_bytes()
    assert (work / "remote.wav").stat().st_size > 20_000


def test_ink_is_that_of_a_local_voice(run, work, ink, toy_pen):
    for voice, name in ((ink, "remote.svg"), (toy_pen, "local.svg")):
        done = run("stream", "--voice", voice, "--to", name, "--seed", 7, "--seconds", 0.8, "--width", 120)
        assert done.returncode == 0, done.stderr
    assert (work / "remote.svg").read_bytes() == (work / "local.svg").read_bytes()


def test_it_says_what_it_plays(run, sound):
    done = run("stream", "--voice", sound, "--seconds", 0.1, "--to", "null", "--seed", 3)
    assert done.stderr.startswith(f"{sound}: seed 3 -> ")


def test_a_performance_log_is_played_with_its_seed_and_controls(run, work, sound, toy_audio, engine, tmp_path):
    stream = engine.stream(11)
    stream.controls[HEAT] = 0.4
    with PerformanceLog(tmp_path / "log.jsonl", Head.of(stream)) as log:
        log(Set(frame=9, control=HEAT, value=1.0))
    for voice, name in ((sound, "remote.wav"), (toy_audio, "local.wav")):
        done = run("stream", "--voice", voice, "--to", name, "--timeline", tmp_path / "log.jsonl", "--seconds", 0.4)
        assert done.returncode == 0, done.stderr
    assert (work / "remote.wav").read_bytes() == (work / "local.wav").read_bytes()


@pytest.mark.slow
def test_a_text_is_written_as_a_local_voice_writes_it(run, work):
    with running("handwriting") as server:
        for voice, name in ((server.url("handwriting"), "remote.svg"), ("handwriting", "local.svg")):
            done = run("write", "Dear Anna,\nhi.", "--voice", voice, "--seed", 4, "--to", name, "--temperature", 0.5)
            assert done.returncode == 0, done.stderr
    assert (work / "remote.svg").read_bytes() == (work / "local.svg").read_bytes()
    assert "14 characters, 2 lines" in done.stderr


def test_osc_messages_steer_it(sound):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        sender.settimeout(20)
        command = ["stream", "--voice", sound, "--to", "null", "--seconds", "inf", "--osc", "0", "--osc-to"]
        command.append(f"127.0.0.1:{sender.getsockname()[1]}")
        process = subprocess.Popen(
            [sys.executable, "-m", "vrnn_engine", *command], env=environment(), stderr=subprocess.PIPE, text=True
        )
        try:
            addresses = set()
            while not {b"/frame", b"/level", b"/latent"} <= addresses:
                addresses.add(sender.recv(65536).split(b"\0")[0])
        finally:
            process.send_signal(signal.SIGINT)
            error = process.communicate(timeout=30)[1]
    assert process.returncode == 130, error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "words",
    [
        ["--prime", "a.wav"],
        ["--from", "microphone"],
        ["--record", "a.jsonl"],
        ["--device", "cpu"],
        ["--precision", "fp32"],
        ["--threads", "2"],
        ["--resume", "a.json"],
    ],
)
def test_an_option_that_needs_a_local_voice_is_one_usage_error(run, words):
    done = run("stream", "--voice", "ws://127.0.0.1:1/blizzard", *words)
    assert done.returncode == 2
    assert f"Error: {words[0]} needs a voice on this machine, and ws://127.0.0.1:1/blizzard is served" in done.stderr


def test_options_that_need_a_local_voice_are_one_usage_error(run):
    words = ["hi", "--hand", "anna", "--device", "cpu"]
    done = run("write", "--voice", "ws://127.0.0.1:1/handwriting", *words)
    assert done.returncode == 2
    assert (
        "Error: --hand and --device need a voice on this machine, and ws://127.0.0.1:1/handwriting is served"
        in done.stderr
    )


@pytest.mark.parametrize(("key", "words"), [("b", "cannot be rewound"), ("l", "cannot loop its past")])
def test_a_key_that_needs_a_local_voice_says_so_and_the_stream_plays_on(sound, key, words):
    with connect(sound, seed=7) as remote:
        performance = RemotePerformance(remote)
        keyboard = Keyboard(performance)
        assert keyboard.press(key)
        assert keyboard.message == f"a served voice {words}; play a voice of this machine for that"
        assert performance.read(2).size == 400


def test_a_token_of_a_local_voice_is_a_usage_error(run, toy_audio):
    done = run("stream", "--voice", toy_audio, "--token", "secret")
    assert done.returncode == 2
    assert "is for a served voice, --voice ws://HOST:PORT/VOICE" in done.stderr


def test_an_unknown_voice_is_one_line_that_suggests_a_name(run, sound):
    done = run("stream", "--voice", sound.replace("toy-audio", "toy-adio"), "--to", "null")
    assert "toy-adio was refused: " in the_error(done)
    assert "did you mean 'toy-audio'" in the_error(done)


def test_a_server_that_is_not_there_is_one_line(run):
    done = run("stream", "--voice", "ws://127.0.0.1:1/blizzard", "--to", "null")
    assert the_error(done) == (
        "error: ws://127.0.0.1:1/blizzard cannot be reached: nothing listens there; start `vrnn-engine serve` there"
    )


def test_another_server_is_one_line(run):
    def answer(listening):
        for _ in range(2):
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 this is a mail server\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answer, args=(listening,), daemon=True).start()
        done = run("stream", "--voice", f"ws://127.0.0.1:{listening.getsockname()[1]}/blizzard", "--to", "null")
    assert "this is not a server of vrnn-engine" in the_error(done)


def test_a_text_for_a_voice_that_writes_none_is_one_line(run, ink):
    done = run("write", "Dear Anna", "--voice", ink, "--to", "a.svg")
    assert "the served voice 'toy-pen' writes no text" in the_error(done)


@pytest.mark.slow
def test_it_plays_on_when_the_server_is_started_again(run, work, toy_audio, engine):
    with running(str(toy_audio)) as server:

        def restart():
            time.sleep(4)
            server.kill()
            server.start()

        restarting = threading.Thread(target=restart)
        restarting.start()
        voice = server.url(engine.voice.name)
        done = run("stream", "--voice", voice, "--seed", 7, "--seconds", 6, "--to", "remote.wav")
        restarting.join()
    assert done.returncode == 0, done.stderr
    run("stream", "--voice", toy_audio, "--seed", 7, "--seconds", 6, "--to", "local.wav")
    assert (work / "remote.wav").read_bytes() == (work / "local.wav").read_bytes()
