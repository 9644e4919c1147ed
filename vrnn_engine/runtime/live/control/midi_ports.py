"""The MIDI inputs of the system: who is there, and reading one of them when asked.

By python-rtmidi itself, not by mido's ports, which have it call Python from its own thread.  It closes a port, or opens
another one, with Python's lock in its hand and waits for that thread; which waits for the lock if a message comes just
then.
"""

from typing import Any, Protocol

from vrnn_engine.errors import SourceError


class Port(Protocol):
    """An open input."""

    name: str

    def poll(self) -> Any:
        """Return the next message, as mido has it, or None."""

    def close(self) -> None:
        """Read no more."""


class Inputs(Protocol):
    """All inputs of a system."""

    def names(self) -> list[str]:
        """Return the names of those that are there."""

    def open(self, name: str, virtual: bool = False) -> Port:
        """Open one, or make one that others connect to; raise `SourceError` if that cannot be."""


class SystemInputs:
    """Those of this machine.

    Raises
    ------
    SourceError
        It has no MIDI.
    """

    def __init__(self) -> None:
        import rtmidi

        reasons = []
        for self._api in rtmidi.get_compiled_api():  # on Linux ALSA, then JACK
            try:
                self._looking = rtmidi.MidiIn(self._api, name="vrnn-engine")
                return
            except rtmidi.RtMidiError as error:
                reasons.append(str(error))
        raise SourceError("there is no MIDI here: " + "; ".join(reasons))

    def names(self) -> list[str]:
        """Return the names of those that are there."""
        import rtmidi

        try:
            return list(self._looking.get_ports())
        except rtmidi.RtMidiError:  # the system's MIDI went, with all that was in it
            return []

    def open(self, name: str, virtual: bool = False) -> Port:
        """Open one, or make one that others connect to; raise `SourceError` if that cannot be."""
        import rtmidi

        try:
            device = rtmidi.MidiIn(self._api, name="vrnn-engine")
            if virtual:
                device.open_virtual_port(name)
            else:
                device.open_port(device.get_ports().index(name), name="vrnn-engine")
        except (rtmidi.RtMidiError, ValueError) as error:
            raise SourceError(f"cannot open the MIDI port {name!r}: {error}") from error
        return _SystemPort(name, device)


class _SystemPort:
    def __init__(self, name: str, device: Any) -> None:
        self.name = name
        self._device = device

    def poll(self) -> Any:
        from mido import Message

        while (found := self._device.get_message()) is not None:
            try:
                return Message.from_bytes(found[0])
            except ValueError:  # none that is known
                continue
        return None

    def close(self) -> None:
        self._device.close_port()
