"""Lists the MIDI inputs of this machine, and reads messages from one.

It uses python-rtmidi directly, because the ports of mido can deadlock.  They let python-rtmidi call Python from its own
thread.  Opening or closing a port waits for that thread while holding the GIL, and the thread waits for the GIL if a
message arrives at that time.
"""

from typing import Any, Protocol

from vrnn_engine.errors import SourceError


class Port(Protocol):
    """An open MIDI input."""

    name: str

    def poll(self) -> Any:
        """Return the next message, a `mido.Message`; None if there is none."""

    def close(self) -> None:
        """Close the input."""


class Inputs(Protocol):
    """The MIDI inputs of a system."""

    def names(self) -> list[str]:
        """Return the names of the connected inputs."""

    def open(self, name: str, virtual: bool = False) -> Port:
        """Open an input, or a virtual input that other programs connect to; raise `SourceError` if that fails."""


class SystemInputs:
    """The MIDI inputs of this machine.

    Raises
    ------
    SourceError
        This machine has no MIDI system.
    """

    def __init__(self) -> None:
        import rtmidi

        reasons = []
        for self._api in rtmidi.get_compiled_api():  # on Linux: ALSA, JACK
            try:
                self._lister = rtmidi.MidiIn(self._api, name="vrnn-engine")
                return
            except rtmidi.RtMidiError as error:
                reasons.append(str(error))
        raise SourceError("this machine has no MIDI system: " + "; ".join(reasons))

    def names(self) -> list[str]:
        """Return the names of the inputs that are connected."""
        import rtmidi

        try:
            return list(self._lister.get_ports())
        except rtmidi.RtMidiError:  # the MIDI system has stopped
            return []

    def open(self, name: str, virtual: bool = False) -> Port:
        """Open an input, or make a virtual one that other programs connect to; raise `SourceError` if it fails."""
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
            except ValueError:  # an unknown kind of message
                continue
        return None

    def close(self) -> None:
        self._device.close_port()
