"""Plays voices that another process serves, over a WebSocket, like local ones.

    from vrnn_engine import Player, client
    with client.connect("ws://localhost:8080/blizzard", seed=7) as remote:
        block = remote.read(80)
        remote.controls["latent.temperature"] = 0.7
        with Player(remote, to="speakers") as player:
            player.wait(timeout=10)

`connect` is for code without asyncio, `connect_async` for code with it.  `voices` and `render` ask a server over HTTP.
"""

from vrnn_engine.client.connecting import connect, connect_async
from vrnn_engine.client.server import render, voices

__all__ = ["connect", "connect_async", "render", "voices"]
