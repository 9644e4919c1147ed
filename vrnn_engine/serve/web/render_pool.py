"""Runs renderings in a bounded number of threads, and refuses those beyond it, also those of one client alone."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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


@dataclass
class _Load:
    """How much renderings take: threads, places from their beginning until their files are sent, bytes of files."""

    running: int = 0
    held: int = 0
    size: int = 0

    def is_held(self, threads: int, size: int) -> bool:
        """Return whether all places, or the bytes, of this number of threads are taken."""
        return self.held >= threads * HELD or self.size >= size


class RenderPool:
    """Runs renderings in a bounded number of threads.  All methods belong to the thread of the event loop.

    A client has at most some of the threads, and the same part of the places and bytes of finished renderings.

    Parameters
    ----------
    threads : int
        Number of renderings that run at the same time.
    per_client : int, optional
        Number of those that one client may have; all of them by default.
    """

    def __init__(self, threads: int, per_client: int | None = None) -> None:
        self._threads = threads
        self._per_client = min(threads, per_client or threads)
        self._executor = ThreadPoolExecutor(threads, "vrnn-engine render")
        self._all = _Load()
        self._clients: dict[str, _Load] = {}
        self._last_seconds = 1.0
        self._stopped = threading.Event()

    @property
    def running(self) -> int:
        """Number of renderings that run."""
        return self._all.running

    async def run(
        self,
        work: Callable[[Callable[[], bool]], Result],
        is_gone: Callable[[], Awaitable[bool]],
        client: str | None = None,
    ) -> Result:
        """Run one rendering in a thread, and hold its place until `release`.

        Parameters
        ----------
        work : callable
            Renders; called in a thread, with a function that returns whether to stop because the client has gone.
        is_gone : callable
            Returns whether the client has gone.
        client : str, optional
            The client, as `limited_client` returns it; None for one without a limit of its own.

        Returns
        -------
        object
            What `work` returns.

        Raises
        ------
        Refusal
            All places are taken, or all that this client may have.
        """
        self._check(client)
        self._count(client, running=1, held=1)
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
            self.release(client=client)
            raise
        finally:
            self._count(client, running=-1)

    def keep(self, size: int, client: str | None = None) -> None:
        """Count the bytes of a finished file until `release`.

        Parameters
        ----------
        size : int
        client : str, optional
            As given to `run`.
        """
        self._count(client, size=size)

    def release(self, size: int = 0, client: str | None = None) -> None:
        """Give back the place of a finished rendering, because its file is sent.

        Parameters
        ----------
        size : int
            Bytes of its file, as given to `keep`.
        client : str, optional
            As given to `run`.
        """
        self._count(client, held=-1, size=-size)

    def close(self) -> None:
        """Stop all renderings and the threads.  It may be called again."""
        self._stopped.set()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _check(self, client: str | None) -> None:
        """Raise `Refusal` unless a rendering of this client may begin."""
        if self._all.running >= self._threads:
            words = f"{self._threads} renderings are running; try again later"
            raise refuse_until(self._last_seconds, 503, "busy", words)
        if self._all.is_held(self._threads, HELD_BYTES):
            words = "too many finished renderings wait until their clients have received them; try again later"
            raise refuse_until(_HELD_WAIT, 503, "busy", words)
        if client is None:
            return
        load, most = self._clients.get(client, _Load()), self._per_client
        if load.running >= most:
            words = f"{most} of the renderings that run are for this address; wait until one of them has ended"
            raise refuse_until(self._last_seconds, 429, "renders", words)
        if load.is_held(most, HELD_BYTES * most // self._threads):
            words = "this address has not received its finished renderings; receive some of them first"
            raise refuse_until(_HELD_WAIT, 429, "renders", words)

    def _count(self, client: str | None, running: int = 0, held: int = 0, size: int = 0) -> None:
        """Add to the load of all clients and to that of this one."""
        loads = [self._all] if client is None else [self._all, self._clients.setdefault(client, _Load())]
        for load in loads:
            load.running += running
            load.held += held
            load.size += size
        if client is not None and not (self._clients[client].running or self._clients[client].held):
            del self._clients[client]
