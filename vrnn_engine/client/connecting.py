"""Opens remote streams: checks what the caller asks before anything is sent."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from vrnn_engine.base.extras import missing_extra
from vrnn_engine.client.address import parse_voice
from vrnn_engine.client.session_log import Continuation
from vrnn_engine.errors import RemoteError
from vrnn_engine.runtime.frames import check_seconds
from vrnn_engine.runtime.live.events import AnyEvent
from vrnn_engine.serve.codec import encode, seed_field
from vrnn_engine.serve.protocol import MAX_OPEN, Open

if TYPE_CHECKING:
    from vrnn_engine.client.async_stream import AsyncRemoteStream
    from vrnn_engine.client.stream import RemoteStream

TIMEOUT = 15.0
"""Seconds without a connection or a frame after which a remote stream gives up."""


def connect(
    url: str,
    seed: int | None = None,
    *,
    controls: Mapping[str, Any] | None = None,
    text: str | None = None,
    width: float | None = None,
    events: Iterable[AnyEvent] = (),
    format: str = "f32le",
    token: str | None = None,
    resume: bytes | None = None,
    timeout: float = TIMEOUT,
    record: Callable[[AnyEvent], None] | None = None,
) -> "RemoteStream":
    """Open a stream of a served voice.

    Parameters
    ----------
    url : str
        `ws://HOST:PORT/VOICE`, or the same with wss.
    seed : int, optional
        0 to 2**64-1; random by default.
    controls : mapping of str to number or array, optional
        Values before the first frame.
    text : str, optional
        Text to write, for a voice that reads one.
    width : float, optional
        Width of a line in the unit of the voice.
    events : iterable of events
        A timeline: events with their `frame` or `second`, in order.
    format : {"f32le", "s16le"}
        Type of the samples over the network.  16 bits take half as many bytes; 32 bits are those of a local stream.
    token : str, optional
        Secret that the server asks for.
    resume : bytes, optional
        A result of `RemoteStream.snapshot`: continues that stream, bit for bit, at any server with the same key.  The
        seed, the controls, the text and the events are in it, and cannot be given as well.
    timeout : float
        Seconds without a connection or a frame after which the stream raises an error.
    record : callable, optional
        Called with each event, with its frame, when the server has applied it; for example a `PerformanceLog`.

    Returns
    -------
    RemoteStream

    Raises
    ------
    RemoteError
        The server cannot be reached or refuses, or an argument is not possible.
    MissingExtraError
        The extra `client` is not installed.

    Examples
    --------
    >>> remote = client.connect("ws://localhost:8080/blizzard", seed=7)  # doctest: +SKIP
    """
    from vrnn_engine.client.stream import RemoteStream

    return RemoteStream(
        connect_async(
            url,
            seed,
            controls=controls,
            text=text,
            width=width,
            events=events,
            format=format,
            token=token,
            resume=resume,
            timeout=timeout,
            record=record,
        )
    )


def connect_async(
    url: str,
    seed: int | None = None,
    *,
    controls: Mapping[str, Any] | None = None,
    text: str | None = None,
    width: float | None = None,
    events: Iterable[AnyEvent] = (),
    format: str = "f32le",
    token: str | None = None,
    resume: bytes | None = None,
    timeout: float = TIMEOUT,
    record: Callable[[AnyEvent], None] | None = None,
) -> "AsyncRemoteStream":
    """Return a stream of a served voice for asyncio, which opens when it is entered.

    Parameters
    ----------
    url, seed, controls, text, width, events, format, token, resume, timeout, record
        As for `connect`, with the same errors.

    Returns
    -------
    AsyncRemoteStream

    Examples
    --------
    >>> async with client.connect_async("ws://localhost:8080/blizzard", seed=7) as remote:  # doctest: +SKIP
    ...     async for block in remote.blocks(8):
    ...         ...
    """
    _require_websockets()
    from vrnn_engine.client.async_stream import AsyncRemoteStream

    check_seconds(timeout, "timeout")
    address = parse_voice(url)
    continuation = None if resume is None else Continuation.decode(resume)
    if continuation is not None:
        if seed is not None or controls or text is not None or width is not None or tuple(events):
            raise RemoteError("a resumed stream has its seed, controls, text and events; give only `resume`")
        if continuation.voice != address.voice:
            raise RemoteError(
                f"this snapshot is of voice {continuation.voice!r}, not {address.voice!r}; change the address"
            )
    try:
        asked = Open(
            seed=None if seed is None else seed_field(int(seed)),
            controls={name: _plain(value) for name, value in (controls or {}).items()},
            text=text,
            width=width,
            format=format,  # type: ignore[arg-type]  # checked below
            events=tuple(msgspec.json.decode(msgspec.json.encode(event)) for event in events),
            reports=("latents",),
        )
        asked = msgspec.convert(msgspec.to_builtins(asked), Open)
    except (TypeError, ValueError, OverflowError) as error:  # msgspec.ValidationError is a ValueError
        raise RemoteError(f"this session cannot be opened: {error}") from None
    size = len(encode(asked).encode())
    if size > MAX_OPEN:
        raise RemoteError(
            f"the text and events have {size:,} bytes, more than a server takes at first ({MAX_OPEN:,}); "
            "send some of them later"
        )
    return AsyncRemoteStream(address, asked, continuation, token, timeout, record)


def _plain(value: Any) -> float | tuple[float, ...]:
    """Return the value of a control as JSON has it."""
    array = np.asarray(value, np.float64)
    return float(array) if array.ndim == 0 else tuple(array.reshape(-1).tolist())


def _require_websockets() -> None:
    try:
        import websockets  # noqa: F401
    except ModuleNotFoundError as error:
        raise missing_extra(error) or error from None
