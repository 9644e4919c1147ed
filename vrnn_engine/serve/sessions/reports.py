"""The reports of a session besides its frames: latents, levels, the text that is written, and tokens at their times."""

from collections.abc import Iterator

import numpy as np

from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.stream import Stream
from vrnn_engine.runtime.stream_state import StreamState
from vrnn_engine.serve.protocol import (
    LEAST_TOKENS,
    REPORT_SECONDS,
    Latents,
    Levels,
    Report,
    ServerMessage,
    TextProgress,
)


class Reports:
    """Decides what is reported after which frame.  Only the thread of the batch may use it.

    Parameters
    ----------
    stream : Stream
    performance : Performance
        The performance of this stream.
    wanted : tuple of Report
    tokens : float
        Seconds between two tokens; 0 for none.
    """

    def __init__(self, stream: Stream, performance: Performance, wanted: tuple[Report, ...], tokens: float) -> None:
        manifest = performance.voice.manifest
        fps = manifest.frames_per_second
        self._stream = stream
        self._performance = performance
        self._latents = "latents" in wanted
        self._levels = "levels" in wanted and manifest.modality == "audio"
        self._text = manifest.text is not None
        self._every = max(1, round(REPORT_SECONDS * fps))
        self._next = performance.frame + self._every
        self._token_every = max(1, round(max(tokens, LEAST_TOKENS) * fps)) if tokens else 0
        self._next_token = performance.frame
        self._peak, self._power, self._samples = 0.0, 0.0, 0
        self._progress = (0, 0)

    def hurry_token(self) -> None:
        """Make the next token due now, if the client wants tokens."""
        self._next_token = self._performance.frame

    def delay_token(self) -> None:
        """Make the next token due after ten times the usual time, because the state fits into none."""
        self._next_token = self._performance.frame + 10 * self._token_every

    @property
    def token_is_due(self) -> bool:
        """Whether a token has to be sent; asking once a tick is enough."""
        if not self._token_every or self._performance.frame < self._next_token:
            return False
        self._next_token = self._performance.frame + self._token_every
        return True

    def heard(self, block: np.ndarray) -> None:
        """Take note of frames, as `Stream.read` returns them."""
        if self._levels:
            self._peak = max(self._peak, float(np.abs(block).max()))
            self._power += float(np.dot(block, block))
            self._samples += block.size

    def due(self) -> Iterator[ServerMessage]:
        """Yield the reports that are due."""
        performance = self._performance
        if performance.frame < self._next:
            return
        self._next = performance.frame + self._every
        if self._latents:
            yield _latents(performance.frame, self._stream.state)
        if self._levels and self._samples:
            yield Levels(frame=performance.frame, peak=self._peak, rms=(self._power / self._samples) ** 0.5)
            self._peak, self._power, self._samples = 0.0, 0.0, 0
        if self._text:
            progress = performance.stream.written, performance.stream.pending
            if progress != self._progress:
                self._progress = progress
                yield TextProgress(written=progress[0], pending=progress[1])


def _latents(frame: int, state: StreamState) -> Latents:
    """Return the latent of the last frame, and its prior if the voice tells it.

    The divergence of N(m, s) from N(0, 1) is (s^2 + m^2 - 1) / 2 - log s.
    """
    latent = tuple(state.latent.tolist())
    if state.prior is None:
        return Latents(frame=frame, latent=latent)
    mean, std = state.prior.astype(np.float64)
    kl = 0.5 * (std**2 + mean**2 - 1) - np.log(np.maximum(std, 1e-30))
    return Latents(
        frame=frame, latent=latent, mean=tuple(mean.tolist()), std=tuple(std.tolist()), kl=tuple(kl.tolist())
    )
