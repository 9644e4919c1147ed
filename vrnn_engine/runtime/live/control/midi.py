"""Steering by the controllers of a MIDI device, which are learnt by moving them.

One thread reads the device, asks the performance, and looks whether the device is still there.
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
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.rate_limited_log import RateLimitedLog, describe_error

VIRTUAL = "virtual"
READ = 0.004
"""Seconds between two looks for messages."""
LOOK = 1.0
"""Seconds between two looks for the device."""
GESTURE = 1.0
"""Seconds that a controller rests before it can be learnt once more: moved once, it sends many messages."""

_log = logging.getLogger("vrnn_engine")


class Midi:
    """Turns controls by the controllers of one device.

    Parameters
    ----------
    name : str
        Of the device's input port, or a part of it; `virtual` or `virtual:NAME` opens a port for others to connect to.
    bindings : MidiMap
        What turns what.
    learn : sequence of str
        Controls (CONTROL or CONTROL/INDEX) to bind, in this order, to the controllers that are moved next.
    inputs : Inputs, optional
        Where the device is; this machine if not given.
    """

    def __init__(self, name: str, bindings: MidiMap, learn: Sequence[str] = (), inputs: Inputs | None = None) -> None:
        self._name = name
        self._inputs = inputs
        self._map = bindings
        self._learn = tuple(learn)
        self._wanted: collections.deque[str] = collections.deque()
        self._learnt: tuple[tuple[int, int], float] = ((0, 0), 0.0)
        self._trouble = RateLimitedLog(interval=10.0)
        self._stopped = threading.Event()
        self._port: Port | None = None
        self._thread = threading.Thread(target=self._run, name="vrnn-engine midi", daemon=True)

    def start(self, performance: Performance) -> None:
        """Open the port.

        Raises
        ------
        SourceError
            There is no such port, or no MIDI at all.
        ControlError
            What is to be learnt is no control of the voice.
        """
        self._performance = performance
        for target in self._learn:
            performance.controls.find(target)
        self._here = self._inputs or SystemInputs()
        is_virtual, _, own = self._name.partition(":")
        self._is_virtual = is_virtual == VIRTUAL
        if self._is_virtual:
            self._port = self._here.open(own or "vrnn-engine", virtual=True)
            _log.info("MIDI: others can connect to the port %r", self._port.name)
        else:
            names = self._here.names()
            if (found := self._find(names)) is None:
                hint = suggest(self._name, names, "there are")
                raise SourceError(f"no MIDI input is called {self._name!r}{hint}")
            self._port = self._here.open(found)
            _log.info("MIDI: %s", found)
        for target in self._learn:
            self.learn(target)
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._close()
        self._trouble.flush()

    def learn(self, target: str) -> None:
        """Bind CONTROL or CONTROL/INDEX to the controller that is moved next; raise `ControlError` if it is none."""
        self._performance.controls.find(target)
        self._wanted.append(target)
        if len(self._wanted) == 1:
            _log.info("MIDI: move the controller for %s", target)

    def _run(self) -> None:
        # The thread.
        looked = time.monotonic()
        while not self._stopped.wait(READ):
            while self._port is not None and (message := self._port.poll()) is not None:
                self._hear(message)
            if not self._is_virtual and time.monotonic() - looked > LOOK:
                self._look()
                looked = time.monotonic()

    def _hear(self, message: Any) -> None:
        if message.type != "control_change":
            return
        key = (message.channel + 1, message.control)
        try:
            if self._wanted:
                self._try_to_learn(key)
            binding = self._map.bindings.get(key)
            if binding is not None and binding.control in self._performance.controls:
                spec = self._performance.controls.specs[binding.control]
                self._performance.send(binding.event(message.value, spec))
        except Exception as error:  # noqa: BLE001 - one message may not be the end of all others
            self._trouble.warn(f"MIDI: controller {key[1]} of channel {key[0]}: {describe_error(error)}")

    def _try_to_learn(self, key: tuple[int, int]) -> None:
        learnt, last = self._learnt
        now = time.monotonic()
        if key == learnt and now - last < GESTURE:
            self._learnt = (key, now)
            return
        target = self._wanted.popleft()
        control, index = self._performance.controls.find(target)
        self._learnt = (key, now)
        _log.info("MIDI: controller %d of channel %d turns %s from now on", key[1], key[0], target)
        try:
            self._map.bind(Binding(channel=key[0], cc=key[1], control=control, index=index))
        except SourceError as error:
            _log.warning("MIDI: %s", error)
        if self._wanted:
            _log.info("MIDI: move the controller for %s", self._wanted[0])

    def _look(self) -> None:
        """Let go of a device that was unplugged, and open one that is back."""
        names = self._here.names()
        if self._port is not None and self._port.name not in names:
            self._close()
            _log.warning("MIDI: %s was unplugged; it is looked for", self._name)
        elif self._port is None and (found := self._find(names)) is not None:
            try:
                self._port = self._here.open(found)
                _log.info("MIDI: %s is back", found)
            except SourceError as error:
                self._trouble.warn(f"MIDI: {error}")

    def _find(self, names: Sequence[str]) -> str | None:
        """Return the first port whose name contains the one that is wanted."""
        return next((name for name in names if self._name.lower() in name.lower()), None)

    def _close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()
