"""Runs renderings in a bounded number of threads, and refuses those beyond it."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from vrnn_engine.serve.web.replies import refuse_until

HELD = 8
"""Finished renderings that may wait for slow clients, for each thread."""
HELD_BYTES = 256 * 1024 * 1024
"""Bytes of finished files above which no further rendering begins."""
_HELD_WAIT = 10.0
_WATCH = 0.2
"""Seconds between two looks whether the client has gone."""

Result = TypeVar("Result")


class RenderPool:
    """Runs renderings in a bounded number of threads.  All methods belong to the thread of the event loop.

    Parameters
    ----------
    threads : int
        Number of renderings that run at the same time.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, "vrnn-engine render")
        self._running = self._held = self._bytes = 0
        self._last_seconds = 1.0
        self._stopped = threading.Event()

    @property
    def running(self) -> int:
        """Number of renderings that run."""
        return self._running

    async def run(self, work: Callable[[Callable[[], bool]], Result], is_gone: Callable[[], Awaitable[bool]]) -> Result:
        """Run one rendering in a thread, and hold its place until `release`.

        Parameters
        ----------
        work : callable
            Renders; called in a thread, with a function that returns whether to stop because the client has gone.
        is_gone : callable
            Returns whether the client has gone.

        Returns
        -------
        object
            What `work` returns.

        Raises
        ------
        Refusal
            All places are taken.
        """
        if self._running >= self._threads:
            words = f"{self._threads} renderings are running; try again later"
            raise refuse_until(self._last_seconds, 503, "busy", words)
        if self._held >= self._threads * HELD or self._bytes >= HELD_BYTES:
            words = "too many finished renderings wait until their clients have received them; try again later"
            raise refuse_until(_HELD_WAIT, 503, "busy", words)
        self._running += 1
        self._held += 1
        gone, started = threading.Event(), time.monotonic()
        try:
            future = asyncio.get_running_loop().run_in_executor(
                self._executor, work, lambda: gone.is_set() or self._stopped.is_set()
            )
            while not (await asyncio.wait({future}, timeout=_WATCH))[0]:
                if await is_gone():
                    gone.set()
            self._last_seconds = time.monotonic() - started
            return future.result()
        except BaseException:
            gone.set()
            self.release()
            raise
        finally:
            self._running -= 1

    def keep(self, size: int) -> None:
        """Count the bytes of a finished file until `release`.

        Parameters
        ----------
        size : int
        """
        self._bytes += size

    def release(self, size: int = 0) -> None:
        """Give back the place of a finished rendering, because its file is sent.

        Parameters
        ----------
        size : int
            Bytes of its file, as given to `keep`.
        """
        self._held -= 1
        self._bytes -= size

    def close(self) -> None:
        """Stop all renderings and the threads.  It may be called again."""
        self._stopped.set()
        self._executor.shutdown(wait=False, cancel_futures=True)
