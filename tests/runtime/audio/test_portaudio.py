"""PortAudio: devices that cannot be opened, the list of devices, and messages of ALSA."""

import json
import re
import subprocess
import sys

import pytest
from support import sound_server
from support.command import environment

from vrnn_engine.runtime.audio import portaudio


def test_a_device_that_does_not_open_is_an_error(server: sound_server.SoundServer) -> None:
    """The device existed when PortAudio scanned for devices."""
    code = """
import os, signal, sys, time
import sounddevice
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks import Format
from vrnn_engine.runtime.sinks.speakers import SpeakersSink
os.kill(int(sys.argv[1]), signal.SIGKILL)
time.sleep(0.5)
try:
    SpeakersSink().open(Format("audio", 16000, 200, "full scale", "silence"))
except SinkError as error:
    print(error)
"""
    command = [sys.executable, "-c", code, str(server.pid)]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=True)
    assert re.fullmatch(
        r"cannot open sound device '\w+': it does not answer; write a \.wav file instead\n", done.stdout
    )


def test_a_busy_device_is_an_error_that_says_so() -> None:
    sounddevice = pytest.importorskip("sounddevice", exc_type=OSError)
    error = sounddevice.PortAudioError("Error opening OutputStream: Device unavailable", -9985)
    message = str(portaudio.cannot_open({"name": "USB"}, error, portaudio.OUTPUT))
    assert message == (
        "cannot open sound device 'USB': it is busy, another program may be using it exclusively; "
        "write a .wav file instead"
    )


def test_the_devices_command_lists_outputs_and_microphones(server: sound_server.SoundServer) -> None:
    command = [sys.executable, "-m", "vrnn_engine", "devices", "--json"]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["sound_error"] is None
    assert "pulse" in [one["name"] for one in found["sound"]]
    assert [one["default"] for one in found["sound"]].count(True) == 1
    assert found["microphones_error"] is None
    assert "pulse" in [one["name"] for one in found["microphones"]]
    assert [one["default"] for one in found["microphones"]].count(True) == 1


def test_alsa_writes_nothing_to_stderr() -> None:
    """ALSA writes to the descriptor, past Python's stderr, so the test needs another process."""
    script = """
import ctypes, sys
alsa = ctypes.CDLL("libasound.so.2")
if sys.argv[1] == "silenced":
    from vrnn_engine.runtime.audio.portaudio import load_sounddevice
    load_sounddevice()
print(alsa.snd_pcm_open(ctypes.byref(ctypes.c_void_p()), b"nowhere", 0, 0))
"""
    printed = {}
    for mode in ("unchanged", "silenced"):
        done = subprocess.run([sys.executable, "-c", script, mode], capture_output=True, text=True, env=environment())
        if "libasound" in done.stderr or "PortAudio" in done.stderr:
            pytest.skip("there is no ALSA, or no PortAudio, here")
        assert int(done.stdout) < 0
        printed[mode] = done.stderr
    assert "nowhere" in printed["unchanged"]
    assert printed["silenced"] == ""
