"""A control source that sets controls from a MIDI device's controllers, and learns a binding when one is moved.

One thread reads the device, sends events to the performance, and checks whether the device is still connected.
"""

import collections
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import SourceError
from vrnn_engine.runtime.live.control.midi_map import Binding, MidiMap
from vrnn_engine.runtime.live.control.midi_ports import Inputs, Port, SystemInputs
from vrnn_engine.runtime.live.control.steerable import Steerable
from vrnn_engine.runtime.live.rate_limited_log import RateLimitedLog, describe_error

VIRTUAL = "virtual"
READ_INTERVAL = 0.004
"""Seconds between two checks for messages."""
LOOK_INTERVAL = 1.0
"""Seconds between two checks whether the device is connected."""
GESTURE_GAP = 1.0
"""Seconds that a controller must rest before it can be learned again: one movement sends many messages."""

_log = logging.getLogger("vrnn_engine")


class Midi:
    """Steers a performance with the controllers (control change messages) of one MIDI device.

    Parameters
    ----------
    name : str
        The device's input port, or a part of its name; `virtual` or `virtual:NAME` opens a port that other programs
        connect to.
    bindings : MidiMap
        States which controller sets which control.
    learn : sequence of str
        Controls (CONTROL or CONTROL/INDEX) to bind, in this order, to the controllers that are moved next.
    inputs : Inputs, optional
        The inputs in which to look for the device; by default the MIDI inputs of this machine.
    """

    def __init__(self, name: str, bindings: MidiMap, learn: Sequence[str] = (), inputs: Inputs | None = None) -> None:
        self._name = name
        self._inputs = inputs
        self._map = bindings
        self._learn = tuple(learn)
        self._wanted: collections.deque[str] = collections.deque()
        self._learned: tuple[tuple[int, int], float] = ((0, 0), 0.0)
        """The last learned controller, and the time of its last movement."""
        self._errors = RateLimitedLog(interval=10.0)
        self._stopped = threading.Event()
        self._port: Port | None = None
        self._thread = threading.Thread(target=self._run, name="vrnn-engine midi", daemon=True)

    def start(self, performance: Steerable) -> None:
        """Open the port and start to steer.

        Parameters
        ----------
        performance : Steerable

        Raises
        ------
        SourceError
            No such port exists, or this machine has no MIDI.
        ControlError
            A control to learn does not exist.
        """
        self._performance = performance
        for target in self._learn:
            performance.controls.resolve(target)
        self._available = self._inputs or SystemInputs()
        scheme, _, own_name = self._name.partition(":")
        self._is_virtual = scheme == VIRTUAL
        if self._is_virtual:
            self._port = self._available.open(own_name or "vrnn-engine", virtual=True)
            _log.info("MIDI: opened the port %r for other programs", self._port.name)
        else:
            names = self._available.names()
            if (found := self._find(names)) is None:
                hint = suggest(self._name, names, "there are")
                raise SourceError(f"no MIDI input's name contains {self._name!r}{hint}")
            self._port = self._available.open(found)
            _log.info("MIDI: %s", found)
        for target in self._learn:
            self.learn(target)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and close the port."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._close()
        self._errors.flush()

    def learn(self, target: str) -> None:
        """Bind a control to the controller that is moved next.

        Parameters
        ----------
        target : str
            CONTROL or CONTROL/INDEX.

        Raises
        ------
        ControlError
            There is no such control or dimension.
        """
        self._performance.controls.resolve(target)
        self._wanted.append(target)
        if len(self._wanted) == 1:
            _log.info("MIDI: move the controller for %s", target)

    def _run(self) -> None:
        # Runs in the MIDI thread.
        looked = time.monotonic()
        while not self._stopped.wait(READ_INTERVAL):
            while self._port is not None and (message := self._port.poll()) is not None:
                self._handle(message)
            if not self._is_virtual and time.monotonic() - looked > LOOK_INTERVAL:
                self._check_connection()
                looked = time.monotonic()

    def _handle(self, message: Any) -> None:
        if message.type != "control_change":
            return
        key = (message.channel + 1, message.control)
        try:
            if self._wanted:
                self._bind_next(key)
            binding = self._map.bindings.get(key)
            if binding is not None and binding.control in self._performance.controls:
                spec = self._performance.controls.specs[binding.control]
                self._performance.send(binding.event(message.value, spec))
        except Exception as error:  # noqa: BLE001 - one message must not end the thread
            self._errors.warn(f"MIDI: controller {key[1]} of channel {key[0]}: {describe_error(error)}")

    def _bind_next(self, key: tuple[int, int]) -> None:
        """Bind the next waiting control to a controller, unless this still is the movement that it was learned by."""
        learned, last = self._learned
        now = time.monotonic()
        if key == learned and now - last < GESTURE_GAP:
            self._learned = (key, now)
            return
        target = self._wanted.popleft()
        control, index = self._performance.controls.resolve(target)
        self._learned = (key, now)
        _log.info("MIDI: controller %d of channel %d now sets %s", key[1], key[0], target)
        try:
            self._map.bind(Binding(channel=key[0], cc=key[1], control=control, index=index))
        except SourceError as error:
            _log.warning("MIDI: %s", error)
        if self._wanted:
            _log.info("MIDI: move the controller for %s", self._wanted[0])

    def _check_connection(self) -> None:
        """Close the port if the device was unplugged; open the port if the device was plugged in again."""
        names = self._available.names()
        if self._port is not None and self._port.name not in names:
            self._close()
            _log.warning("MIDI: %s was unplugged; waiting for it to come back", self._name)
        elif self._port is None and (found := self._find(names)) is not None:
            try:
                self._port = self._available.open(found)
                _log.info("MIDI: %s is back", found)
            except SourceError as error:
                self._errors.warn(f"MIDI: {error}")

    def _find(self, names: Sequence[str]) -> str | None:
        """Return the first port whose name contains the wanted name, ignoring case."""
        return next((name for name in names if self._name.lower() in name.lower()), None)

    def _close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()
