"""A server of voices in a process of its own, which can be killed and started again on the same port.

cd tests; python -m support.server_process PORT KEY VOICE...
"""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from support.command import ROOT, environment


class ServerProcess:
    """The process.  `kill` ends it as a crash does; `start` starts it again, with the same key or another one."""

    def __init__(self, *voices: str, key: str = "a key for tests only") -> None:
        self.voices, self.key = voices, key
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def url(self, voice: str) -> str:
        return f"ws://127.0.0.1:{self.port}/{voice}"

    def start(self, key: str | None = None) -> None:
        command = [sys.executable, "-m", "support.server_process", str(self.port), key or self.key, *self.voices]
        self.process = subprocess.Popen(command, cwd=ROOT / "tests", env=environment())
        for _ in range(600):
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


def main() -> None:
    """Serve until the process is ended."""
    from support.served import serve

    port, key, *voices = sys.argv[1:]
    with serve(*voices, key=key.encode(), port=int(port)):
        threading.Event().wait()


if __name__ == "__main__":
    main()
