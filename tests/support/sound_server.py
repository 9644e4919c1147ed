"""Runs a private PulseAudio server, with an output that can be recorded and a microphone that can be played into.

Both are null sinks: `ear` is the default output; what is played into `mouth` is what the default microphone records.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

PROGRAMS = ("pulseaudio", "pactl", "parec")


def missing() -> str | None:
    """Return why no server can run here, or None if one can."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"no {', '.join(absent)} here (Debian: pulseaudio, pulseaudio-utils)"
    if not list(Path("/usr/lib").glob("**/alsa-lib/libasound_module_pcm_pulse.so")):
        return "ALSA cannot reach PulseAudio here (Debian: libasound2-plugins)"
    return None


class SoundServer:
    """A running server; programs that are started with `environment` use it."""

    def __init__(self, folder: Path, channels: int = 1) -> None:
        (folder / "home").mkdir(exist_ok=True)
        config = folder / "asound.conf"
        # PortAudio uses ALSA on Debian, so the default device of ALSA is the server.
        config.write_text("</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PULSE_", "XDG_"))},
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder / "pulse"),
            "PULSE_SERVER": f"unix:{folder}/socket",
            "ALSA_CONFIG_PATH": str(config),
            "JACK_NO_START_SERVER": "1",  # PortAudio tries every sound system, which would start the JACK server
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        }
        modules = (
            f"module-native-protocol-unix auth-anonymous=1 socket={folder}/socket",
            f"module-null-sink sink_name=ear rate=16000 channels={channels} format=float32le",
            "module-null-sink sink_name=mouth rate=16000 channels=1 format=float32le",
        )
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--system=no", "--use-pid-file=no"]
        command += ["--realtime=no", "--high-priority=no"]  # the system ends a realtime process that runs too long
        command += ["--disable-shm=yes"]  # through the socket: shared memory loses blocks (pulseaudio#824)
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [*command, *(f"--load={module}" for module in modules)],
            env=self.environment,
            stdout=self._log,
            stderr=self._log,
        )
        self._folder = folder
        self._channels = channels
        try:
            wait_until(self._answers, "pulseaudio does not answer")
            self.control("set-default-sink", "ear")
            self.control("set-default-source", "mouth.monitor")
        except RuntimeError:
            self.close()
            raise

    def record(self) -> "Recorder":
        """Start to record what is played."""
        return Recorder(self.environment, self._folder / "recording", self._channels)

    def say(self, samples: np.ndarray) -> None:
        """Play samples into the microphone, float32 at 16 kHz, with a second of silence before and after."""
        silence = np.zeros(16000, np.float32)  # the first samples into a null sink may be lost
        samples = np.concatenate([silence, samples, silence])
        command = ["pacat", "-p", "-d", "mouth", "--format=float32le", "--rate=16000", "--channels=1", "--raw"]
        subprocess.run(command, env=self.environment, input=samples.astype("<f4").tobytes(), check=True)

    def control(self, *words: str) -> None:
        """Run `pactl` on the server."""
        done = subprocess.run(["pactl", *words], env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"pactl {' '.join(words)}: {done.stderr}")

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError("pulseaudio did not start: " + (self._folder / "log").read_text())
        return subprocess.run(["pactl", "info"], env=self.environment, capture_output=True).returncode == 0

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def close(self) -> None:
        """Stop the server."""
        self._process.terminate()
        self._process.wait(10)
        self._log.close()


class Recorder:
    """Records the server's output, float32 at 16 kHz."""

    def __init__(self, environment: dict[str, str], path: Path, channels: int) -> None:
        command = ["parec", "-d", "ear.monitor", "--format=float32le", "--rate=16000", f"--channels={channels}"]
        command += ["--raw"]
        self._path = path
        self._channels = channels
        with path.open("wb") as file:
            self._process = subprocess.Popen([*command, "--latency-msec=20"], env=environment, stdout=file)
        wait_until(lambda: path.stat().st_size > 0, "parec records nothing")

    def finish(self) -> np.ndarray:
        """Return the samples recorded: [n], or [n, channels] if there are several channels."""
        time.sleep(0.5)  # until the last samples have arrived
        self._process.terminate()
        self._process.wait(10)
        data = self._path.read_bytes()
        size = 4 * self._channels
        samples = np.frombuffer(data[: len(data) // size * size], np.float32).reshape(-1, self._channels)
        return samples[:, 0] if self._channels == 1 else samples


def wait_until(ready: Callable[[], bool], else_: str) -> None:
    """Wait until `ready` returns True, at most ten seconds; then raise a `RuntimeError` with the text `else_`."""
    for _ in range(100):
        if ready():
            return
        time.sleep(0.1)
    raise RuntimeError(else_)
