"""OSC: messages of real clients take effect in order and none is lost; bad ones are answered with an error."""

import json
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from support import sound_server
from support.load_test import BY_OSC, HEAT, UNIT, count_lost_osc, lateness, send_osc
from support.steered import TimedPerformance, skip_unless_calm, wait_until

from vrnn_engine import Engine, SourceError
from vrnn_engine.runtime.live.control.osc import Osc
from vrnn_engine.runtime.live.control.osc_messages import read_packet, write_message
from vrnn_engine.runtime.live.events import (
    Follow,
    Fork,
    Prime,
    Reset,
    Restore,
    Rewind,
    Save,
    Seed,
    Set,
    Trace,
)
from vrnn_engine.runtime.live.inputs import RecordingInput
from vrnn_engine.runtime.live.listening_stream import ListeningStream
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.rate_limited_log import RateLimitedLog

pythonosc = pytest.importorskip("pythonosc", reason="python-osc comes with the extra `live`")
from pythonosc.osc_message_builder import build_msg  # noqa: E402


@pytest.fixture
def osc(performance):
    running = Osc()
    running.start(performance)
    yield running
    running.stop()


class Client:
    """Sends messages to a port of this machine, and receives the replies."""

    def __init__(self, port):
        self._port = port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(10)

    def send(self, address, values):
        self.send_bytes(build_msg(address, values).dgram)

    def send_bytes(self, packet):
        self._socket.sendto(packet, ("127.0.0.1", self._port))

    def receive(self):
        """Return the messages of the next packet."""
        return read_packet(self._socket.recv(65536))

    def hear(self, address):
        """Return the arguments of the next reply to an address."""
        for _ in range(1000):
            for found, values in self.receive():
                if found == address:
                    return values
        raise AssertionError(f"no {address} among a thousand messages")

    def close(self):
        self._socket.close()


def wait_until_applied(port):
    """Wait until all messages that were sent to a port have taken effect."""
    client = Client(port)
    client.send("/restore", "nowhere")
    client.hear("/error")  # all messages before this one have been read
    (frame,) = client.hear("/frame")
    while client.hear("/frame")[0] < frame + 80:  # a second; they take effect in the next block of a few frames
        pass
    client.close()


def interruptible():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored if the tests run in the background


@pytest.fixture
def client(osc):
    made = Client(osc.port)
    yield made
    made.close()


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_no_message_of_a_thousand_a_second_is_lost_or_late(performance, osc, seconds):
    with performance.playing() as player:
        sent = send_osc(osc.port, 1000 * seconds)
        wait_until(lambda: len(performance.applied) >= len(sent))
        underruns = player.underruns
    assert count_lost_osc(performance, len(sent)) == 0
    for control, index in BY_OSC:
        now = performance.controls[control]
        assert (now if index is None else now[index]) == performance.changes(control, index)[-1].value
    skip_unless_calm(sent)
    assert np.quantile(lateness(performance, BY_OSC, sent), 0.99) <= 2
    assert underruns == 0


@pytest.mark.slow
def test_no_message_is_lost_while_a_sound_device_plays_for_a_minute(toy_audio, tmp_path):
    if reason := sound_server.missing():
        pytest.skip(reason)
    server = sound_server.SoundServer(tmp_path)
    arguments = ["--voice", str(toy_audio), "--seconds", "inf", "--to", "speakers", "--latency", "0.2", "--osc", "0"]
    command = [sys.executable, "-m", "vrnn_engine", "stream", *arguments, "--record", str(tmp_path / "played.jsonl")]
    playing = subprocess.Popen(
        command, env=server.environment, stderr=subprocess.PIPE, text=True, preexec_fn=interruptible
    )
    try:
        port = next(int(line.rpartition(":")[2]) for line in playing.stderr if line.startswith("OSC: listening"))
        assert any("-> speakers" in line for line in playing.stderr)
        sent = send_osc(port, 60_000)
        wait_until_applied(port)
        playing.send_signal(signal.SIGINT)
        said = playing.communicate(timeout=60)[1]
    finally:
        playing.kill()
        server.close()
    _, *events = map(json.loads, (tmp_path / "played.jsonl").read_text().splitlines())
    assert [round(event["value"] / UNIT) for event in events] == list(range(60_000))
    skip_unless_calm(sent)
    assert ", 0 underruns" in said


def test_bad_messages_are_answered_and_the_stream_goes_on(performance, osc, client, said):
    with performance.playing() as player:
        client.send_bytes(b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xfc" + b"/a\0\0")
        assert "damaged" in client.hear("/error")[0]
        client.send("/control/output.temprature", 0.5)
        assert "did you mean 'output.temperature'" in client.hear("/error")[0]
        client.send("/control/output.temperature", 99.0)
        assert "out of range" in client.hear("/error")[0]
        client.send("/control/latent.shift/4", 0.0)
        assert "no dimension 4" in client.hear("/error")[0]
        client.send("/restore", "nowhere")
        assert "no saved state 'nowhere'" in client.hear("/error")[0]
        client.send("/prime", "nowhere.wav")
        assert "nowhere.wav: no such file" in client.hear("/error")[0]
        client.send("/control/output.temperature", 0.5)
        wait_until(lambda: performance.applied)
        assert player.running
    assert performance.applied == [Set(frame=performance.applied[0].frame, control=HEAT, value=0.5)]
    osc.stop()
    assert said[0].startswith("OSC from 127.0.0.1:")
    assert "damaged" in said[0]


def test_different_errors_are_logged_and_a_flood_is_counted(said):
    trouble = RateLimitedLog(interval=60.0)
    for _ in range(50):
        trouble.warn("wrong name")
    for number in range(1000):
        trouble.warn(f"bad {number}")
    trouble.flush()
    trouble.flush()
    assert said == ["wrong name", *(f"bad {number}" for number in range(7)), "1042 more lines not shown"]


def test_an_error_is_logged_again_after_the_interval(said):
    trouble = RateLimitedLog(interval=0.05)
    trouble.warn("wrong name")
    trouble.warn("wrong name")
    time.sleep(0.06)
    trouble.warn("wrong name")
    trouble.flush()
    assert said == ["wrong name", "wrong name (1 more line before it not shown)"]


def test_every_request_takes_effect(performance, client, tmp_path):
    rate = performance.voice.manifest.rate
    soundfile.write(tmp_path / "clip.wav", 0.1 * np.random.default_rng(0).standard_normal(rate // 4), rate)
    listener = performance.stream.open_another(0)
    expected = listener.prime(tmp_path / "clip.wav").kl.mean()
    with performance.playing():
        client.send("/ramp/latent.shift/1", [0.05, 1.5])
        client.send("/snapshot", "here")
        client.send("/seed", 9)
        client.send("/fork", [str(tmp_path / "fork.wav"), 0.25])
        wait_until(lambda: len(performance.applied) == 4)
        client.send("/restore", "here")
        client.send("/rewind", 0.1)
        client.send("/reset", [])
        client.send("/prime", str(tmp_path / "clip.wav"))
        assert client.hear("/kl") == [pytest.approx(expected, rel=1e-6)]
        client.send("/trace", ["way", 0.1])
        client.send("/follow", ["way", 2.0])
        wait_until(lambda: len(performance.applied) == 10)
        client.send("/follow", str(tmp_path / "clip.wav"))
        wait_until(lambda: len(performance.applied) == 11)
    performance.close()
    asked = [Set, Save, Seed, Fork, Restore, Rewind, Reset, Prime, Trace, Follow, Follow]
    assert [type(event) for event in performance.applied] == asked
    assert [event.times for event in performance.applied[-2:]] == [2, 1]
    assert soundfile.info(tmp_path / "fork.wav").frames == rate // 4


def test_it_reports_frame_level_and_latent(performance, client, engine):
    with performance.playing():
        client.send("/control/output.temperature", 0.0)
        (frame,) = client.hear("/frame")
        (level,) = client.hear("/level")
        latent = client.hear("/latent")
        (later,) = client.hear("/frame")
    assert 0 < frame < later <= performance.frame
    assert -60 < level < 0
    made = engine.stream(3)
    made.controls.restore(performance.stream.controls.snapshot())
    assert len(latent) == 4
    assert np.ptp(latent) > 0


def test_reports_can_go_to_another_address(performance):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(10)
        osc = Osc(to=f"localhost:{ear.getsockname()[1]}")
        osc.start(performance)
        with performance.playing():
            assert read_packet(ear.recv(65536))[0][0] == "/frame"
            Client(osc.port).send("/sing", [])
            while (heard := read_packet(ear.recv(65536))[0])[0] != "/error":
                pass
            assert "unknown OSC address '/sing'" in heard[1][0]
        osc.stop()


def test_no_level_is_reported_for_ink(toy_pen):
    performance = TimedPerformance(Engine.load(toy_pen, "cpu"))
    osc = Osc()
    osc.start(performance)
    client = Client(osc.port)
    client.send("/seed", 1)
    seen = set()
    while len(seen) < 2 or performance.frame < 50:
        performance.read(1)
        seen.add(client.receive()[0][0])
    osc.stop()
    assert seen == {"/frame", "/latent"}


def test_a_listening_stream_reports_its_kl(engine, tmp_path):
    rate, noise = engine.voice.manifest.rate, np.random.default_rng(0).standard_normal(20_000)
    soundfile.write(tmp_path / "clip.wav", 0.1 * noise, rate, subtype="FLOAT")
    clip = RecordingInput(tmp_path / "clip.wav", engine.voice.manifest)
    listener = ListeningStream(engine.stream(3), clip, "observe")
    performance, osc = Performance(listener), Osc()
    osc.start(performance)
    client, told = Client(osc.port), []
    client.send("/control/output.temperature", 1.0)
    while not told:
        performance.read(1)
        told += [values[0] for address, values in client.receive() if address == "/kl"]
    osc.stop()
    every = engine.stream(3).prime(tmp_path / "clip.wav").kl
    assert np.abs(every - told[0]).min() < 1e-4


@pytest.mark.parametrize("text", ["", "x", "99999", "host:", "-1", "1.2.3.4:port", "no such host:9"])
def test_a_malformed_address_is_refused(text):
    with pytest.raises(SourceError, match="OSC address"):
        Osc(text)
    with pytest.raises(SourceError, match="write HOST:PORT"):
        Osc(to="9000")


def test_a_port_that_is_taken_is_one_line(performance, osc):
    other = Osc(str(osc.port))
    with pytest.raises(SourceError, match=f"cannot listen for OSC on 127.0.0.1:{osc.port}: Address already in use"):
        other.start(performance)
    other.stop()


def test_what_is_written_can_be_read():
    assert read_packet(write_message("/latent", 0.5, -2.0)) == [("/latent", [0.5, -2.0])]
    assert read_packet(write_message("/frame", 3)) == [("/frame", [3])]
    assert read_packet(write_message("/error", "höher")) == [("/error", ["höher"])]
