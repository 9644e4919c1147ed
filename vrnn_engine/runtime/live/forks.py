"""Plays forks: copies of a stream that play into their own targets while the performance continues.

Each fork plays in its own thread.  The thread that reads the performance starts the forks; call `wait` and `stop` after
the performance has ended.
"""

import logging
import threading
from collections.abc import Callable

from vrnn_engine.runtime.player import Player
from vrnn_engine.runtime.stream import Stream

_log = logging.getLogger("vrnn_engine")


class Forks:
    """The forks of one performance."""

    def __init__(self) -> None:
        self._running: list[tuple[str, threading.Thread]] = []
        self._players: set[Player] = set()
        self._stopped = threading.Event()

    def start(self, stream: Stream, to: str, seconds: float, failed: Callable[[Exception], None]) -> None:
        """Play a stream in the background, then close it.

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

        thread = threading.Thread(target=play, name=f"vrnn-engine fork {to}", daemon=True)
        self._running = [(name, one) for name, one in self._running if one.is_alive()] + [(to, thread)]
        thread.start()

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
