"""Resynthesises a long recording, and measures the time to the first sound and the memory while it plays.

    python benchmarks/long_recording.py [--voice blizzard] [--minutes 60] [--wall 60] [--mode resynthesise]

Writes noise at 48 kHz in stereo to a temporary WAV file, and starts `vrnn-engine stream --from FILE --to -` in a
process of its own.  Its output is read as fast as it comes, for at most `--wall` seconds.  Memory is the resident
memory that Linux reports, ten times during the run.
"""

import argparse
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
    parser.add_argument("--wall", type=float, default=60, help="seconds after which the process is stopped")
    parser.add_argument("--mode", default="resynthesise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "long.wav"
        write_noise(recording, options.minutes)
        size = recording.stat().st_size / 2**20
        print(f"{options.minutes:g} minutes of 48 kHz stereo, {size:.0f} MiB, {options.mode} by {options.voice}")
        first, heard, memory = measure(recording, options.voice, options.mode, options.wall)
    print(f"first sound after {first:.2f} s, start of the process included; {heard:.1f} s of sound read")
    if memory:
        print(f"resident memory: {memory[0]:.0f} MiB at first, {max(memory):.0f} at most, {memory[-1]:.0f} at last")


def write_noise(path: Path, minutes: float) -> None:
    """Write noise to a WAV file, 16 bits, 48 kHz, stereo."""
    noise = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 2, subtype="PCM_16") as file:
        for _ in range(round(minutes * 60)):
            file.write((noise.standard_normal((RATE, 2)) * 1000).astype(np.int16))


def measure(recording: Path, voice: str, mode: str, wall: float) -> tuple[float, float, list[float]]:
    """Return the seconds to the first sound, the seconds of sound read, and the memory in MiB from time to time."""
    words = ["stream", "--voice", voice, "--from", str(recording), "--mode", mode, "--to", "-"]
    started = time.monotonic()
    reader, writer = os.pipe()
    running = subprocess.Popen([sys.executable, "-m", "vrnn_engine", *words], stdout=writer, stderr=subprocess.DEVNULL)
    os.close(writer)
    read = len(os.read(reader, 400))
    first = time.monotonic() - started
    memory: list[float] = []
    while (passed := time.monotonic() - started) < wall and (data := os.read(reader, 1 << 16)):
        read += len(data)
        if passed >= first + len(memory) * (wall - first) / 10 and (now := resident(running.pid)) is not None:
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
