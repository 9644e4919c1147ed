"""An event loop for sessions whose messages nobody waits for."""

import asyncio


def closed_loop() -> asyncio.AbstractEventLoop:
    """Return a closed event loop: one that is never closed warns when it is collected, in whichever test runs then."""
    loop = asyncio.new_event_loop()
    loop.close()
    return loop
