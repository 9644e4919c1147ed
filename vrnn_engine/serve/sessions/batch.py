"""Steps all sessions of a voice: one thread, one engine, one batch of rows for all sessions that are due.

Threading contract: any thread may call `join`, `leave`, `post` and `close`.  One thread computes; once a tick it hands
all messages to the event loop, whose thread puts them into the outboxes.  A tick begins on a fixed grid, so that all
sessions fall into the same ticks; only sessions that are far behind, such as new ones, are stepped in between.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable

import numpy as np

from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.serve import protocol
from vrnn_engine.serve.protocol import Clear, ClientMessage, Credit, End, SaveToken
from vrnn_engine.serve.sessions.admission import Admission
from vrnn_engine.serve.sessions.outbox import Outgoing
from vrnn_engine.serve.sessions.pacing import Pace
from vrnn_engine.serve.sessions.packing import encode_blocks
from vrnn_engine.serve.sessions.session import Session
from vrnn_engine.serve.sessions.stepping import step

_log = logging.getLogger("vrnn_engine")

SAVES = 4
"""Largest number of tokens that clients have asked for, and are made in one tick."""
Join, Leave = object(), object()
"""Posts besides the messages of a client."""


class Batch:
    """Steps the sessions of one voice.

    Parameters
    ----------
    engine : Engine
        Its streams are those of the sessions.  Others, such as a rendering, may run on it at the same time.
    admission : Admission
        Told how long each tick took.
    idle : float
        Seconds after which a session that stands still ends.
    on_tick : callable, optional
        Called in the thread of the batch after each tick with its seconds, rows and frames of all rows.
    clock : callable
        Returns the time in seconds.

    Attributes
    ----------
    engine : Engine
    admission : Admission
    pace : Pace
    failure : str or None
        Why the batch has stopped, if its device failed.
    """

    def __init__(
        self,
        engine: Engine,
        admission: Admission,
        idle: float = 30.0,
        on_tick: Callable[[float, int, int], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        manifest = engine.voice.manifest
        self.engine = engine
        self.admission = admission
        self.pace = Pace.of(manifest.frames_per_second, manifest.modality == "pen")
        self.failure: str | None = None
        self._idle = idle
        self._on_tick = on_tick
        self._clock = clock
        self._sessions: dict[int, Session] = {}
        self._saves: dict[Session, int] = {}  # tokens that are asked for; in the order of their turns
        self._posts: queue.SimpleQueue[tuple[Session, object]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._stopped = False
        self._end = End(code=protocol.GOING_AWAY, reason="the server stops")
        self._step_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name=f"vrnn-engine batch {manifest.name}", daemon=True)
        self._thread.start()

    @property
    def rows(self) -> int:
        """Number of sessions."""
        return len(self._sessions)

    def join(self, session: Session) -> None:
        """Step a session from now on."""
        self._post_now(session, Join)

    def leave(self, session: Session) -> None:
        """Step a session no more, from the next frame on, and close its stream."""
        session.ended = True
        self._post_now(session, Leave)

    def post(self, session: Session, message: ClientMessage) -> None:
        """Pass on a `Credit`, `SaveToken` or `Clear` of a client.  It is handled before the next tick."""
        if isinstance(message, Clear):
            self._post_now(session, message)
        else:
            self._posts.put((session, message))

    def close(self) -> None:
        """Send each session a token with which it continues elsewhere, end all sessions, and stop the thread."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def _post_now(self, session: Session, message: object) -> None:
        self._posts.put((session, message))
        self._wake.set()
        if self._stopped:  # the thread handles what was posted before that
            self._handle_posts()

    def _run(self) -> None:
        """Step until the batch is closed, or the device fails."""
        try:
            self._step_until_closed()
        except Exception as error:  # noqa: BLE001 - the sessions must hear of it, whatever it is
            _log.exception("voice %r: the batch has stopped", self.engine.voice.name)
            self.failure = f"the voice failed: {error}"
            self._end = End(code=protocol.FAILED, reason=self.failure)
        self._stopped = True
        self._handle_posts()
        for session in list(self._sessions.values()):  # other threads take them out from here on
            self._end_session(session)

    def _end_session(self, session: Session) -> None:
        """Send a session a token with which it continues elsewhere, and end it."""
        if not session.ended:
            self._guarded(session, lambda session: session.save("end"))
        session.end(self._end.code, self._end.reason)
        self._hand_over([session])

    def _step_until_closed(self) -> None:
        grid = self._clock()
        while not self._stopping.is_set():
            self._wake.clear()
            self._handle_posts()
            now = self._clock()
            on_grid = now >= grid
            if on_grid:
                grid = max(grid + self.pace.period, now)
                self._check_times(now)
                self._answer_saves()
            due = self._due(now, on_grid)
            if due:
                self._tick(due, on_grid)
            elif not on_grid:
                self._wake.wait(grid - now)

    def _handle_posts(self) -> None:
        while True:
            try:
                session, message = self._posts.get_nowait()
            except queue.Empty:
                return
            if message is Join:
                self._sessions[id(session)] = session
                if self._stopped:
                    self._end_session(session)
                else:  # the first token, with which the session continues if the connection is lost at once
                    self._guarded(session, Session.report)
                    self._hand_over([session])
            elif message is Leave:
                self._sessions.pop(id(session), None)
                self._saves.pop(session, None)
                session.close()
            elif isinstance(message, Credit):
                session.give(message.frames)
            elif isinstance(message, Clear):
                session.clear()
                self._hand_over([session])
            elif isinstance(message, SaveToken):
                self._saves[session] = self._saves.get(session, 0) + 1

    def _answer_saves(self) -> None:
        """Make some of the tokens that are asked for, at most one for each session; the sessions take turns."""
        turn = [session for session, _ in zip(self._saves, range(SAVES), strict=False)]
        for session in turn:
            asked = self._saves.pop(session)
            if session.ended:
                continue
            self._guarded(session, lambda session: session.save("save"))
            if asked > 1:
                self._saves[session] = asked - 1
        self._hand_over(turn)

    def _due(self, now: float, on_grid: bool) -> dict[Session, int]:
        """Return the sessions that are to be stepped, with the number of frames of each."""
        due = {}
        for session in self._sessions.values():
            # By the time of its last tick; a session that was urgent then is more urgent now.
            if on_grid or session.is_urgent:
                wanted = session.wanted(now, self.pace.tick)
                if wanted:
                    due[session] = wanted
        return due

    def _tick(self, due: dict[Session, int], on_grid: bool) -> None:
        """Compute frames of sessions, and hand the messages over."""
        start = self._clock()
        rows, longest, total = len(due), max(due.values()), sum(due.values())
        sessions = list(due)
        while due:
            self._advance(due)
        for session in sessions:
            self._guarded(session, Session.report)
        self._hand_over(sessions)
        seconds = self._clock() - start
        self._step_seconds += 0.1 * (seconds / longest - self._step_seconds)
        if on_grid:  # the ticks in between fill the free time, whatever there is of it
            self.admission.measured(total / longest, seconds / longest)
        if self._on_tick is not None:
            self._on_tick(seconds, rows, total)

    def _advance(self, due: dict[Session, int]) -> None:
        """Compute the next frames of sessions: those of which the same number is steady are one batch."""
        groups: dict[int, list[Session]] = {}
        for session, wanted in list(due.items()):
            self._guarded(session, Session.steer)
            if session.ended:
                del due[session]
            else:
                groups.setdefault(session.performance.steady_frames(wanted), []).append(session)
        for frames, sessions in groups.items():
            results = list(step(self.engine, frames, sessions))
            blocks = {session: block for session, block in results if isinstance(block, np.ndarray)}
            encoded = encode_blocks(list(blocks.values()), [session.format for session in blocks])
            data = dict(zip(blocks, encoded, strict=True))
            for session, result in results:
                before = session.performance.frame
                if isinstance(result, VRNNEngineError):
                    session.failed(result)
                else:
                    session.took(result, frames, data[session])
                due[session] -= session.performance.frame - before
                if due[session] <= 0 or session.performance.frame == before:
                    del due[session]

    def _guarded(self, session: Session, call: Callable[[Session], None]) -> None:
        """Call something of a session; an error ends only that session."""
        try:
            call(session)
        except Exception as error:  # noqa: BLE001 - the other sessions go on, whatever it is
            _log.exception("session %s has failed", session.identity)
            session.end(protocol.FAILED, f"the session failed: {error}")

    def _check_times(self, now: float) -> None:
        """End the sessions that stand still, and tell the others once a second how the server does."""
        due = [session for session in self._sessions.values() if session.needs_check(now)]
        for session in due:
            session.check_time(now, self._idle, self._step_seconds, len(self._sessions))
        self._hand_over(due)

    def _hand_over(self, sessions: Iterable[Session]) -> None:
        """Give the messages of sessions to their event loop, all at once."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Session, list[Outgoing]]]] = {}
        for session in sessions:
            messages = session.take_outgoing()
            if messages:
                by_loop.setdefault(session.loop, []).append((session, messages))
        for loop, outgoing in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for the messages
                loop.call_soon_threadsafe(self._deliver, outgoing)

    def _deliver(self, outgoing: list[tuple[Session, list[Outgoing]]]) -> None:
        """Put messages into the outboxes; the thread of the event loop calls this."""
        for session, messages in outgoing:
            dropped = session.outbox.put(messages)
            if dropped:
                self.post(session, Credit(frames=dropped))
