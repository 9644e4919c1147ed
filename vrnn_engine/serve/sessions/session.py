"""One session of a listener: a performance, how fast it may go, and the messages that it makes.

Threading contract: the thread of the batch calls all methods but `steer_by`, which any thread may call.  The thread of
the event loop owns `outbox`; the batch hands it messages through the loop.
"""

import asyncio
import collections
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vrnn_engine.errors import NotFiniteError, StreamError, TokenError, VRNNEngineError
from vrnn_engine.runtime.live.events import AnyEvent, Erase, Restore, Write
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.stream import Stream
from vrnn_engine.serve import protocol
from vrnn_engine.serve.codec import encode
from vrnn_engine.serve.protocol import Applied, Cleared, End, ErrorMessage, Format, ServerMessage, Stats, Token
from vrnn_engine.serve.sessions.outbox import DropFrames, Outbox, Outgoing
from vrnn_engine.serve.sessions.pacing import Pacer
from vrnn_engine.serve.sessions.packing import Packer, encode_blocks
from vrnn_engine.serve.sessions.reports import Reports
from vrnn_engine.serve.sessions.steering import Translator

MAX_RECOVERIES = 20
"""Number of times that a stream is brought back, or a word is too wide, after which a session ends."""

MAX_RESTORES = 10
"""Number of times in a minute that a session restores a voice that writes texts; each time a word is computed again."""


@dataclass(frozen=True)
class Parts:
    """The objects that a session consists of.

    Attributes
    ----------
    identity : str
        Names the session in logs.
    stream : Stream
    performance : Performance
        The performance of this stream.
    loop : asyncio.AbstractEventLoop
        The event loop of the socket.
    first : int
        The first frame to send; frames before it are computed only.
    translator : Translator
    pacer : Pacer
    packer : Packer
    format : Format
        Type of the samples that are sent.
    reports : Reports
    outbox : Outbox
    seal : callable
        Returns a token of the performance; raises `TokenError` if it needs too large a one.
    """

    identity: str
    stream: Stream
    performance: Performance
    loop: asyncio.AbstractEventLoop
    first: int
    translator: Translator
    pacer: Pacer
    packer: Packer
    format: Format
    reports: Reports
    outbox: Outbox
    seal: Callable[[Performance], str]


class Session:
    """A session.

    Parameters
    ----------
    parts : Parts

    Attributes
    ----------
    identity : str
    stream : Stream
    performance : Performance
    translator : Translator
    outbox : Outbox
    loop : asyncio.AbstractEventLoop
    format : Format
    ended : bool
        Whether the session computes no more frames.
    """

    def __init__(self, parts: Parts) -> None:
        self.identity = parts.identity
        self.stream = parts.stream
        self.performance = parts.performance
        self.translator = parts.translator
        self.outbox = parts.outbox
        self.loop = parts.loop
        self.format = parts.format
        self.ended = False
        self._parts = parts
        self._pacer, self._packer, self._reports = parts.pacer, parts.packer, parts.reports
        self._made = 0  # frames that count for the outbox
        self._next_check = 0.0  # each session has a second of its own, so that they do not all fall into one tick
        self._recoveries = self._seen = self._refused = 0
        self._restores: collections.deque[int] = collections.deque(maxlen=MAX_RESTORES + 1)  # their frames
        self._outgoing: list[Outgoing] = []

    def steer_by(self, event: AnyEvent) -> None:
        """Apply an event before the next frame.  Any thread may call this.

        Parameters
        ----------
        event : event

        Raises
        ------
        VRNNEngineError
            The event cannot be applied, or too many events or too much text are waiting.
        """
        if self.performance.waiting >= protocol.MAX_WAITING:
            raise StreamError(
                f"{protocol.MAX_WAITING} events wait for the next frame; give credit, and send them later"
            )
        if isinstance(event, Write) and self.performance.voice.manifest.text is not None:
            # In this order: an event that takes effect in between counts twice rather than never.
            pending = self.performance.waiting_characters + self.stream.pending
            if pending + len(event.text) > protocol.MAX_TEXT:
                raise StreamError(f"{pending} characters wait to be written; send more when fewer wait")
        self.performance.send(event)

    def applied(self, event: AnyEvent) -> None:
        """Tell the client that an event takes effect; the performance calls this."""
        if isinstance(event, Restore):  # its token is large; with a new one the client has to keep it no longer
            self._reports.hurry_token()
            self._count_restore()
        if (event.frame or 0) >= self._parts.first:  # the client of a resumed session knows the earlier ones
            self._say(Applied(frame=event.frame or 0, event=self.translator.fields(event)))

    def wanted(self, now: float, most: int) -> int:
        """Return how many of the next `most` frames the session may compute now."""
        if self.ended:
            return 0
        skipped = self._parts.first - self.performance.frame
        if skipped > 0:
            return min(most, skipped) if self._pacer.credit else 0
        unsent = self._made - self.outbox.sent
        return min(most, self._pacer.ready(now, unsent))

    @property
    def is_urgent(self) -> bool:
        """Whether the session should not wait for the next tick."""
        if self.performance.frame < self._parts.first:
            return not self.ended and self._pacer.credit > 0
        return not self.ended and self._pacer.is_behind

    def steer(self) -> None:
        """Apply what is due before the next frame; bring the stream back if its sound has run away."""
        self.performance.steer()
        where = self.performance.recovery.where
        self._tell_recovery(f"the sound ran away; it continues from {where}, with default controls")

    def took(self, block: np.ndarray, frames: int, data: bytes) -> None:
        """Adopt frames that were read after `Performance.steer`; `data` is the block in the session's format."""
        performance = self.performance
        is_sent = performance.frame >= self._parts.first
        performance.accept(block, frames)
        if not is_sent:
            return
        self._pacer.spend(frames)
        self._made += frames
        self._reports.heard(block)
        self._outgoing += self._packer.add(data)
        if not self._pacer.credit:  # the client may wait for these frames before it gives more
            self._outgoing += self._packer.flush()

    def failed(self, error: VRNNEngineError) -> None:
        """Recover from a frame that could not be computed, as the performance does alone; else end the session."""
        if self._recoveries >= MAX_RECOVERIES:
            self.end(protocol.RUNAWAY, f"too many frames failed; the last one: {error}")
            return
        try:
            if isinstance(error, NotFiniteError):
                self._recover(error)
            elif isinstance(error, StreamError) and self.stream.state.text is not None:
                self._recoveries += 1
                self.performance.send(Erase(count=self.stream.pending))
                self._say(ErrorMessage(code="bad-text", message=f"the text was erased: {error}"))
            else:
                self.end(protocol.FAILED, str(error))
        except VRNNEngineError as second:
            self.end(protocol.RUNAWAY, str(second))

    def report(self) -> None:
        """Add the reports that are due."""
        for message in self._reports.due():
            self._say(message)
        if self._reports.token_is_due:
            self.save("time")

    def save(self, reason: Literal["time", "save", "end"]) -> None:
        """Add a token of the present state; say so if it needs too large a one, and end the session after many."""
        try:
            token = self._parts.seal(self.performance)
        except TokenError as error:
            self._say(ErrorMessage(code="bad-token", message=str(error)))
            if reason == "time":
                self._reports.delay_token()
            elif reason == "save":
                self._refused += 1
                if self._refused > protocol.MAX_BAD:
                    self.end(protocol.BAD_MESSAGES, f"too many bad messages; the last one: {error}")
            return
        latent = tuple(self.stream.latent.tolist())
        self._say(Token(frame=self.performance.frame, token=token, latent=latent, reason=reason))

    def give(self, frames: int) -> None:
        """Add credit."""
        self._pacer.give(frames)

    def clear(self) -> None:
        """Drop all frames that are not sent."""
        following = max(self.performance.frame, self._parts.first)
        dropped = self._packer.skip_to(following)
        self._made -= dropped
        self._pacer.give(dropped)
        self._outgoing.append(DropFrames())
        self._say(Cleared(frame=following))

    def needs_check(self, now: float) -> bool:
        """Return whether a second has passed since the last `check_time`."""
        return not self.ended and now >= self._next_check

    def check_time(self, now: float, idle: float, step_seconds: float, rows: int) -> None:
        """Say how the server does, and end the session if it has stood still for too long."""
        self._next_check = now + protocol.STATS_SECONDS
        unsent = self._made - self.outbox.sent
        fps = self.performance.voice.manifest.frames_per_second
        self._say(Stats(step_ms=1e3 * step_seconds, rows=rows, lead_ms=1e3 * unsent / fps))
        if self._pacer.stalled(now) <= idle:
            return
        if self._pacer.credit > 0:
            self.end(protocol.SLOW, f"the client has not taken what was sent for {idle:g} seconds")
        else:
            self.end(protocol.IDLE, f"the client has given no credit for {idle:g} seconds")

    def end(self, code: int, reason: str) -> None:
        """End the session; it computes no more frames."""
        if not self.ended:
            self.ended = True
            self._outgoing.append(End(code=code, reason=reason))

    def take_outgoing(self) -> list[Outgoing]:
        """Return the messages since the last call."""
        taken, self._outgoing = self._outgoing, []
        return taken

    def close(self) -> None:
        """Give up the stream, and with it the row."""
        self.ended = True
        self.stream.close()
        self.performance.close()

    def _say(self, message: ServerMessage) -> None:
        self._outgoing.append(encode(message))

    def _count_restore(self) -> None:
        """End the session if it restores a voice that writes texts too often."""
        manifest = self.performance.voice.manifest
        if manifest.text is None:
            return
        self._restores.append(self.performance.frame)
        passed = self.performance.frame - self._restores[0]
        if len(self._restores) > MAX_RESTORES and passed < 60 * manifest.frames_per_second:
            self.end(protocol.POLICY, f"more than {MAX_RESTORES} restores in a minute; send fewer")

    def _recover(self, error: NotFiniteError) -> None:
        """Compute the next frame alone.  It is finite if another frame of the same block failed."""
        block = self.performance.next_frame()
        self.took(block, 1, *encode_blocks([block], [self.format]))
        self._tell_recovery(str(error))

    def _tell_recovery(self, message: str) -> None:
        """If the performance has brought its stream back, say so, and end the session after many times."""
        count = self.performance.recovery.count
        if count == self._seen:
            return
        self._seen = count
        self._recoveries += 1
        self._reports.hurry_token()  # earlier tokens do not have the state to which the stream has returned
        self._say(ErrorMessage(code="not-finite", message=message))
        if self._recoveries > MAX_RECOVERIES:
            self.end(protocol.RUNAWAY, f"too many frames failed; the last one: {message}")
