"""A remote stream for code without asyncio: an `AsyncRemoteStream` in an event loop of its own, in a thread of its own.

Threading contract: any thread may call any method; one thread at a time reads.
"""

import asyncio
import itertools
import threading
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from vrnn_engine.client.async_stream import AsyncRemoteStream
from vrnn_engine.client.controls import RemoteControls
from vrnn_engine.client.session import RemoteVoice
from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.frames import frame_count
from vrnn_engine.runtime.live.events import AnyEvent
from vrnn_engine.serve.protocol import Token

if TYPE_CHECKING:
    from vrnn_engine.runtime.voice.text import Text

Result = TypeVar("Result")


class RemoteStream:
    """A stream of a voice that a server steps, used like a local `Stream`; a `Player` plays it.

    When the connection is lost, it connects again by itself and continues with the same bits, at the same address.
    `vrnn_engine.client.connect` opens it.

    Parameters
    ----------
    stream : AsyncRemoteStream
        Not open yet.

    Raises
    ------
    RemoteError
        The server cannot be reached, or refuses.

    Examples
    --------
    >>> with client.connect("ws://localhost:8080/blizzard", seed=7) as remote:  # doctest: +SKIP
    ...     block = remote.read(80)
    ...     remote.controls["latent.temperature"] = 0.7
    """

    def __init__(self, stream: AsyncRemoteStream) -> None:
        self._stream = stream
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vrnn-engine client", daemon=True)
        self._closing = threading.Lock()
        self._thread.start()
        try:
            self._run(stream.__aenter__())
        except BaseException:
            self.close()
            raise

    @property
    def voice(self) -> RemoteVoice:
        """The voice; its `manifest` is like that of a local one."""
        return self._stream.voice

    @property
    def controls(self) -> RemoteControls:
        """The controls; a write takes effect as soon as the server gets it."""
        return self._stream.controls

    @property
    def seed(self) -> int:
        """The number that determines all noise of the stream."""
        return self._stream.seed

    @property
    def frame(self) -> int:
        """Position: number of the next frame to read."""
        return self._stream.frame

    @property
    def latent(self) -> np.ndarray:
        """The latent that the server has last reported, float32 [Z]; empty before.  It reports ten times a second."""
        return self._stream.latent

    @property
    def written(self) -> int:
        """Number of characters that the server has written."""
        return self._stream.written

    @property
    def pending(self) -> int:
        """Number of characters that are still to be written."""
        return self._stream.pending

    @property
    def written_frame(self) -> int | None:
        """A frame by which all of the text is written; None while some is to come."""
        return self._stream.written_frame

    @property
    def reconnects(self) -> int:
        """Number of times that the session was continued over a new connection."""
        return self._stream.reconnects

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames; parameters, result and errors are those of `AsyncRemoteStream.read`."""
        return self._run(self._stream.read(frames))

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """Return an endless iterator over blocks, each as `read` returns it.

        Parameters
        ----------
        frames : int
            Frames per block, 1 or more.
        """
        if frame_count(frames, "blocks") == 0:
            raise StreamError("blocks: give at least one frame per block")
        return (self.read(frames) for _ in itertools.repeat(None))

    def send(self, event: AnyEvent) -> None:
        """Send an event; parameters and errors are those of `AsyncRemoteStream.send`."""
        self._stream.send(event)

    def write(self, text: str) -> None:
        """Add text behind what is to be written; parameters and errors are those of `AsyncRemoteStream.write`."""
        self._stream.write(text)

    def erase(self, count: int) -> None:
        """Remove the last characters that are to come; parameters and errors are those of `AsyncRemoteStream.erase`."""
        self._stream.erase(count)

    def save(self) -> Token:
        """Return a token of the server's present state, with its frame and latent; see `AsyncRemoteStream.save`."""
        return self._run(self._stream.save())

    def restore(self, token: str) -> None:
        """Continue from the state of a token of the same voice; the frame numbers go on.

        Parameters
        ----------
        token : str
            `Token.token` of a result of `save`.
        """
        self._stream.restore(token)

    def snapshot(self) -> bytes:
        """Return what continues the stream after the frames that were read; see `resume` of `connect`."""

        async def snapshot() -> bytes:
            return self._stream.snapshot()

        return self._run(snapshot())

    def require_text(self) -> "Text":
        """Return the entry `text` of the manifest; raise `StreamError` if the voice writes no text."""
        return self._stream.require_text()

    def interrupt(self) -> None:
        """Make a waiting `read` return what has arrived.  Any thread may call this."""
        self._loop.call_soon_threadsafe(self._stream.interrupt)

    def close(self) -> None:
        """End the session.  Closing twice does nothing."""
        with self._closing:
            if self._loop.is_closed():
                return
            self._run(self._stream.close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine in the thread of the loop."""
        if self._loop.is_closed():
            work.close()
            raise StreamError("this remote stream is closed; connect again")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:  # Ctrl-C
            future.cancel()
            raise
