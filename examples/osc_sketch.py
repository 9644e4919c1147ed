"""A stream steered from another program by OSC; what SuperCollider or Max would send (see osc_sketch.scd).

    vrnn-engine stream --voice blizzard --seconds inf --osc 9000 &
    python examples/osc_sketch.py [PORT] [SECONDS]

It lets the voice whisper and sing in turn, keeps a moment at the beginning and goes back there at the end, and draws
the level that it is told.
"""

import sys
import time

from pythonosc.udp_client import DispatchClient

BREATH = 1.0
"""Seconds between a whisper and a tone."""


def main(port: str = "9000", seconds: str = "8") -> None:
    """Steer it, and listen to what it says of itself."""
    told: list[float] = []
    client = DispatchClient("127.0.0.1", int(port))
    client.dispatcher.map("/level", lambda address, level: told.append(level))
    client.dispatcher.map("/error", lambda address, why: print(f"refused: {why}"))

    client.send_message("/snapshot", "the beginning")
    end = time.monotonic() + float(seconds)
    voicing = 1.0
    while time.monotonic() < end:
        voicing = -6.0 if voicing > 0 else 1.0
        client.send_message("/ramp/output.voicing", [BREATH, voicing])
        turn = time.monotonic() + BREATH
        while time.monotonic() < turn:
            client.handle_messages(timeout=0.01)  # until it is silent for so long
        if told:
            print(f"{told[-1]:6.1f} dB {'#' * max(0, round(told[-1] + 60))}")
    client.send_message("/restore", "the beginning")
    client.handle_messages(timeout=0.01)
    print(f"told {len(told)} levels")


if __name__ == "__main__":
    main(*sys.argv[1:])
