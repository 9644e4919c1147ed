"""A voice in an audio callback of one's own: mixed with what the application plays already.

    python examples/sounddevice_callback.py [VOICE] [SECONDS]

A callback has a few milliseconds and may not wait: so frames are made in another thread, which keeps a ring filled, and
the callback only copies.  (Where nothing is to be mixed, `vrnn_engine.Player` does all of this.)
"""

import sys
import threading
import time

import numpy as np
import sounddevice

from vrnn_engine import Engine
from vrnn_engine.runtime.audio.ring import Ring

FRAMES = 4
AHEAD = 0.1
"""Seconds that the ring holds."""
HUM = 110.0
"""Hertz of what is mixed with the voice."""


def main(voice: str = "blizzard", seconds: str = "5") -> None:
    """Play the voice over a hum."""
    stream = Engine.load(voice).stream(seed=7)
    rate = stream.voice.manifest.rate
    ring, stop = Ring(round(AHEAD * rate)), threading.Event()
    block, played, underruns = np.zeros(rate, np.float32), 0, 0
    hum = (0.05 * np.sin(2 * np.pi * HUM * np.arange(rate) / rate)).astype(np.float32)  # a whole second: no seam

    def fill() -> None:
        for made in stream.blocks(FRAMES):
            while len(made):
                made = made[ring.write(made) :]
                if stop.is_set():
                    return
                if len(made):
                    time.sleep(AHEAD / 8)

    def play(out: np.ndarray, frames: int, when: object, status: object) -> None:
        nonlocal played, underruns
        part = block[:frames]
        underruns += ring.read_into(part) < frames
        out[:, 0] = part
        start = played % rate
        first = min(frames, rate - start)
        out[:first, 0] += hum[start : start + first]
        out[first:, 0] += hum[: frames - first]
        played += frames

    filler = threading.Thread(target=fill, daemon=True)
    filler.start()
    while ring.filled < ring.capacity:
        time.sleep(0.01)
    with sounddevice.OutputStream(samplerate=rate, channels=1, dtype="float32", callback=play):
        time.sleep(float(seconds))
    stop.set()
    filler.join()
    print(f"{played / rate:.1f} s played, {underruns} underruns")


if __name__ == "__main__":
    main(*sys.argv[1:])
