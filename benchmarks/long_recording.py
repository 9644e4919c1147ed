"""Resynthesises a long recording, and measures the time to the first sound and the memory while it plays.

    python benchmarks/long_recording.py [--voice blizzard] [--minutes 60] [--wall SECONDS] [--mode resynthesise]

Writes noise at 48 kHz in stereo to a temporary WAV file (660 MiB for an hour), and starts `vrnn-engine stream --from
FILE --to -` in a process of its own.  Its output is read as fast as it comes, to the end, or for at most `--wall`
seconds.  Memory is the resident memory that Linux reports, after each tenth of the recording.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

RATE = 48000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", default="blizzard")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--wall", type=float, default=math.inf, help="seconds after which the process is stopped")
    parser.add_argument("--mode", default="resynthesise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "long.wav"
        write_noise(recording, options.minutes)
        size = recording.stat().st_size / 2**20
        print(f"{options.minutes:g} minutes of 48 kHz stereo, {size:.0f} MiB, {options.mode} by {options.voice}")
        began = time.monotonic()
        first, heard, memory = measure(recording, options.voice, options.mode, options.wall, options.minutes)
        took = time.monotonic() - began
    print(f"first sound after {first:.2f} s, start of the process included")
    print(f"{heard:.1f} of {options.minutes * 60:.1f} s of sound read in {took:.1f} s")
    if memory:
        print("resident memory after each tenth, MiB: " + " ".join(f"{now:.0f}" for now in memory))


def write_noise(path: Path, minutes: float) -> None:
    """Write noise to a WAV file, 16 bits, 48 kHz, stereo."""
    noise = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 2, subtype="PCM_16") as file:
        for _ in range(round(minutes * 60)):
            file.write((noise.standard_normal((RATE, 2)) * 1000).astype(np.int16))


def measure(recording: Path, voice: str, mode: str, wall: float, minutes: float) -> tuple[float, float, list[float]]:
    """Return the seconds to the first sound, the seconds of sound read, and the memory in MiB after each tenth."""
    words = ["stream", "--voice", voice, "--from", str(recording), "--mode", mode, "--to", "-"]
    started = time.monotonic()
    reader, writer = os.pipe()
    running = subprocess.Popen([sys.executable, "-m", "vrnn_engine", *words], stdout=writer, stderr=subprocess.DEVNULL)
    os.close(writer)
    read = len(os.read(reader, 400))
    first = time.monotonic() - started
    memory: list[float] = []
    tenth = 2 * 16000 * minutes * 60 / 10
    while time.monotonic() - started < wall and (data := os.read(reader, 1 << 16)):
        read += len(data)
        # The last tenth is measured a little earlier, because the process ends with it.
        due = len(memory) < 10 and read >= min(len(memory) + 1, 9.9) * tenth
        if due and (now := resident(running.pid)) is not None:
            memory.append(now)
    os.close(reader)
    running.kill()
    running.wait()
    return first, read / 2 / 16000, memory


def resident(process: int) -> float | None:
    """Return the resident memory of a process in MiB; None where the system does not tell, or it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    found = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(found[0].split()[1]) / 1024 if found else None


if __name__ == "__main__":
    main()
