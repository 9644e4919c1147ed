"""Speakers: what is written arrives at a real sound server, sample for sample."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import sound_server

SECONDS = 1.5
FADED = 80  # samples of 5 ms
SENT = np.random.default_rng(0).uniform(-0.5, 0.5, round(SECONDS * 16000)).astype(np.float32)


# Plays the array in another process, since PortAudio scans for devices once, when it is imported.
PLAY = """
import json, logging, sys
from types import SimpleNamespace
import numpy as np
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.player import Player

logging.basicConfig(format="log: %(message)s")
words = json.loads(sys.argv[2])
samples, rate, then = np.load(sys.argv[1]), words.pop("rate"), words.pop("then")
channels = 1 if samples.ndim == 1 else samples.shape[1]
manifest = SimpleNamespace(
    modality="audio", rate=rate, frame_size=channels * rate // 80, unit="full scale", name="noise", text=None,
    channels=channels,
)
position = 0

def read(frames):
    global position
    block = samples[position : position + frames * rate // 80]
    position += frames * rate // 80
    return block

stream = SimpleNamespace(read=read, voice=SimpleNamespace(manifest=manifest))
try:
    target, latency = words.pop("target", "speakers"), words.pop("latency")
    query = "&".join(f"{name}={value}".lower() for name, value in words.items())
    with Player(stream, to=f"{target}?{query}", latency=latency) as player:
        exec(then)
        player.wait()
    answer = {"label": player.label, "played": player.seconds_played, "underruns": player.underruns}
    print(json.dumps({**answer, "dropped": player.dropped, "clipped": player.clipped, "limited": player.limited}))
except SinkError as error:
    print(json.dumps({"error": str(error)}))
"""


class Playing:
    """A process that plays samples; `then` is code that it runs once the player has started."""

    def __init__(
        self,
        server: sound_server.SoundServer,
        folder: Path,
        samples: np.ndarray = SENT,
        then: str = "",
        rate: int = 16000,
        **words: object,
    ) -> None:
        np.save(folder / "sent.npy", samples.astype(np.float32))
        options = json.dumps({"latency": 0.2, **words, "rate": rate, "then": then})
        command = [sys.executable, "-c", PLAY, str(folder / "sent.npy"), options]
        self._process = subprocess.Popen(
            command, env=server.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.logged: list[str] = []

    def pause(self, seconds: float) -> None:
        """Stop the process for some time, as a busy machine does."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)

    def finish(self) -> tuple[str, str]:
        """Wait for the end; return stdout and stderr."""
        out, errors = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, errors.decode()
        return out.decode(), errors.decode()

    def answer(self) -> dict[str, Any]:
        """Wait for the end, and return the result that it prints."""
        out, errors = self.finish()
        self.logged = [line[5:] for line in errors.splitlines() if line.startswith("log: ")]
        found: dict[str, Any] = json.loads(out)
        return found

    def error(self) -> str:
        """Wait for the end, and return the error, which must be one line."""
        found = self.answer()
        assert set(found) == {"error"}, found
        return str(found["error"])


def play(server: sound_server.SoundServer, folder: Path, *given: Any, **words: Any) -> dict[str, Any]:
    return Playing(server, folder, *given, **words).answer()


def align(heard: np.ndarray, sent: np.ndarray) -> np.ndarray:
    """Return the part of `heard` that best matches `sent`."""
    size = 1 << (len(heard) + len(sent)).bit_length()
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size)))
    start = int(np.argmax(match))
    return heard[start : start + len(sent)]


def test_every_sample_is_played_from_the_first_to_the_last(server: sound_server.SoundServer, tmp_path: Path) -> None:
    """Many devices lose samples at both ends.  The last samples fade out."""
    recorder = server.record()
    answer = play(server, tmp_path, latency=0.5)
    heard = recorder.finish()
    assert answer["played"] == pytest.approx(SECONDS)
    assert answer["label"].startswith("speakers (")
    assert answer["dropped"] == answer["clipped"] == answer["limited"] == 0
    if answer["underruns"]:  # on a machine that is too busy, gaps are counted, but no sample is lost
        assert np.count_nonzero(np.abs(heard) > 1e-6) >= 0.98 * len(SENT)
        return
    heard = align(heard, SENT)
    assert np.abs(heard - SENT)[FADED:-FADED].max() < 1e-4
    gains = heard / SENT
    assert (np.diff(gains[:FADED]) > -1e-3).all()
    assert (np.diff(gains[-FADED:]) < 1e-3).all()
    assert abs(gains[0]) < 0.01
    assert heard[-1] == 0
    assert np.count_nonzero(np.abs(heard) > 1e-6) >= np.count_nonzero(np.abs(SENT) > 1e-6) - 3


def test_a_latency_below_two_frames_is_raised_and_said(server: sound_server.SoundServer, tmp_path: Path) -> None:
    playing = Playing(server, tmp_path, SENT[:8000], then="print(player.sink.device.ring.capacity)", latency=0.001)
    out, errors = playing.finish()
    assert int(out.splitlines()[0]) >= 400
    assert "log: a latency of 0.001 s is shorter than 2 frames" in errors
    assert "0.025 s is used" in errors


LATE_READS = """
import itertools, time
read_now, calls = stream.read, itertools.count()
def read_late(frames):
    if next(calls) % 40 == 39:
        time.sleep(0.08)
    return read_now(frames)
stream.read = read_late
"""


def count_gaps(heard: np.ndarray) -> int:
    """Return the number of silent stretches in a recording of samples that are never zero."""
    heard = np.trim_zeros(heard)
    ends = np.diff(np.flatnonzero(np.concatenate([[1.0], heard, [1.0]])))
    return int(np.count_nonzero(ends > 4))


@pytest.mark.parametrize("stopped", [False, True], ids=["late frames", "late frames and a stopped process"])
def test_each_gap_that_is_heard_counts_as_one_underrun(
    server: sound_server.SoundServer, tmp_path: Path, stopped: bool
) -> None:
    """At the smallest latency: late frames empty the ring; a process that is stopped also empties the device."""
    recorder = server.record()
    playing = Playing(server, tmp_path, np.abs(SENT).repeat(3) + 0.1, then=LATE_READS, latency=0.001)
    for _ in range(3 if stopped else 0):
        time.sleep(0.7)
        playing.pause(0.2)
    answer = playing.answer()
    gaps = count_gaps(recorder.finish())
    assert gaps >= 5
    assert abs(answer["underruns"] - gaps) <= 0.2 * gaps, (answer["underruns"], gaps)


def test_all_channels_play_the_same(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    if reason := sound_server.missing():
        pytest.skip(reason)
    server = sound_server.SoundServer(tmp_path_factory.mktemp("sound"), channels=3)
    try:
        recorder = server.record()
        answer = play(server, tmp_path, channels=3)
        heard = recorder.finish()
    finally:
        server.close()
    assert answer["played"] == pytest.approx(SECONDS)
    assert np.array_equal(heard, heard[:, :1].repeat(3, axis=1))
    if not answer["underruns"]:
        assert np.abs(align(heard[:, 1], SENT) - SENT)[FADED:-FADED].max() < 1e-4


@pytest.mark.parametrize("channels", [1, 2])
def test_stereo_plays_on_two_channels_and_its_mean_on_one(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, channels: int
) -> None:
    if reason := sound_server.missing():
        pytest.skip(reason)
    sent = np.random.default_rng(1).uniform(-0.5, 0.5, (16000, 2)).astype(np.float32)
    server = sound_server.SoundServer(tmp_path_factory.mktemp("sound"), channels=channels)
    try:
        recorder = server.record()
        answer = play(server, tmp_path, sent, latency=0.5, channels=channels)
        heard = recorder.finish()
    finally:
        server.close()
    assert answer["played"] == pytest.approx(1.0)
    heard = heard.reshape(len(heard), -1)
    if not answer["underruns"]:
        for channel in range(channels):
            expected = sent.mean(axis=1) if channels == 1 else sent[:, channel]
            assert np.abs(align(heard[:, channel], expected) - expected)[FADED:-FADED].max() < 1e-4


def test_more_channels_than_the_device_has_is_an_error(server: sound_server.SoundServer, tmp_path: Path) -> None:
    assert "has 32 channels, not 33" in Playing(server, tmp_path, channels=33).error()
    assert "cannot be '0'" in Playing(server, tmp_path, channels=0).error()


def test_a_rate_that_the_device_does_not_accept_is_resampled(server: sound_server.SoundServer, tmp_path: Path) -> None:
    """ALSA's PulseAudio plug-in accepts no rate below 8 kHz."""
    sent = 0.5 * np.sin(2 * np.pi * 440 * np.arange(6000) / 4000)
    recorder = server.record()
    answer = play(server, tmp_path, sent, rate=4000, latency=0.5)
    heard = recorder.finish()
    assert answer["played"] == pytest.approx(1.5, abs=0.01)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(24000) / 16000)
    if not answer["underruns"]:
        best = align(heard, expected[400:-400])
        assert np.abs(best - expected[400:-400]).max() < 0.02
        loud = np.flatnonzero(np.abs(heard) > 0.02)
        assert abs(loud[-1] - loud[0] - 24000) < 200


def test_a_change_of_volume_does_not_click(server: sound_server.SoundServer, tmp_path: Path) -> None:
    """A constant level would show every step."""
    recorder = server.record()
    then = """
import threading
while player.seconds_played < 0.5:
    player.wait(0.01)
knob = threading.Thread(target=setattr, args=(player, "volume", -20))
knob.start()
knob.join()
"""
    answer = play(server, tmp_path, np.full(24000, 0.5), then, volume=6, ceiling=0)
    heard = recorder.finish()
    levels = 0.5 * 10 ** (np.array([6, -20]) / 20)
    for level in levels:
        assert np.count_nonzero(np.abs(heard - level) < 1e-4) > 6000
    assert answer["limited"] == 0
    if not answer["underruns"]:
        assert np.abs(np.diff(heard)).max() < levels[0] * np.pi / 2 / FADED * 1.01


def test_stop_does_not_click(server: sound_server.SoundServer, tmp_path: Path) -> None:
    recorder = server.record()
    then = "while player.seconds_played < 0.5: player.wait(0.01)\nplayer.stop()"
    answer = play(server, tmp_path, np.full(160000, 0.5), then)
    heard = recorder.finish()
    assert 0.5 <= answer["played"] < 10
    assert np.count_nonzero(np.abs(heard) > 1e-6) >= 16000 * answer["played"] - 3
    if not answer["underruns"]:
        assert np.abs(np.diff(heard)).max() < 0.5 * np.pi / 2 / FADED * 1.01


@pytest.mark.parametrize("ceiling", [None, -20])
def test_samples_beyond_the_ceiling_are_limited_and_counted(
    server: sound_server.SoundServer, tmp_path: Path, ceiling: float | None
) -> None:
    recorder = server.record()
    answer = play(server, tmp_path, np.full(1600, 0.5), volume=12, **({} if ceiling is None else {"ceiling": ceiling}))
    heard = recorder.finish()
    assert 1400 < answer["limited"] <= 1600
    assert answer["clipped"] == 0
    assert np.abs(heard).max() == pytest.approx(10 ** ((-1 if ceiling is None else ceiling) / 20), abs=1e-4)


def test_no_nan_reaches_a_device(server: sound_server.SoundServer, tmp_path: Path) -> None:
    """Neither at the voice's rate nor through a resampler, at no volume."""
    sent = np.full(8000, 0.25)
    sent[3000:3030:3] = np.nan
    sent[3001:3030:3] = np.inf
    sent[3002:3030:3] = -3e38
    for options in ({"rate": 4000}, {"volume": float("-inf")}, {"volume": 20}, {}):
        recorder = server.record()
        play(server, tmp_path, sent, latency=0.5, **options)
        heard = recorder.finish()
        assert np.isfinite(heard).all()
        assert np.abs(heard).max() <= 10 ** (-1 / 20) + 0.02  # the sound server resamples once more


def test_a_volume_that_is_too_high_is_refused(server: sound_server.SoundServer, tmp_path: Path) -> None:
    assert "at most 20" in Playing(server, tmp_path, volume=21).error()
    assert "nan dB is not possible" in Playing(server, tmp_path, volume=float("nan")).error()


UNTIL_RECONNECTED = """
import pathlib
while player.seconds_played < 0.5: player.wait(0.01)
pathlib.Path("MARK").touch()
while not player.dropped: player.wait(0.01)
heard = player.seconds_played
while player.seconds_played < heard + 0.5: player.wait(0.01)
player.stop()
"""


@pytest.mark.parametrize("strict", [False, True])
def test_a_device_is_reconnected_or_its_loss_is_an_error_if_strict(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, strict: bool
) -> None:
    """Disconnection and return are logged in one line each; with `strict` the disconnection is an error."""
    if reason := sound_server.missing():
        pytest.skip(reason)
    folder, mark = tmp_path_factory.mktemp("sound"), tmp_path / "playing"
    server = sound_server.SoundServer(folder)
    server.record()
    sent = np.tile(SENT, 40)
    playing = Playing(server, tmp_path, sent, UNTIL_RECONNECTED.replace("MARK", str(mark)), strict=strict)
    sound_server.wait_until(mark.exists, "it does not play")
    server.close()
    if strict:
        assert re.fullmatch(
            r"speakers \(.*\) is disconnected: it has stopped taking samples; connect it and start again",
            playing.error(),
        )
        return
    server = sound_server.SoundServer(folder)
    try:
        recorder = server.record()
        answer = playing.answer()
        heard = recorder.finish()
    finally:
        server.close()
    lost, back = playing.logged
    assert re.fullmatch(r"speakers \(.*\) is disconnected; the stream continues without sound until it is back", lost)
    assert re.fullmatch(r"speakers \(.*\) is back after \d+\.\d s", back)
    assert answer["dropped"] > 0
    assert answer["played"] >= 1.0
    if not answer["underruns"]:
        begins = np.flatnonzero(np.abs(heard) > 1e-6)[0]
        part = heard[begins + FADED : begins + 4000]
        match = align(sent, part)
        assert np.abs(match - part).max() < 1e-4


def test_a_device_is_found_by_part_of_its_name(server: sound_server.SoundServer, tmp_path: Path) -> None:
    assert play(server, tmp_path, target="speakers:PULS")["label"] == "speakers (pulse)"


def test_an_unknown_device_lists_similar_names(server: sound_server.SoundServer, tmp_path: Path) -> None:
    error = Playing(server, tmp_path, target="speakers:pulze").error()
    assert "no sound device is called 'pulze'" in error
    assert "pulse" in error.replace("pulze", "")


def test_the_command_line_plays_by_default_where_there_is_a_device(
    server: sound_server.SoundServer, tmp_path: Path, toy_audio: Path
) -> None:
    recorder = server.record()
    command = [
        sys.executable,
        "-m",
        "vrnn_engine",
        "stream",
        "--voice",
        str(toy_audio),
        "--seconds",
        "1",
        "--seed",
        "1",
    ]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    heard = recorder.finish()
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "speakers (" in done.stderr
    assert "underruns" in done.stderr
    assert not list(tmp_path.glob("*.wav"))
    assert np.sqrt(np.mean(align(heard, SENT[:8000]) ** 2)) > 0.01
