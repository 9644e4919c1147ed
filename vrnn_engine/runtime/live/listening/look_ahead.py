"""Observes the frames of an input before they are due, several in a row.

The observe graph and the step graph have weights of their own, and the processor's cache may not hold both. Several
observations in a row, and then as many steps, take less time than the two in turn.
"""

import time
from collections import deque
from typing import NamedTuple

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.live.inputs import FrameInput
from vrnn_engine.runtime.stream import Stream

MOST_AHEAD = 16
"""Largest number of frames that are observed in a row."""


class SeenFrame(NamedTuple):
    """The results of observing a frame.

    Attributes
    ----------
    latent : float32 array [Z]
        Sample of the posterior.
    kl : float
        KL(posterior || prior) in nats.
    log_likelihood : float
        Log-likelihood of the frame in nats.
    """

    latent: np.ndarray
    kl: float
    log_likelihood: float


class LookAhead:
    """Observes an input frame by frame, with the same results as if each frame were observed when it is due.

    It observes only frames that are there already, and at most as many in a row as take the time of about one frame.

    Parameters
    ----------
    listener : Stream
        The stream that observes. Nothing else may step it.
    input : FrameInput
        The input.

    Attributes
    ----------
    listener : Stream
    """

    def __init__(self, listener: Stream, input: FrameInput) -> None:
        self.listener = listener
        self._input = input
        self._limit = 1  # frames to observe in a row
        self._unseen: deque[np.ndarray] = deque()  # frames that were read from the input and are to be observed
        self._block: list[np.ndarray] = []  # the frames observed last
        self._seen: deque[SeenFrame] = deque()  # the results for the end of `_block`, which `next` has yet to return
        self._before = listener.state  # the state before `_block`

    def wait(self) -> bool:
        """Wait until a frame can be observed, and return whether there is one: the input may have ended.

        Raises
        ------
        RecordingError
            The input cannot be read.
        """
        if not self._seen and not self._unseen:
            frame = self._input.read()
            if frame is None:
                return False
            self._unseen.append(frame)
        return True

    def next(self) -> SeenFrame:
        """Return the results for the frame that `wait` has waited for.

        Raises
        ------
        StreamError
            A result is not finite.
        ProviderError
            The device failed.  If several frames were being observed, the next call observes the first of them again.
        """
        if not self._seen:
            self._observe()
        return self._seen.popleft()

    def go_back(self) -> None:
        """Return to the state before the next frame. Call this before a change on which observations depend."""
        ahead = len(self._seen)
        if ahead:
            with self.listener.lock:
                self.listener.state = self._before
                if ahead < len(self._block):
                    self.listener.observe([np.stack(self._block[:-ahead])], trace=False)
            self._unseen.extendleft(self._block[: -ahead - 1 : -1])
            self._seen.clear()
        self._limit = 1  # more changes may follow, and each would make the frames ahead useless

    def _observe(self) -> None:
        """Observe frames, of which at least one is there."""
        frames = self._due_frames()
        self._before, began = self.listener.state, time.perf_counter()
        try:
            seen = self.listener.observe([np.stack(frames)])
        except BaseException as error:  # an interrupt, too, must not lose frames
            if len(frames) == 1:
                raise
            self._unseen.extendleft(reversed(frames))
            self._limit = 1  # the frames before the one that cannot be observed come first
            if not isinstance(error, StreamError):
                raise
            self._observe()
            return
        share = (time.perf_counter() - began) * self.listener.voice.manifest.frames_per_second
        if share > 1:
            self._limit = max(1, self._limit // 2)
        elif share < 1 / 2:
            self._limit = min(2 * self._limit, MOST_AHEAD)
        self._block = frames
        self._seen.extend(map(SeenFrame, seen.latents, seen.kl.tolist(), seen.log_likelihood.tolist()))

    def _due_frames(self) -> list[np.ndarray]:
        """Return the frames to observe now, without waiting for one."""
        while len(self._unseen) < self._limit and self._input.ready and (frame := self._input.read()) is not None:
            self._unseen.append(frame)
        return [self._unseen.popleft() for _ in range(min(self._limit, len(self._unseen)))]
