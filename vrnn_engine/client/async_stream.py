"""A remote stream for asyncio: reads and steers a session, over one connection after the other."""

import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Self

import numpy as np

from vrnn_engine.client.address import Address
from vrnn_engine.client.controls import RemoteControls
from vrnn_engine.client.link import Link
from vrnn_engine.client.outbox import send_event
from vrnn_engine.client.session import OpenSession, RemoteVoice, Session
from vrnn_engine.client.session_log import Continuation
from vrnn_engine.errors import RemoteError, StreamError
from vrnn_engine.runtime.frames import frame_count
from vrnn_engine.runtime.live.events import AnyEvent, Erase, Write
from vrnn_engine.serve.protocol import Open, RestoreToken, SaveToken, Token

if TYPE_CHECKING:
    from vrnn_engine.runtime.text.alphabet import Alphabet
    from vrnn_engine.runtime.voice.text import Text


class AsyncRemoteStream:
    """A stream of a voice that a server steps.  Use it as an asynchronous context manager, which opens and closes it.

    When the connection is lost, it connects again by itself and continues with the same bits.  Only the event loop that
    opened it may use it, except for `controls`, `send`, `write` and `erase`, which any thread may use.

    Parameters
    ----------
    address : Address
        See `vrnn_engine.client.connect_async`, which makes the stream.
    asked : Open
    continuation : Continuation or None
    token : str or None
    timeout : float
    record : callable or None
    """

    def __init__(
        self,
        address: Address,
        asked: Open,
        continuation: Continuation | None,
        token: str | None,
        timeout: float,
        record: Callable[[AnyEvent], None] | None = None,
    ) -> None:
        self._session = Session(asked, continuation, self.wake, record)
        self._link = Link(address, self._session, token, timeout)
        self._timeout = timeout
        self._interrupts = 0

    async def __aenter__(self) -> Self:
        await self._link.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    @property
    def voice(self) -> RemoteVoice:
        """The voice; its `manifest` is like that of a local one."""
        return self._known.voice

    @property
    def controls(self) -> RemoteControls:
        """The controls; a write takes effect as soon as the server gets it."""
        return self._known.controls

    @property
    def seed(self) -> int:
        """The number that determines all noise of the stream."""
        return self._known.seed

    @property
    def frame(self) -> int:
        """Position: number of the next frame to read."""
        return self._known.frames.read

    @property
    def latent(self) -> np.ndarray:
        """The latent that the server has last reported, float32 [Z]; empty before.  It reports ten times a second."""
        report = self._session.latents
        return np.array(() if report is None else report.latent, np.float32)

    @property
    def written(self) -> int:
        """Number of characters that the server has written."""
        return self._session.written

    @property
    def pending(self) -> int:
        """Number of characters that are still to be written."""
        return self._session.pending + self._session.outbox.unwritten

    @property
    def written_frame(self) -> int | None:
        """A frame by which all of the text is written; None while some is to come."""
        return self._session.written_frame

    @property
    def reconnects(self) -> int:
        """Number of times that the session was continued over a new connection."""
        return self._link.reconnects

    async def read(self, frames: int) -> np.ndarray:
        """Return the next frames; fewer after `interrupt`.

        Parameters
        ----------
        frames : int

        Returns
        -------
        float32 array
            As `Stream.read` returns it: samples, or [frames, 3] for ink.

        Raises
        ------
        RemoteError
            The server ends the session, or sends no frame for `timeout` seconds.
        StreamError
            The stream is closed, or `frames` is not a whole number.
        """
        count, opened = frame_count(frames, "read"), self._open
        opened.frames.expect(count)
        interrupts, started = self._interrupts, time.monotonic()
        while opened.frames.waiting < count and interrupts == self._interrupts:
            await self._link.more(started)
        block = self._session.take(count)
        self.wake()
        return block.reshape(-1) if opened.voice.manifest.modality == "audio" else block

    async def blocks(self, frames: int) -> AsyncIterator[np.ndarray]:
        """Yield blocks without end, each as `read` returns it.

        Parameters
        ----------
        frames : int
            Frames per block, 1 or more.
        """
        if frame_count(frames, "blocks") == 0:
            raise StreamError("blocks: a block has at least one frame; give 1 or more")
        while True:
            yield await self.read(frames)

    def __aiter__(self) -> AsyncIterator[np.ndarray]:
        return self.blocks(1)

    def send(self, event: AnyEvent) -> None:
        """Send an event, which takes effect as soon as the server gets it.

        Parameters
        ----------
        event : event
            One of `vrnn_engine.runtime.live.events` that needs no files of the server; `Morph` and `Follow` with their
            latents.

        Raises
        ------
        RemoteError
            The server does not take such an event.
        ControlError
            A control does not exist, or cannot have the value.
        """
        match event:
            case Write():
                return self.write(event.text)
            case Erase():
                return self.erase(event.count)
        message = send_event(event)
        self._open.controls.check_event(event)
        self._session.send(message)
        self.controls.adopt(event)
        return self.wake()

    def write(self, text: str) -> None:
        r"""Add text behind what is to be written.

        Parameters
        ----------
        text : str
            Characters of the voice's alphabet; ``\n`` begins a new line.

        Raises
        ------
        StreamError
            The text is empty, a character is not in the alphabet, or the voice writes no text.
        """
        self._link.check()
        self._session.outbox.write(self._alphabet.clean(text))
        self.wake()

    def erase(self, count: int) -> None:
        """Remove the last characters that are to come; those of the word that is being written stay.

        Parameters
        ----------
        count : int

        Raises
        ------
        StreamError
            `count` is not a whole number, or the voice writes no text.
        """
        self._link.check()
        self.require_text()
        self._session.outbox.erase(frame_count(count, "erase", "characters"))
        self.wake()

    async def save(self) -> Token:
        """Return a token of the server's present state, with its frame and latent.

        The server is ahead of the reader; `snapshot` is exact.

        Raises
        ------
        RemoteError
            The server does not answer for `timeout` seconds.
        """
        _ = self._open
        started = time.monotonic()
        self._session.send(SaveToken())
        self.wake()
        while not self._session.tokens:
            await self._link.more(started, frames=False)
        return self._session.tokens.popleft()

    def restore(self, token: str) -> None:
        """Continue from the state of a token of the same voice; the frame numbers go on.

        Parameters
        ----------
        token : str
            `Token.token` of a result of `save`.
        """
        self._session.send(RestoreToken(token=token))
        self.wake()

    def snapshot(self) -> bytes:
        """Return what continues the stream after the frames that were read; see `resume` of `connect_async`.

        Raises
        ------
        RemoteError
            The server has sent no token yet.
        """
        return self._session.continuation().encode()

    def require_text(self) -> "Text":
        """Return the entry `text` of the manifest; raise `StreamError` if the voice writes no text."""
        text = self._known.voice.manifest.text
        if text is None:
            raise StreamError(f"the served voice {self.voice.name!r} writes no text; choose one that does")
        return text

    def interrupt(self) -> None:
        """Make a waiting `read` return what has arrived."""
        self._interrupts += 1
        self._link.news.set()

    def wake(self) -> None:
        """Let the connection look for what is to be sent; any thread may call this."""
        self._link.wake()

    async def close(self) -> None:
        """End the session.  Closing twice does nothing."""
        await self._link.close()

    @property
    def _open(self) -> OpenSession:
        """The open session; raises the error that has ended it."""
        self._link.check()
        return self._known

    @property
    def _known(self) -> OpenSession:
        if self._session.open is None:
            raise RemoteError("this stream is not open; use it as a context manager")
        return self._session.open

    @property
    def _alphabet(self) -> "Alphabet":
        """The characters that the voice writes; raises `StreamError` if it writes none."""
        from vrnn_engine.runtime.text.alphabet import Alphabet

        return Alphabet(self.require_text())
