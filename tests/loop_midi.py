"""A mido backend without devices: what goes to an output comes in at the inputs of its name, in the sender's thread."""

from typing import Any

from mido import Message, ports

plugged: list[str] = []
"""Names of the devices there are; a test plugs them in and out."""
_open: list["Input"] = []


def get_devices(**options: Any) -> list[dict[str, Any]]:
    return [{"name": name, "is_input": True, "is_output": True} for name in plugged]


class Input(ports.BaseInput):
    def _open(self, virtual: bool = False, callback: Any = None, **options: Any) -> None:
        if not virtual and self.name not in plugged:
            raise OSError(f"unknown port {self.name!r}")
        self.callback = callback
        _open.append(self)

    def _close(self) -> None:
        _open.remove(self)


class Output(ports.BaseOutput):
    def _send(self, message: Message) -> None:
        for port in list(_open):
            if port.name == self.name:
                port.callback(message)
