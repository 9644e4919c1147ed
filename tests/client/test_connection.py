"""The meaning of an HTTP answer to the handshake of a WebSocket."""

import asyncio

import pytest

from vrnn_engine.client.address import parse_voice
from vrnn_engine.client.connection import LONGEST_PAUSE, ConnectionLost, open_socket
from vrnn_engine.errors import RemoteError


async def try_at_a_server_that_answers(status: str, wait: str = "7") -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nRetry-After: {wait}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with open_socket(parse_voice(f"ws://127.0.0.1:{port}/voice"), None, 5):
            pass


@pytest.mark.parametrize(
    "status", ["429 Too Many", "500 Internal", "502 Bad Gateway", "503 Unavailable", "504 Timeout"]
)
def test_a_busy_server_and_a_failed_one_behind_a_proxy_are_tried_again(status: str) -> None:
    with pytest.raises(ConnectionLost) as lost:
        asyncio.run(try_at_a_server_that_answers(status))
    assert lost.value.retry_after == 7


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [("nan", 0), ("-1", 0), ("soon", 0), ("inf", LONGEST_PAUSE), ("1e400", LONGEST_PAUSE), ("9" * 5000, LONGEST_PAUSE)],
)
def test_a_server_cannot_ask_to_wait_for_ever(wait: str, seconds: float) -> None:
    with pytest.raises(ConnectionLost) as lost:
        asyncio.run(try_at_a_server_that_answers("503 Unavailable", wait))
    assert lost.value.retry_after == seconds


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found"])
def test_a_refusal_is_final(status: str) -> None:
    with pytest.raises(RemoteError, match=f"was refused: HTTP status {status[:3]}"):
        asyncio.run(try_at_a_server_that_answers(status))
