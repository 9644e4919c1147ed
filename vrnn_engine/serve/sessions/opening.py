"""Makes a session from the first message of a client."""

import asyncio
import secrets
import time
from collections.abc import Callable

import msgspec

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.runtime.live.events import AnyEvent
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.stream import Stream
from vrnn_engine.serve import protocol
from vrnn_engine.serve.codec import seed_field, seed_number
from vrnn_engine.serve.protocol import Format, Open, Opened
from vrnn_engine.serve.services import Keys
from vrnn_engine.serve.sessions.batch import Batch
from vrnn_engine.serve.sessions.outbox import Outbox
from vrnn_engine.serve.sessions.pacing import Pacer, frames_in
from vrnn_engine.serve.sessions.packing import SAMPLE_BYTES, Packer
from vrnn_engine.serve.sessions.reports import Reports
from vrnn_engine.serve.sessions.session import Parts, Session
from vrnn_engine.serve.sessions.session_state import SessionState
from vrnn_engine.serve.sessions.steering import Translator


def open_session(message: Open, batch: Batch, keys: Keys, loop: asyncio.AbstractEventLoop) -> tuple[Session, Opened]:
    """Return a session that has not joined its batch, and the answer to the client.  Any thread may call this.

    Parameters
    ----------
    message : Open
    batch : Batch
        The batch of the voice.
    keys : Keys
        Seals and opens tokens.
    loop : asyncio.AbstractEventLoop
        The event loop of the socket.

    Raises
    ------
    VRNNEngineError
        A field of the message does not fit the voice.
    """
    engine = batch.engine
    if message.protocol != protocol.VERSION:
        raise StreamError(f"this server speaks version {protocol.VERSION} of the protocol, not {message.protocol}")
    if message.text is not None and len(message.text) > protocol.MAX_TEXT:
        raise StreamError(f"the text has more than {protocol.MAX_TEXT} characters; send the rest as events")
    stream = engine.stream(seed_number(message.seed), message.text, message.width)
    try:
        return _session(message, batch, keys, loop, stream)
    except BaseException:
        stream.close()
        raise


def _session(
    message: Open, batch: Batch, keys: Keys, loop: asyncio.AbstractEventLoop, stream: Stream
) -> tuple[Session, Opened]:
    """Return the session of a stream, and the answer."""
    manifest = stream.voice.manifest
    stream.controls.update(message.controls)
    translator = _translator(batch.engine, keys, stream.latent.size)
    recorders: list[Callable[[AnyEvent], None]] = []
    performance = _performance(message, stream, keys, translator, lambda event: recorders[0](event))
    first = _first_frame(message, performance.frame, manifest.frames_per_second)
    _check_text(performance)
    ink = manifest.modality == "pen"
    seconds = protocol.INK_MESSAGE_SECONDS if ink else protocol.MESSAGE_SECONDS
    frames = message.frames or frames_in(seconds, manifest.frames_per_second)
    format: Format = "f32le" if ink else message.format or "s16le"
    frame_bytes = manifest.frame_size * SAMPLE_BYTES[format]
    session = Session(
        Parts(
            identity=secrets.token_hex(6),
            stream=stream,
            performance=performance,
            loop=loop,
            first=first,
            translator=translator,
            pacer=Pacer(batch.pace, message.credit, frames, time.monotonic()),
            packer=Packer(frames, frame_bytes, first),
            format=format,
            reports=Reports(stream, performance, message.reports, message.tokens),
            outbox=Outbox(frame_bytes),
            seal=lambda performance: keys.seal(SessionState.of(performance).encode()),
        )
    )
    recorders.append(session.applied)
    opened = Opened(
        session=session.identity,
        voice=manifest.name,
        seed=seed_field(stream.seed),
        frame=first,
        rate=manifest.rate,
        frame_size=manifest.frame_size,
        frames_per_second=manifest.frames_per_second,
        frames=frames,
        format=format,
        manifest=msgspec.to_builtins(manifest),
    )
    return session, opened


def _translator(engine: Engine, keys: Keys, latents: int) -> Translator:
    def snapshot_of(token: str) -> bytes:
        return SessionState.decode(keys.open(token), engine.fingerprint).snapshot

    def token_of(snapshot: bytes) -> str:
        return keys.seal(SessionState(engine.fingerprint, 0, snapshot).encode())

    return Translator(engine.voice.manifest.frames_per_second, latents, snapshot_of, token_of)


def _performance(
    message: Open, stream: Stream, keys: Keys, translator: Translator, record: Callable[[AnyEvent], None]
) -> Performance:
    """Return the performance at the first frame that is computed."""
    events = translator.timeline(message.events)
    if message.token is None:
        return Performance(stream, events, record, memory=0)
    state = SessionState.decode(keys.open(message.token), stream.fingerprint)
    performance = Performance(stream, state.timeline_with(events), record, memory=0)
    state.restore(performance, message.frame or 0)
    return performance


def _check_text(performance: Performance) -> None:
    """Raise `StreamError` if the text and the timeline hold more than two full texts; a token may hold one of them."""
    most, planned = 2 * protocol.MAX_TEXT, performance.waiting_characters
    if planned and performance.stream.pending + planned > most:
        raise StreamError(f"the text and the timeline have more than {most} characters; send the rest as events")


def _first_frame(message: Open, reached: int, frames_per_second: float) -> int:
    """Return the first frame to send."""
    if message.frame is None:
        return reached
    if message.token is None or not reached <= message.frame <= reached + protocol.MAX_SKIPPED * frames_per_second:
        raise StreamError(
            f"frame {message.frame} is not within {protocol.MAX_SKIPPED:g} seconds after the token's frame {reached}"
        )
    return message.frame
