"""Copies of a stream that go on by themselves into targets of their own, while the stream plays on.

Threads: one starts, waits for and stops them; each plays in a thread of its own.
"""

import logging
import threading
from collections.abc import Callable

from vrnn_engine.runtime.player import Player
from vrnn_engine.runtime.stream import Stream

_log = logging.getLogger("vrnn_engine")


class Forks:
    """All forks of a performance."""

    def __init__(self) -> None:
        self._running: list[tuple[str, threading.Thread]] = []
        self._players: set[Player] = set()
        self._stopped = threading.Event()

    def start(self, stream: Stream, to: str, seconds: float, fail: Callable[[Exception], None]) -> None:
        """Let a stream play, and close it then; what goes wrong with it is for `fail`, when it does."""

        def play() -> None:
            try:
                with stream, Player(stream, to=to, seconds=seconds) as player:
                    self._players.add(player)
                    try:
                        if not self._stopped.is_set():
                            player.wait()
                    finally:
                        self._players.discard(player)
            except Exception as error:  # noqa: BLE001 - that of a plug-in too, of which nobody would hear otherwise
                fail(error)

        thread = threading.Thread(target=play, name=f"vrnn-engine fork {to}", daemon=True)
        self._running = [(name, one) for name, one in self._running if one.is_alive()] + [(to, thread)]
        thread.start()

    def wait(self) -> None:
        """Wait until all have come to their end; interrupted, stop them."""
        try:
            for to, thread in self._running:
                if thread.is_alive():
                    _log.info("waiting for the fork into %s", to)
                thread.join()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all of them now; what they have written is whole."""
        self._stopped.set()
        for player in list(self._players):
            player.stop()
        for _, thread in self._running:
            thread.join()
