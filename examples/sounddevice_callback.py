"""Mix a voice with other sound in your own audio callback.

    python examples/sounddevice_callback.py [VOICE] [SECONDS]

An audio callback must return within a few milliseconds and must not wait.  So another thread generates the frames and
keeps a ring buffer filled, and the callback only copies.  (If you have nothing to mix, `vrnn_engine.Player` does all of
this.)
"""

import sys
import threading
import time

import numpy as np
import sounddevice

from vrnn_engine import Engine
from vrnn_engine.runtime.audio.ring import Ring

FRAMES = 4
RING_SECONDS = 0.1
HUM_HERTZ = 110.0


def main(voice: str = "blizzard", seconds: str = "5") -> None:
    """Play the voice mixed with a hum."""
    stream = Engine.load(voice).stream(seed=7)
    rate = stream.voice.manifest.rate
    ring, stop = Ring(round(RING_SECONDS * rate)), threading.Event()
    block, played, underruns = np.zeros(rate, np.float32), 0, 0
    # One second, a whole number of periods, so that it repeats without a click.
    hum = (0.05 * np.sin(2 * np.pi * HUM_HERTZ * np.arange(rate) / rate)).astype(np.float32)

    def fill() -> None:
        for samples in stream.blocks(FRAMES):
            while len(samples):
                samples = samples[ring.write(samples) :]
                if stop.is_set():
                    return
                if len(samples):
                    time.sleep(RING_SECONDS / 8)

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
