"""Steering by OSC over UDP, and what the stream does sent back; `osc_messages.py` has the addresses.

Threads: one takes packets in and asks the performance at once, so that nothing overtakes; one listens to recordings,
which takes a while; one tells how the stream is.  None is the thread that reads the stream.
"""

import logging
import math
import queue
import socket
import threading
from typing import Any

import numpy as np

from vrnn_engine.errors import SourceError, VRNNEngineError
from vrnn_engine.runtime.live.control.osc_messages import Argument, read_packet, to_event, write_message
from vrnn_engine.runtime.live.events import AnyEvent
from vrnn_engine.runtime.live.listening_stream import ListeningStream
from vrnn_engine.runtime.live.meter import level
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.rate_limited_log import RateLimitedLog, describe_error

RATE = 25.0
"""Times a second that it is told how the stream is."""
LEVEL = 0.05
"""Seconds whose level that is."""
QUEUED = 8
"""Recordings that may wait to be listened to."""
NAP = 0.1
_LARGEST = 65536
_log = logging.getLogger("vrnn_engine")

Address = Any  # as the socket module has it: of IPv4 a pair, of IPv6 a quadruple


class Osc:
    """Listens to OSC messages and answers them.

    Parameters
    ----------
    listen : str
        PORT (of this machine alone) or HOST:PORT to listen on; port 0 is any that is free.
    to : str, optional
        HOST:PORT that is told how the stream is; who sent the last message if not given.

    Raises
    ------
    SourceError
        An address is none.  `start` raises it where it cannot be listened on.
    """

    def __init__(self, listen: str = "0", to: str | None = None) -> None:
        self._listen = _parse(listen, "127.0.0.1")
        self._to = None if to is None else _parse(to)
        self._trouble = RateLimitedLog()
        self._recordings: queue.Queue[tuple[AnyEvent, Address]] = queue.Queue(QUEUED)
        self._stopped = threading.Event()
        self._sender: Address = None
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        """Where it listens, once it does."""
        return int(self._in.getsockname()[1])

    def start(self, performance: Performance) -> None:
        """Listen and tell from now on."""
        import pythonosc  # noqa: F401  # missing, it is to be missed here and not in a thread

        self._performance = performance
        self._in = _open(*self._listen)
        _log.info("OSC: listening on %s:%d", self._in.getsockname()[0], self.port)
        # A socket of its own: one that is bound to this machine alone cannot send beyond it.
        self._out = self._in if self._to is None else socket.socket(self._to[0], socket.SOCK_DGRAM)
        for job in (self._take, self._prime, self._tell):
            self._threads.append(threading.Thread(target=job, name=f"vrnn-engine osc{job.__name__}", daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        """Listen no more.  A recording that is being listened to is not waited for."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(4 * NAP)
        if self._threads:
            self._in.close()
            self._out.close()
        self._threads.clear()
        self._trouble.flush()

    def _take(self) -> None:
        # A thread: packets in.
        while not self._stopped.is_set():
            try:
                packet, sender = self._in.recvfrom(_LARGEST)
            except TimeoutError:
                continue
            except OSError as error:  # Windows: that an answer of ours found nobody
                self._trouble.warn(f"OSC: {error.strerror or error}")
                self._stopped.wait(NAP)
                continue
            try:
                messages = read_packet(packet)
            except SourceError as error:
                self._refuse(sender, str(error))
                continue
            self._sender = sender
            for address, values in messages:
                try:
                    self._ask(address, values, sender)
                except Exception as error:  # noqa: BLE001 - one message may not be the end of all others
                    self._refuse(sender, f"{address:.60}: {describe_error(error)}")

    def _ask(self, address: str, values: list[Argument], sender: Address) -> None:
        try:
            event = to_event(address, values)
            if self._performance.takes_long(event):
                self._recordings.put_nowait((event, sender))
            else:
                self._performance.send(event)
        except queue.Full:
            self._refuse(sender, f"{QUEUED} recordings are waiting to be listened to already: not {values[0]}")
        except VRNNEngineError as error:
            self._refuse(sender, str(error))

    def _prime(self) -> None:
        # A thread: recordings.
        while not self._stopped.is_set():
            try:
                event, sender = self._recordings.get(timeout=NAP)
            except queue.Empty:
                continue
            try:
                if (seen := self._performance.send(event)) is not None:
                    self._send(sender, "/kl", float(np.mean(seen.kl)))
            except Exception as error:  # noqa: BLE001 - as above
                self._refuse(sender, describe_error(error))

    def _tell(self) -> None:
        # A thread: how the stream is.
        performance, told = self._performance, -1
        count = max(1, round(LEVEL * performance.voice.manifest.frames_per_second))
        while not self._stopped.wait(1 / RATE):
            frame = performance.frame
            if frame == told or (self._to is None and self._sender is None):
                continue
            told = frame
            self._send(self._sender, "/frame", frame)
            if performance.voice.manifest.modality == "audio":
                self._send(self._sender, "/level", level(list(performance.recent)[-count:]))
            if performance.stream.latent.size:
                self._send(self._sender, "/latent", *performance.stream.latent.tolist())
            if isinstance(performance.stream, ListeningStream) and not math.isnan(performance.stream.kl_now):
                self._send(self._sender, "/kl", performance.stream.kl_now)

    def _refuse(self, sender: Address, why: str) -> None:
        self._trouble.warn(f"OSC from {sender[0]}:{sender[1]}: {why}")
        self._send(sender, "/error", why)

    def _send(self, sender: Address, address: str, *values: Argument) -> None:
        try:
            self._out.sendto(write_message(address, *values), sender if self._to is None else self._to[1])
        except OSError as error:
            if not self._stopped.is_set():
                self._trouble.warn(f"OSC: cannot send {address}: {error.strerror or error}")


def _parse(text: str, host: str = "") -> tuple[socket.AddressFamily, Address]:
    """Return the family and address of HOST:PORT, or PORT where a host is given."""
    named, _, port = text.rpartition(":")
    named = named.removeprefix("[").removesuffix("]") or host
    try:
        if not (named and port.isdecimal() and int(port) < 65536):
            raise ValueError
        found = socket.getaddrinfo(named, int(port), type=socket.SOCK_DGRAM)
        # A name such as localhost is often of both kinds, and who speaks OSC is mostly to be found by IPv4.
        family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    except ValueError:
        raise SourceError(f"OSC address {text!r}: write {'PORT or ' if host else ''}HOST:PORT") from None
    except OSError as error:
        raise SourceError(f"OSC address {text!r}: {error.strerror or error}") from None
    return family, address


def _open(family: socket.AddressFamily, address: Address) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_DGRAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # for what comes while another thread computes
    listening.settimeout(NAP)
    try:
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise SourceError(f"cannot listen for OSC on {address[0]}:{address[1]}: {error.strerror or error}") from None
    return listening
