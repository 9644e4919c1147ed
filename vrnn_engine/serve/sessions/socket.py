"""The WebSocket endpoint of a session: refuses, opens, sends and receives, and cleans up however it ends."""

import asyncio
import contextlib
import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from vrnn_engine.errors import VoiceError, VRNNEngineError
from vrnn_engine.serve import protocol
from vrnn_engine.serve.addresses import limited_client
from vrnn_engine.serve.codec import encode
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.protocol import End, Open
from vrnn_engine.serve.services import Services
from vrnn_engine.serve.sessions.batch import Batch
from vrnn_engine.serve.sessions.opening import open_session
from vrnn_engine.serve.sessions.receiving import EndOfSession, Inlet, first_message
from vrnn_engine.serve.sessions.session import Session

FLUSH_SECONDS = 2.0
"""Time in which a client has to take the last messages of a session that ends."""
LAST_WORDS_SECONDS = 0.1
"""Time to read what a client sent before it disconnected, which has arrived already."""
_FULL = "the server is full; try again later"
_GONE = End(code=protocol.GOING_AWAY, reason="the client has disconnected")
_LABELS = {
    protocol.DONE: "closed",
    protocol.GOING_AWAY: "shutdown",
    protocol.POLICY: "policy",
    protocol.TOO_BIG: "too-big",
    protocol.FAILED: "failed",
    protocol.SLOW: "slow",
    protocol.BAD_MESSAGES: "bad-messages",
    protocol.RUNAWAY: "runaway",
    protocol.IDLE: "idle",
}
"""Close code -> reason in the metrics."""


async def session_socket(websocket: WebSocket, name: str, services: Services[Batch]) -> None:
    """Serve one session.

    Parameters
    ----------
    websocket : WebSocket
        A connection whose handshake is not answered yet.
    name : str
        Name of the voice.
    services : Services
    """
    try:
        batch = services.voices.batch(name)
    except VoiceError as error:
        await _refuse(websocket, services, 404, "voice", str(error))
        return
    if services.draining.is_set() or batch.failure is not None:
        await _refuse(websocket, services, 503, "draining", batch.failure or "the server stops", 10)
        return
    if not batch.admission.has_room:
        await _refuse(websocket, services, 503, "busy", _FULL, batch.admission.retry_after)
        return
    client, most = _client(websocket, services.options)
    if not services.addresses.enter(client, most):
        await _refuse(websocket, services, 429, "sessions", "this address has too many sessions; end some of them", 10)
        return
    try:
        await websocket.accept()
        end = await _serve(websocket, batch, services)
        if end is not _GONE:
            await _close(websocket, end)
    except WebSocketDisconnect:
        return
    finally:
        services.addresses.leave(client)


def _client(websocket: WebSocket, options: ServeOptions) -> tuple[str, float]:
    """Return the client, and how many sessions it may have.  A proxy that names no client stands for many."""
    client = limited_client(websocket.client.host if websocket.client else None, options.proxies)
    return ("", math.inf) if client is None else (client, options.sessions_per_address)


async def _refuse(
    websocket: WebSocket, services: Services[Batch], status: int, label: str, words: str, wait: int | None = None
) -> None:
    """Answer the handshake with an HTTP error."""
    services.metrics.refused(label)
    headers = {} if wait is None else {"Retry-After": str(wait)}
    await websocket.send_denial_response(JSONResponse({"error": words}, status, headers))


async def _serve(websocket: WebSocket, batch: Batch, services: Services[Batch]) -> End:
    """Wait for the first message, and serve the session if it fits; return its end."""
    try:
        async with asyncio.timeout(protocol.OPEN_SECONDS):
            message = first_message(_data(await websocket.receive()))
    except EndOfSession as refused:
        return await _say_end(websocket, refused.end)
    except TimeoutError:
        return await _say_end(websocket, End(code=protocol.POLICY, reason="no message has come to open a session"))
    if not batch.admission.admit():  # only now, so that a client that says nothing takes no place
        services.metrics.refused("busy")
        return await _say_end(websocket, End(code=protocol.TRY_LATER, reason=_FULL))
    try:
        return await _open_and_serve(websocket, message, batch, services)
    finally:
        batch.admission.leave()


async def _open_and_serve(websocket: WebSocket, message: Open, batch: Batch, services: Services[Batch]) -> End:
    """Open a session and keep it until it ends; return its end."""
    loop, name = asyncio.get_running_loop(), batch.engine.voice.name
    try:
        session, opened = await asyncio.to_thread(open_session, message, batch, services.keys, loop)
    except VRNNEngineError as error:
        return await _say_end(websocket, End(code=protocol.POLICY, reason=str(error)))
    services.metrics.session_opened(name)
    end = _GONE
    try:
        await websocket.send_text(encode(opened))
        batch.join(session)
        end = await _send_and_receive(websocket, session, batch)
    except WebSocketDisconnect:
        pass
    finally:
        batch.leave(session)
        services.metrics.session_ended(name, "gone" if end is _GONE else _LABELS[end.code])
    return end


async def _send_and_receive(websocket: WebSocket, session: Session, batch: Batch) -> End:
    """Send and receive at the same time, until one of them, or the batch, ends the session."""
    sending = asyncio.create_task(_send(websocket, session))
    receiving = asyncio.create_task(_receive(websocket, session, batch))
    ending = asyncio.create_task(session.outbox.ending.wait())
    tasks = (sending, receiving, ending)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if sending.done() and sending.result() is _GONE:
            await asyncio.wait([receiving], timeout=LAST_WORDS_SECONDS)
            return receiving.result() if receiving.done() else _GONE
        said = _GONE
        if receiving.done() and not sending.done() and not ending.done():
            said = receiving.result()
            if said is _GONE:
                return _GONE
            session.outbox.put([said])
        # The rest of the messages, and the end.  A client that takes nothing cannot hold up more than this task.
        done, _ = await asyncio.wait([sending], timeout=FLUSH_SECONDS)
        if not done:
            return End(code=protocol.SLOW, reason="the client takes no messages")
        end = sending.result()
        return said if end is _GONE else end  # who says `close` need not wait for the answer
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _send(websocket: WebSocket, session: Session) -> End:
    """Send messages up to the end of the session, or until the client disconnects; return the end."""
    outbox = session.outbox
    try:
        while True:
            message = await outbox.take()
            if isinstance(message, bytes):
                await websocket.send_bytes(message)
                outbox.count_sent(message)
            elif isinstance(message, str):
                await websocket.send_text(message)
            else:
                await websocket.send_text(encode(message))
                return message
    except WebSocketDisconnect:
        return _GONE


async def _receive(websocket: WebSocket, session: Session, batch: Batch) -> End:
    """Handle the messages of the client; return the end of the session."""
    inlet = Inlet(session, batch)
    while True:
        await session.outbox.has_room()
        try:
            inlet.take(_data(await websocket.receive()))
        except WebSocketDisconnect:
            return _GONE
        except EndOfSession as ended:
            return ended.end


def _data(message: Mapping[str, Any]) -> str | bytes:
    """Return the text or the bytes of a message of ASGI; raise `WebSocketDisconnect` if there is no more."""
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", protocol.GOING_AWAY))
    text = message.get("text")
    found: str | bytes = message["bytes"] if text is None else text
    return found


async def _say_end(websocket: WebSocket, end: End) -> End:
    """Send an end to a client whose session was not opened; return it."""
    await websocket.send_text(encode(end))
    return end


async def _close(websocket: WebSocket, end: End) -> None:
    """Close the connection with the code and the reason, of which a WebSocket carries 123 bytes."""
    reason = end.reason.encode()[:120].decode(errors="ignore")
    with contextlib.suppress(RuntimeError, OSError, TimeoutError, WebSocketDisconnect):
        async with asyncio.timeout(FLUSH_SECONDS):
            await websocket.close(end.code, reason)
