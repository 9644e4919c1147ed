"""A page of handwriting for a pen plotter: looked at first, then drawn, one page each.

    python examples/plotter_job.py PORT [LINES] [SEED]        e.g. /dev/ttyUSB0, a Grbl machine with A5 paper

The pen's seed makes the page: the SVG that is written first is what will be drawn.  Ctrl-C lifts the pen and parks it.
"""

import secrets
import sys

from vrnn_engine import Engine, Player, Stream, VRNNEngineError

PAPER = "width=148&height=210&margin=12"
"""Millimetres."""
MACHINE = "format=gcode&down=M3 S90&up=M5&feed=1500"
PREVIEW = "page.svg"
SECONDS_A_LINE = 14


def main(port: str, lines: str = "8", seed: str = "") -> int:
    """Write the page twice, the second time with ink."""
    number = int(seed) if seed else secrets.randbits(16)
    engine = Engine.load("handwriting")
    seconds = SECONDS_A_LINE * int(lines)

    def page() -> Stream:
        stream = engine.stream(number)
        stream.controls["output.temperature"] = 0.6  # a calm hand: a plotter shows every tremor
        return stream

    with Player(page(), to=f"{PREVIEW}?{PAPER}", seconds=seconds) as player:
        player.wait()
    print(f"seed {number}: look at {PREVIEW}" + (", whose page is full" if player.full else ""))
    try:
        with Player(page(), to=f"serial:{port}?{MACHINE}&{PAPER}", seconds=seconds) as player:
            while not player.wait(timeout=1.0):
                print(f"\r{player.seconds_played:5.0f} s of {seconds} drawn", end="", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstopped: the pen is up, and parked")
        return 130
    except VRNNEngineError as error:
        print(f"\n{error}")
        return 1
    print("\nthe page is full" if player.full else "\ndrawn")
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
