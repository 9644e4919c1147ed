"""`vrnn-engine serve` in a process of its own, which can be killed and started again on the same port."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from support.command import environment


class ServerProcess:
    """The process.  `kill` ends it as a crash does; `start` starts it again, with the same key or another one."""

    def __init__(self, *voices: str, key: str = "a key for tests only") -> None:
        self.voices, self.key = voices, key
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def url(self, voice: str, scheme: str = "ws") -> str:
        return f"{scheme}://127.0.0.1:{self.port}/{voice}"

    def start(self, key: str | None = None) -> None:
        command = [sys.executable, "-m", "vrnn_engine", "serve", *self.voices, "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, env=environment(VRNN_ENGINE_KEY=key or self.key), stderr=subprocess.DEVNULL
        )
        for _ in range(1200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert self.process.poll() is None, "the server has ended"
            time.sleep(0.05)
        raise AssertionError("the server has not started")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@contextlib.contextmanager
def running(*voices: str) -> Iterator[ServerProcess]:
    """Run a server until the block ends."""
    server = ServerProcess(*voices)
    try:
        yield server
    finally:
        server.kill()
