"""The client's side of a session without its socket: what to send, and what the messages of the server mean.

One thread uses a session.  Any thread may read its attributes, write its controls, and call `send`.
"""

import collections
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from vrnn_engine.client.connection import MAX_MESSAGE, ConnectionLost, shown_line
from vrnn_engine.client.controls import RemoteControls
from vrnn_engine.client.frame_buffer import FORMATS, FrameBuffer
from vrnn_engine.client.outbox import Outbox, send_event
from vrnn_engine.client.session_log import Continuation, SessionLog
from vrnn_engine.errors import RemoteError, VoiceError
from vrnn_engine.runtime.live.events import AnyEvent, Set
from vrnn_engine.runtime.voice.manifest import Manifest, decode_manifest
from vrnn_engine.serve.codec import decode_server, seed_field, seed_number, unpack_frames
from vrnn_engine.serve.protocol import (
    MAX_TOKEN,
    Applied,
    Cleared,
    ClientMessage,
    Credit,
    End,
    ErrorMessage,
    Latents,
    Open,
    Opened,
    TextProgress,
    Token,
)

WINDOW_SECONDS = {"audio": 0.5, "pen": 0.8}
"""The server may be ahead of the reader by at least this time; it computes ink in longer ticks than sound."""

_log = logging.getLogger("vrnn_engine")


@dataclass(frozen=True)
class RemoteVoice:
    """The voice of a remote stream.

    Attributes
    ----------
    name : str
    manifest : Manifest
    """

    name: str
    manifest: Manifest


@dataclass(frozen=True)
class OpenSession:
    """The server's description of a session that it has opened.

    Attributes
    ----------
    voice : RemoteVoice
    seed : int
    controls : RemoteControls
    frames : FrameBuffer
    """

    voice: RemoteVoice
    seed: int
    controls: RemoteControls
    frames: FrameBuffer


class Session:
    """A session with a server, over one connection after the other.

    Parameters
    ----------
    asked : Open
        The message that opens it; only its format and reports count with a continuation.
    continuation : Continuation, optional
        What another process has saved.
    wake : callable
        Called when there is something to send; any thread may call it.
    record : callable, optional
        Called with each event that took effect, with its frame.

    Attributes
    ----------
    open : OpenSession or None
    outbox : Outbox
        Events and text on their way to the server.
    latents : Latents or None
        The last report of the latents.
    written, pending : int
        Characters that are written, and that the server has still to write.
    tokens : deque of Token
        The tokens that were asked for and have arrived.
    connected : bool
        Whether the server has opened the session over the present connection.
    """

    def __init__(
        self,
        asked: Open,
        continuation: Continuation | None,
        wake: Callable[[], None],
        record: Callable[[AnyEvent], None] | None = None,
    ) -> None:
        self.open: OpenSession | None = None
        self.outbox = Outbox()
        self.latents: Latents | None = None
        self.written, self.pending = 0, len(asked.text or "")
        self._progress_frame = 0
        self.tokens: collections.deque[Token] = collections.deque()
        self._asked, self._wake, self._record = asked, wake, record
        self._log = SessionLog()
        self.connected = False
        self._start = 0
        if continuation is not None:
            self._log.resume(continuation)
            self._start = continuation.frame

    def opening(self) -> Open:
        """Return the message that opens the session, or continues it after the connection was lost.

        Raises
        ------
        RemoteError
            The connection was lost before a token had arrived.
        """
        self.connected = False
        frames = self.open.frames if self.open is not None else None
        again = self._log.continue_at(self._start if frames is None else frames.received)
        asked, credit = self._asked, 0
        if frames is not None:
            frames.reconnected()
            credit = frames.credit(least=True)
        if again is not None:
            asked = msgspec.structs.replace(again, format=asked.format, frames=asked.frames, reports=asked.reports)
        elif self.open is not None:
            if self.open.frames.received > self._start:
                raise RemoteError("the connection was lost before the server had sent a token; open the session again")
            asked = msgspec.structs.replace(asked, seed=seed_field(self.open.seed))
        return msgspec.structs.replace(asked, credit=credit)

    def receive(self, message: str | bytes) -> None:
        """Take a message of the server.

        Parameters
        ----------
        message : str or bytes

        Raises
        ------
        ConnectionLost
            It ends the session.
        RemoteError
            It is not a message of the protocol, or not possible now.
        """
        try:
            found = unpack_frames(message) if isinstance(message, bytes) else decode_server(message)
        except ValueError as error:
            raise RemoteError(f"the server sent a message that this vrnn-engine does not understand: {error}") from None
        match found:
            case Opened():
                self.connected = True
                self.open = self.open or self._opened(found)
                self.outbox.send_again()
            case Token():
                if len(found.token) > MAX_TOKEN:
                    raise RemoteError(f"the server sent a token of more than {MAX_TOKEN:,} characters")
                self._log.add_token(found.frame, found.token)
                if found.reason == "save" and self.outbox.saved():
                    self.tokens.append(found)
            case Latents():
                self.latents = found
            case TextProgress():
                self.written, self.pending = found.written, found.pending
                self._progress_frame = 0 if self.open is None else self.open.frames.received
            case ErrorMessage():
                _log.warning("the server refused something: %s", shown_line(found.message))
            case End():
                raise ConnectionLost(found.reason, found.code)
        if self.open is None:
            raise RemoteError("the server sent something else before it opened the session")
        match found:
            case (int(frame), bytes(samples)):
                self.open.frames.add(frame, samples)
            case Applied():
                self._apply(found.event, self.open)
            case Cleared():
                self.open.frames.skip_to(found.frame)

    def take(self, count: int) -> np.ndarray:
        """Return the frames that have arrived, at most `count`: float32 [n, samples]."""
        if self.open is None:
            raise RemoteError("this session is not open yet")
        taken = self.open.frames.take(count)
        self._log.forget(self.open.frames.read)
        return taken

    def to_send(self) -> list[ClientMessage]:
        """Return the messages that are to be sent now."""
        if self.open is None or not self.connected:
            return []
        frames = self.open.frames
        stands, credit = frames.needs_credit, frames.credit()
        if stands and not credit and not self.outbox.asks_for_token:
            return []  # what is set until the server goes on takes effect in the same frame
        self.send()
        # Credit comes last: what is set before the first read takes effect in the first frame.
        return self.outbox.take(self.pending) + ([Credit(frames=credit)] if credit else [])

    def send(self, *messages: ClientMessage) -> None:
        """Queue messages, after the changes of controls that were written before; any thread may call this.

        Parameters
        ----------
        *messages : message
        """
        changes = [] if self.open is None else self.open.controls.take_changes()
        for message in (*map(send_event, changes), *messages):
            self.outbox.add(message)

    @property
    def written_frame(self) -> int | None:
        """A frame by which all of the text is written; None while some is to come."""
        return self._progress_frame if self.written and not (self.pending or self.outbox.unwritten) else None

    def continuation(self) -> Continuation:
        """Return what continues the session after the frames that were read.

        Raises
        ------
        RemoteError
            The server has sent no token yet.
        """
        if self.open is not None:
            found = self._log.continuation(self.open.voice.name, self.open.seed, self.open.frames.read)
            if found is not None:
                return found
        raise RemoteError("the server has sent no token yet; read a frame first")

    def _opened(self, opened: Opened) -> OpenSession:
        try:
            manifest = decode_manifest(msgspec.json.encode(opened.manifest), "the manifest that the server sent")
        except VoiceError as error:
            raise RemoteError(str(error)) from None
        controls = RemoteControls(manifest.controls, self._wake)
        for name, value in self._asked.controls.items():
            controls.adopt(Set(control=name, value=value))
        most = max(1, MAX_MESSAGE // (manifest.frame_size * FORMATS[opened.format][0].itemsize))
        if not 1 <= opened.frames <= most:
            raise RemoteError(f"the server announces messages of frames that are not 1 to {most}")
        window = max(2 * opened.frames, round(WINDOW_SECONDS[manifest.modality] * manifest.frames_per_second))
        frames = FrameBuffer(self._start, manifest.frame_size, opened.format, window)
        return OpenSession(RemoteVoice(opened.voice, manifest), seed_number(opened.seed) or 0, controls, frames)

    def _apply(self, fields: dict[str, Any], session: OpenSession) -> None:
        """Remember an event that took effect; if it is one of the timeline, adopt its value."""
        if not isinstance(fields.get("frame"), int) or not isinstance(fields.get("text", ""), str):
            raise RemoteError("the server reports an event without its frame, or with a text that is not a string")
        if not self._log.add_event(fields):
            return
        if fields.get("do") == "write":
            self.pending += len(fields.get("text", ""))
        own = self.outbox.applied(fields)
        if fields.get("do") == "restore":  # it has a token in place of a name
            return
        try:
            event = msgspec.convert(fields, AnyEvent)
        except msgspec.ValidationError:
            _log.warning(
                "the server reports an event that this vrnn-engine does not know: %s", shown_line(str(fields.get("do")))
            )
            return
        if not own:
            session.controls.adopt(event)
        self._note(event)

    def _note(self, event: AnyEvent) -> None:
        """Record an event; the first error ends the recording, not the session."""
        if self._record is None:
            return
        try:
            self._record(event)
        except Exception as error:  # noqa: BLE001  (the caller's function may raise anything)
            self._record = None
            _log.warning("the recording ends at frame %s: %s: %s", event.frame, type(error).__name__, error)
