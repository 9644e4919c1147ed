"""Lanes of a training signal whose stretches have different recording conditions."""

from collections.abc import Callable, Iterator

import numpy as np

from vrnn_engine.data.augment.stretches import Samples, apply, draw_condition
from vrnn_engine.data.batches import Batch, Floats
from vrnn_engine.data.options import Augment, SpeechData
from vrnn_engine.data.signal import Joined


def augmented_chunks(
    signal: Joined,
    normalised: Callable[[Samples, int], Floats],
    block: int,
    data: SpeechData,
    augment: Augment,
    context: int,
    level: float,
    rng: np.random.Generator,
) -> Iterator[Batch]:
    """Cut a signal into lanes as `lane_chunks` does, and change the stretches of each lane.

    Parameters
    ----------
    signal : Joined
        The signal.
    normalised : callable
        normalised(samples, first) returns frames [n, F] of samples whose first one is in frame `first` of the signal.
    block : int
        Samples per channel in a frame.
    data : SpeechData
        Lanes, chunks and rate.
    augment : Augment
        What to draw.
    context : int
        Number of frames that the basis needs before the first frame.
    level : float
        Standard deviation of the training split, in steps of 16-bit audio.
    rng : Generator
        Draws the conditions.
    """
    length = (len(signal) // block - context) // data.lanes
    stretches = []
    for count, position in enumerate(range(0, length - data.chunk + 1, data.chunk)):
        place = count % data.carry
        if place == 0:
            frames = context + min(data.carry * data.chunk, length - position)
            stretches = [
                apply(
                    draw_condition(augment, data.rate, level, rng),
                    signal.read,
                    len(signal),
                    data.rate,
                    (lane * length + position) * block,
                    frames * block,
                )
                for lane in range(data.lanes)
            ]
        part = slice(place * data.chunk * block, (context + (place + 1) * data.chunk) * block)
        firsts = [lane * length + position for lane in range(data.lanes)]
        pairs = list(zip(stretches, firsts, strict=True))
        rows = [normalised(stretch.target[part], first) for stretch, first in pairs]
        heard = None
        if any(stretch.heard is not stretch.target for stretch in stretches):
            others = [
                row if stretch.heard is stretch.target else normalised(stretch.heard[part], first)
                for row, (stretch, first) in zip(rows, pairs, strict=True)
            ]
            heard = np.stack(others, axis=1)
        yield Batch(np.stack(rows, axis=1), np.ones((data.chunk, data.lanes), np.float32), place == 0, heard=heard)
