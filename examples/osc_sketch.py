"""Steer a stream from another program by OSC, as SuperCollider or Max would (see osc_sketch.scd).

    vrnn-engine stream --voice blizzard --seconds inf --osc 9000 &
    python examples/osc_sketch.py [PORT] [SECONDS]

The sketch alternates between whispering and voiced speech, saves the state at the beginning and restores it at the
end, and prints a bar for each level that the stream reports.
"""

import sys
import time

from pythonosc.udp_client import DispatchClient

INTERVAL = 1.0
"""Seconds between two changes."""


def main(port: str = "9000", seconds: str = "8") -> None:
    """Send changes, and print the levels that come back."""
    levels: list[float] = []
    client = DispatchClient("127.0.0.1", int(port))
    client.dispatcher.map("/level", lambda address, level: levels.append(level))
    client.dispatcher.map("/error", lambda address, reason: print(f"refused: {reason}"))

    client.send_message("/snapshot", "the beginning")
    end = time.monotonic() + float(seconds)
    voicing = 1.0
    while time.monotonic() < end:
        voicing = -6.0 if voicing > 0 else 1.0
        client.send_message("/ramp/output.voicing", [INTERVAL, voicing])
        next_change = time.monotonic() + INTERVAL
        while time.monotonic() < next_change:
            client.handle_messages(timeout=0.01)  # returns when no message has come for 0.01 s
        if levels:
            print(f"{levels[-1]:6.1f} dB {'#' * max(0, round(levels[-1] + 60))}")
    client.send_message("/restore", "the beginning")
    client.handle_messages(timeout=0.01)
    print(f"received {len(levels)} levels")


if __name__ == "__main__":
    main(*sys.argv[1:])
