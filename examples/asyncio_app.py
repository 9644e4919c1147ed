"""A voice inside an asyncio application: frames are made in a thread, and awaited like anything else.

    python examples/asyncio_app.py [VOICE] [SECONDS]

Two tasks share one stream: one awaits its sound and measures how loud each half second is, the other steers it.  The
event loop stays free all the while, which a third task shows by counting.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import numpy as np

from vrnn_engine import Engine, Stream

FRAMES = 8


async def blocks(stream: Stream, seconds: float) -> AsyncIterator[np.ndarray]:
    """Yield sound, FRAMES frames at a time; onnxruntime lets other threads run while it computes."""
    for _ in range(round(seconds * stream.voice.manifest.frames_per_second / FRAMES)):
        yield await asyncio.to_thread(stream.read, FRAMES)


async def listen(stream: Stream, seconds: float) -> list[float]:
    """Return the level of each half second, dB."""
    heard, levels = np.zeros(0, np.float32), []
    half = stream.voice.manifest.rate // 2
    async for block in blocks(stream, seconds):
        heard = np.append(heard, block)
        if len(heard) >= half:
            levels.append(20 * np.log10(np.sqrt(np.mean(heard[:half] ** 2)) + 1e-6))
            print(f"{levels[-1]:6.1f} dB, output.temperature {stream.controls['output.temperature']:.2f}")
            heard = heard[half:]
    return levels


async def steer(stream: Stream) -> None:
    """Turn a control up and down; the next frame hears it."""
    while True:
        for temperature in (1.0, 0.3):
            stream.controls["output.temperature"] = temperature
            await asyncio.sleep(0.05)


async def tick(rounds: list[float]) -> None:
    """Note each time that the loop comes round."""
    while True:
        rounds.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.005)


async def main(voice: str = "blizzard", seconds: str = "4") -> None:
    """Listen, steer and count at once, until all is heard."""
    engine = await asyncio.to_thread(Engine.load, voice)
    stream, rounds = engine.stream(seed=7), list[float]()
    async with asyncio.TaskGroup() as group:
        others = [group.create_task(steer(stream)), group.create_task(tick(rounds))]
        levels = await listen(stream, float(seconds))
        for other in others:
            other.cancel()
    print(f"{len(levels)} half seconds; the loop came round {len(rounds)} times meanwhile")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
