"""Plays forks: copies of a stream that play into their own targets while the performance continues.

Each fork plays in its own thread.  Any thread may `reserve` a place for a fork; the thread that reads the performance
starts the forks; call `wait` and `stop` after the performance has ended.
"""

import logging
import os
import threading
from collections.abc import Callable

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.live.safety.places import file_of
from vrnn_engine.runtime.player import Player
from vrnn_engine.runtime.stream import Stream

MOST_FORKS = 8
"""Largest number of forks that play at once; more would take the processor from the performance."""

_log = logging.getLogger("vrnn_engine")


class Forks:
    """The forks of one performance."""

    def __init__(self) -> None:
        self._running: list[tuple[str, threading.Thread]] = []
        self._players: set[Player] = set()
        self._stopped = threading.Event()
        self._changing = threading.Lock()
        self._reserved: list[tuple[str, str | None]] = []
        """Target and real path (None for a device) of each fork that plays or will be started."""

    def reserve(self, to: str) -> None:
        """Reserve a place for a fork; `start` uses it, and `release` gives it back.

        Parameters
        ----------
        to : str
            The target.

        Raises
        ------
        SinkError
            `MOST_FORKS` forks play already, or one of them writes the same file.
        """
        file = file_of(to)
        real = None if file is None else os.path.realpath(file)
        with self._changing:
            if len(self._reserved) >= MOST_FORKS:
                raise SinkError(f"{MOST_FORKS} forks are playing, which is the limit; refused: {to}")
            if real is not None and any(real == other for _, other in self._reserved):
                raise SinkError(f"a fork is writing {to} already; name another file")
            self._reserved.append((to, real))

    def release(self, to: str) -> None:
        """Give back the place of a fork.

        Parameters
        ----------
        to : str
            Its target.
        """
        with self._changing:
            self._reserved.remove(next(one for one in self._reserved if one[0] == to))

    def start(self, stream: Stream, to: str, seconds: float, failed: Callable[[Exception], None]) -> None:
        """Play a stream in the background, then close it and give back the place that was reserved for it.

        Parameters
        ----------
        stream : Stream
            The copy.
        to : str
            The target.
        seconds : float
            Seconds to play.
        failed : callable
            Called, in the fork's thread, with the error that ends it early.
        """

        def play() -> None:
            try:
                with stream, Player(stream, to=to, seconds=seconds) as player:
                    self._players.add(player)
                    try:
                        if not self._stopped.is_set():
                            player.wait()
                    finally:
                        self._players.discard(player)
            except Exception as error:  # noqa: BLE001 - nothing else reports what this thread raises
                failed(error)
            finally:
                self.release(to)

        thread = threading.Thread(target=play, name=f"vrnn-engine fork {to}", daemon=True)
        thread.start()
        self._running = [(name, one) for name, one in self._running if one.is_alive()] + [(to, thread)]

    def wait(self) -> None:
        """Wait until all forks have ended; stop them if the wait is interrupted."""
        try:
            for to, thread in self._running:
                if thread.is_alive():
                    _log.info("waiting for the fork into %s", to)
                thread.join()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all forks now and finish their files."""
        self._stopped.set()
        for player in list(self._players):
            player.stop()
        for _, thread in self._running:
            thread.join()
