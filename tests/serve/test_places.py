"""How many sessions one client address may have, and who takes a place on a server that is nearly full."""

import asyncio

import numpy as np
import pytest
from support.served import hear, listener, run, serve
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from vrnn_engine.serve import protocol
from vrnn_engine.serve.codec import encode
from vrnn_engine.serve.protocol import Open

VOICE = "toy-audio"


def test_a_client_that_says_nothing_takes_no_place(fragile) -> None:
    async def beside(url: str) -> tuple[np.ndarray, int, str]:
        async with connect(url, compression=None) as silent, listener(url) as one:
            await one.open(Open(seed=7, credit=8, format="f32le"))
            heard = await one.listen(8)
            await silent.send(encode(Open()))  # the one place is taken now
            with pytest.raises(ConnectionClosed):
                while True:
                    await silent.recv()
            return heard, silent.close_code, silent.close_reason

    with serve(str(fragile), max_sessions=1) as server:
        heard, code, reason = run(beside(server.url(VOICE)))
    assert heard.size == 8 * 200
    assert (code, reason) == (protocol.TRY_LATER, "the server is full; try again later")


@pytest.mark.parametrize(("proxies", "refused"), [((), 1), (("127.0.0.1",), 0)], ids=["client", "proxy"])
def test_sessions_of_one_address_are_limited_but_not_those_of_a_proxy(fragile, proxies, refused) -> None:
    async def three(url: str) -> list[object]:
        opened = await asyncio.gather(*(connect(url) for _ in range(3)), return_exceptions=True)
        for one in opened:
            if not isinstance(one, InvalidStatus):
                await one.close()
        return [one.response.status_code for one in opened if isinstance(one, InvalidStatus)]

    with serve(str(fragile), sessions_per_address=2, proxies=proxies) as server:
        assert run(three(server.url(VOICE))) == [429] * refused
        server.wait_until_closed()
        run(hear(server.url(VOICE), 2, Open(credit=2)))  # the places are free again
