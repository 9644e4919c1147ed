"""Use a voice in an asyncio application: frames are generated in a thread and awaited.

    python examples/asyncio_app.py [VOICE] [SECONDS]

Two tasks share one stream: one reads its sound and measures the level of each half second, the other changes a
control.  A third task counts the iterations of the event loop, which stays responsive.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import numpy as np

from vrnn_engine import Engine, Stream

FRAMES = 8


async def read_blocks(stream: Stream, seconds: float) -> AsyncIterator[np.ndarray]:
    """Yield blocks of FRAMES frames; onnxruntime releases the GIL while it computes."""
    for _ in range(round(seconds * stream.voice.manifest.frames_per_second / FRAMES)):
        yield await asyncio.to_thread(stream.read, FRAMES)


async def measure_levels(stream: Stream, seconds: float) -> list[float]:
    """Return the level of each half second in dB."""
    samples, levels = np.zeros(0, np.float32), []
    half = stream.voice.manifest.rate // 2
    async for block in read_blocks(stream, seconds):
        samples = np.append(samples, block)
        if len(samples) >= half:
            levels.append(20 * np.log10(np.sqrt(np.mean(samples[:half] ** 2)) + 1e-6))
            print(f"{levels[-1]:6.1f} dB, output.temperature {stream.controls['output.temperature']:.2f}")
            samples = samples[half:]
    return levels


async def steer(stream: Stream) -> None:
    """Switch a control between two values; each takes effect in the next frame."""
    while True:
        for temperature in (1.0, 0.3):
            stream.controls["output.temperature"] = temperature
            await asyncio.sleep(0.05)


async def count_iterations(times: list[float]) -> None:
    """Record the time of each iteration of the event loop."""
    while True:
        times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.005)


async def main(voice: str = "blizzard", seconds: str = "4") -> None:
    """Measure, steer and count at the same time, until the sound has been read."""
    engine = await asyncio.to_thread(Engine.load, voice)
    stream, times = engine.stream(seed=7), list[float]()
    async with asyncio.TaskGroup() as group:
        others = [group.create_task(steer(stream)), group.create_task(count_iterations(times))]
        levels = await measure_levels(stream, float(seconds))
        for other in others:
            other.cancel()
    print(f"{len(levels)} half seconds; {len(times)} iterations of the event loop meanwhile")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
