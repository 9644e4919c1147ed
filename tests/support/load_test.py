"""Load test: sends a thousand control changes a second by OSC or MIDI, and counts those that are lost or late."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from support.steered import TimedPerformance
from vrnn_engine import SourceError
from vrnn_engine.runtime.live.control.midi_map import Binding, MidiMap

HEAT, SHIFT = "output.temperature", "latent.shift"
BY_OSC = [(HEAT, None), ("latent.temperature", None), (SHIFT, 0), (SHIFT, 2), (SHIFT, 3)]
"""The targets of the changes by OSC: a control and its dimension."""
UNIT = 2**-17
"""The value of a change is its number times this: exact in 32 bits, and in the range of every control."""
BY_MIDI = [(HEAT, None), (SHIFT, 0), (SHIFT, 3)]
"""What the MIDI controllers 1, 2 and 3 turn: a control and its dimension."""
KNOBS = "Knobs 20:0"

# Runs in a process of its own: changes each target in turn; prints when each change was sent.
_SEND = """
import json, sys, time
from pythonosc.udp_client import SimpleUDPClient
port, count, unit, *targets = json.loads(sys.argv[1])
client, sent, start = SimpleUDPClient("127.0.0.1", port), [], time.monotonic()
for number in range(count):
    time.sleep(max(0.0, start + number / 1000 - time.monotonic()))
    client.send_message(targets[number % len(targets)], number * unit)
    sent.append(time.monotonic())
print(json.dumps(sent))
"""


def send_osc(port: int, count: int) -> list[float]:
    """Send changes by python-osc's client; return when each was sent."""
    addresses = [f"/control/{name}" + ("" if index is None else f"/{index}") for name, index in BY_OSC]
    command = [sys.executable, "-c", _SEND, json.dumps([port, count, UNIT, *addresses])]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=30 + count / 250)
    sent: list[float] = json.loads(done.stdout)
    return sent


def count_lost_osc(performance: TimedPerformance, count: int) -> int:
    """Return how many of `count` changes did not take effect, or not in order."""
    lost = 0
    for place, target in enumerate(BY_OSC):
        found = [round(change.value / UNIT) for change in performance.changes(*target)]
        wanted = list(range(place, count, len(BY_OSC)))
        lost += sum(a != b for a, b in zip(found, wanted, strict=False)) + abs(len(found) - len(wanted))
    return lost


def move(out: Any, cc: int, value: int, channel: int = 0) -> None:
    """Move a MIDI controller."""
    import mido

    out.send(mido.Message("control_change", channel=channel, control=cc, value=value))


def send_midi(out: Any, count: int) -> list[float]:
    """Move the three controllers in turn; return when each change was sent."""
    sent, start = [], time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, start + number / 1000 - time.monotonic()))
        move(out, 1 + number % 3, number // 3 % 128)
        sent.append(time.monotonic())
    return sent


def count_lost_midi(performance: TimedPerformance, count: int) -> int:
    """Return how many of `count` changes did not take effect, or not in order."""
    lost = 0
    for place, (name, index) in enumerate(BY_MIDI):
        spec = performance.controls.specs[name]
        found = [
            round((change.value - spec.minimum) / (spec.maximum - spec.minimum) * 127, 3)
            for change in performance.changes(name, index)
        ]
        wanted = [number % 128 for number in range(len(range(place, count, 3)))]
        lost += sum(a != b for a, b in zip(found, wanted, strict=False)) + abs(len(found) - len(wanted))
    return lost


def bind_controllers(bindings: MidiMap) -> None:
    """Bind the three controllers."""
    for cc, (control, index) in enumerate(BY_MIDI, start=1):
        bindings.bind(Binding(channel=1, cc=cc, control=control, index=index))


class LoopbackInputs:
    """MIDI inputs without devices: a message sent to one of mido's echo ports can be read from it."""

    def __init__(self) -> None:
        self.plugged = ["Through 14:0", KNOBS]

    def names(self) -> list[str]:
        """Return the names of the inputs."""
        return list(self.plugged)

    def open(self, name: str, virtual: bool = False) -> Any:
        """Open a port and keep it as `port`; its `waiting` is the number of messages not read yet."""
        from mido.ports import EchoPort

        class CountingPort(EchoPort):
            @property
            def waiting(self) -> int:
                return len(self._messages)

        if not virtual and name not in self.plugged:
            raise SourceError(f"cannot open the MIDI port {name!r}")
        self.port = CountingPort(name)
        return self.port


def lateness(
    performance: TimedPerformance, targets: Sequence[tuple[str, int | None]], sent: Sequence[float]
) -> list[float]:
    """Return for each change how many frames it was late; 0 means in the next frame."""
    found: list[float] = []
    for place, target in enumerate(targets):
        found += performance.lateness(performance.changes(*target), sent[place :: len(targets)]).tolist()
    return found
