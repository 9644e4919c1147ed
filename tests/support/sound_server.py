"""A private PulseAudio server: an output whose sound can be recorded, and a microphone that hears what it is told to.

Both are null sinks: `ear` is the default output; what is played into `mouth` comes out of the default microphone.
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
    """Return why no server can run here, or None."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"no {', '.join(absent)} here (Debian: pulseaudio, pulseaudio-utils)"
    if not list(Path("/usr/lib").glob("**/alsa-lib/libasound_module_pcm_pulse.so")):
        return "ALSA cannot reach PulseAudio here (Debian: libasound2-plugins)"
    return None


class SoundServer:
    """A running server; `environment` sends programs to it."""

    def __init__(self, folder: Path, channels: int = 1) -> None:
        (folder / "home").mkdir(exist_ok=True)
        config = folder / "asound.conf"
        # PortAudio on Debian speaks ALSA, so its default device is pointed at the server.
        config.write_text("</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PULSE_", "XDG_"))},
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder / "pulse"),
            "PULSE_SERVER": f"unix:{folder}/socket",
            "ALSA_CONFIG_PATH": str(config),
            "JACK_NO_START_SERVER": "1",  # PortAudio asks every server there is, and JACK's would be started by that
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        }
        modules = (
            f"module-native-protocol-unix auth-anonymous=1 socket={folder}/socket",
            f"module-null-sink sink_name=ear rate=16000 channels={channels} format=float32le",
            "module-null-sink sink_name=mouth rate=16000 channels=1 format=float32le",
        )
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--system=no", "--use-pid-file=no"]
        command += ["--realtime=no", "--high-priority=no"]  # a busy machine kills a realtime process that runs too long
        command += ["--disable-shm=yes"]  # sound by the socket: its shared memory loses blocks (pulseaudio#824)
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
        """Record what is played from now on."""
        return Recorder(self.environment, self._folder / "recording", self._channels)

    def say(self, samples: np.ndarray) -> None:
        """Let the microphone hear samples, float32 at 16 kHz, with a second of silence about them, and wait for it."""
        silence = np.zeros(16000, np.float32)  # what starts a null sink is not always heard
        samples = np.concatenate([silence, samples, silence])
        command = ["pacat", "-p", "-d", "mouth", "--format=float32le", "--rate=16000", "--channels=1", "--raw"]
        subprocess.run(command, env=self.environment, input=samples.astype("<f4").tobytes(), check=True)

    def control(self, *words: str) -> None:
        """Tell the server something, as `pactl` does."""
        done = subprocess.run(["pactl", *words], env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"pactl {' '.join(words)}: {done.stderr}")

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError("pulseaudio did not start: " + (self._folder / "log").read_text())
        return subprocess.run(["pactl", "info"], env=self.environment, capture_output=True).returncode == 0

    @property
    def pid(self) -> int:
        """Of the server's process."""
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
        """Return what was recorded: [n], or [n, channels] of several."""
        time.sleep(0.5)  # for what is on its way
        self._process.terminate()
        self._process.wait(10)
        data = self._path.read_bytes()
        size = 4 * self._channels
        samples = np.frombuffer(data[: len(data) // size * size], np.float32).reshape(-1, self._channels)
        return samples[:, 0] if self._channels == 1 else samples


def wait_until(ready: Callable[[], bool], else_: str) -> None:
    """Wait at most ten seconds; raise `RuntimeError` saying `else_`."""
    for _ in range(100):
        if ready():
            return
        time.sleep(0.1)
    raise RuntimeError(else_)
