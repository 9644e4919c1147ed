"""A control source that steers the performance by OSC messages over UDP, and sends reports back.

`osc_messages.py` lists the addresses.

Threads: one receives packets and sends their events to the performance, in order; one observes recordings, which takes
a while; one sends reports.  None of them is the thread that reads the stream.

The receiving loop is not python-osc's `BlockingOSCUDPServer`.  That server is as fast, but it silently drops malformed
packets, never returns from a bundle with a negative size, and delays all messages that follow a bundle with a future
time tag until that time (version 1.10.2).
"""

import logging
import math
import queue
import socket
import threading
from typing import Any

import numpy as np

from vrnn_engine.errors import SourceError, VRNNEngineError
from vrnn_engine.runtime.audio.meter import level
from vrnn_engine.runtime.live.control.osc_messages import Argument, read_packet, to_event, write_message
from vrnn_engine.runtime.live.control.steerable import Steerable
from vrnn_engine.runtime.live.events import AnyEvent
from vrnn_engine.runtime.live.listening_stream import ListeningStream
from vrnn_engine.runtime.live.rate_limited_log import RateLimitedLog, describe_error

REPORT_RATE = 25.0
"""Reports per second."""
LEVEL_SECONDS = 0.05
"""Seconds of sound whose level is reported."""
MAX_RECORDINGS = 8
"""Largest number of recordings that may wait to be observed."""
POLL_SECONDS = 0.1
"""Longest time that a thread waits before it checks whether it should stop, in seconds."""
_MAX_PACKET = 65536
_log = logging.getLogger("vrnn_engine")

Address = Any  # as in the socket module: a pair for IPv4, a quadruple for IPv6


class Osc:
    """Steers a performance by OSC messages, and reports frame, level, latent, KL, text and errors.

    Parameters
    ----------
    listen : str
        PORT (reachable from this machine only) or HOST:PORT to listen on; port 0 takes any free port.
    to : str, optional
        HOST:PORT to send reports to; by default the sender of the last message.

    Raises
    ------
    SourceError
        An address is malformed or unknown.

    Examples
    --------
    >>> osc = Osc("9000")  # doctest: +SKIP
    >>> osc.start(performance)  # doctest: +SKIP
    >>> osc.stop()  # doctest: +SKIP
    """

    def __init__(self, listen: str = "0", to: str | None = None) -> None:
        self._listen = _parse(listen, "127.0.0.1")
        self._to = None if to is None else _parse(to)
        self._errors = RateLimitedLog()
        self._recordings: queue.Queue[tuple[AnyEvent, Address]] = queue.Queue(MAX_RECORDINGS)
        self._stopped = threading.Event()
        self._sender: Address = None
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        """The port on which it listens, once it has started."""
        return int(self._in.getsockname()[1])

    def start(self, performance: Steerable) -> None:
        """Start listening and reporting.

        Parameters
        ----------
        performance : Steerable

        Raises
        ------
        SourceError
            The port cannot be opened.
        """
        import pythonosc  # noqa: F401  # if it is missing, fail here and not in a thread

        self._performance = performance
        self._in = _open(*self._listen)
        _log.info("OSC: listening on %s:%d", self._in.getsockname()[0], self.port)
        # A second socket, because a socket bound to 127.0.0.1 cannot send to other machines.
        self._out = self._in if self._to is None else socket.socket(self._to[0], socket.SOCK_DGRAM)
        for name, job in (("receive", self._receive), ("prime", self._observe), ("report", self._report)):
            self._threads.append(threading.Thread(target=job, name=f"vrnn-engine osc {name}", daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        """Stop listening.  This does not wait for a recording that is being observed."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(4 * POLL_SECONDS)
        if self._threads:
            self._in.close()
            self._out.close()
        self._threads.clear()
        self._errors.flush()

    def _receive(self) -> None:
        # Runs in the receiving thread.
        while not self._stopped.is_set():
            try:
                packet, sender = self._in.recvfrom(_MAX_PACKET)
            except TimeoutError:
                continue
            except OSError as error:  # on Windows: an earlier report was sent to a closed port
                self._errors.warn(f"OSC: {error.strerror or error}")
                self._stopped.wait(POLL_SECONDS)
                continue
            try:
                messages = read_packet(packet)
            except SourceError as error:
                self._refuse(sender, str(error))
                continue
            self._sender = sender
            for address, values in messages:
                try:
                    self._handle(address, values, sender)
                except Exception as error:  # noqa: BLE001 - one message must not end the thread
                    self._refuse(sender, f"{address:.60}: {describe_error(error)}")

    def _handle(self, address: str, values: list[Argument], sender: Address) -> None:
        try:
            event = to_event(address, values)
            if self._performance.takes_long(event):
                self._recordings.put_nowait((event, sender))
            else:
                self._performance.send(event)
        except queue.Full:
            self._refuse(sender, f"{MAX_RECORDINGS} recordings are waiting to be observed; refused: {values[0]}")
        except VRNNEngineError as error:
            self._refuse(sender, str(error))

    def _observe(self) -> None:
        # Runs in the thread for recordings.
        while not self._stopped.is_set():
            try:
                event, sender = self._recordings.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            try:
                if (seen := self._performance.send(event)) is not None:
                    self._send(sender, "/kl", float(np.mean(seen.kl)))
            except Exception as error:  # noqa: BLE001 - one recording must not end the thread
                self._refuse(sender, describe_error(error))

    def _report(self) -> None:
        # Runs in the reporting thread.
        performance, reported = self._performance, -1
        count = max(1, round(LEVEL_SECONDS * performance.voice.manifest.frames_per_second))
        while not self._stopped.wait(1 / REPORT_RATE):
            frame = performance.frame
            if frame == reported or (self._to is None and self._sender is None):
                continue
            reported = frame
            self._send(self._sender, "/frame", frame)
            if performance.voice.manifest.modality == "audio":
                self._send(self._sender, "/level", level(list(performance.recent)[-count:]))
            if performance.stream.latent.size:
                self._send(self._sender, "/latent", *performance.stream.latent.tolist())
            if isinstance(performance.stream, ListeningStream) and not math.isnan(performance.stream.kl_now):
                self._send(self._sender, "/kl", performance.stream.kl_now)
            if performance.voice.manifest.text is not None:
                self._send(self._sender, "/written", performance.stream.written)
                self._send(self._sender, "/pending", performance.stream.pending)

    def _refuse(self, sender: Address, why: str) -> None:
        self._errors.warn(f"OSC from {sender[0]}:{sender[1]}: {why}")
        self._send(sender, "/error", why)

    def _send(self, sender: Address, address: str, *values: Argument) -> None:
        try:
            self._out.sendto(write_message(address, *values), sender if self._to is None else self._to[1])
        except OSError as error:
            if not self._stopped.is_set():
                self._errors.warn(f"OSC: cannot send {address}: {error.strerror or error}")


def _parse(text: str, host: str = "") -> tuple[socket.AddressFamily, Address]:
    """Return the family and address of HOST:PORT; PORT alone is enough if a default host is given."""
    named, _, port = text.rpartition(":")
    named = named.removeprefix("[").removesuffix("]") or host
    try:
        if not (named and port.isdecimal() and int(port) < 65536):
            raise ValueError
        found = socket.getaddrinfo(named, int(port), type=socket.SOCK_DGRAM)
        # A name such as localhost often has an IPv6 and an IPv4 address; most OSC programs use IPv4.
        family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    except ValueError:
        raise SourceError(
            f"OSC address {text!r}: write {'PORT or ' if host else ''}HOST:PORT; a port is at most 65535"
        ) from None
    except OSError as error:
        raise SourceError(f"OSC address {text!r}: {error.strerror or error}") from None
    return family, address


def _open(family: socket.AddressFamily, address: Address) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_DGRAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # packets wait here while other threads compute
    listening.settimeout(POLL_SECONDS)
    try:
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise SourceError(f"cannot listen for OSC on {address[0]}:{address[1]}: {error.strerror or error}") from None
    return listening
