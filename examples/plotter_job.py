"""Write a page of handwriting as SVG for preview, then draw the same page on a pen plotter.

    python examples/plotter_job.py PORT [LINES] [SEED]        e.g. /dev/ttyUSB0, a Grbl machine with A5 paper

The seed determines the page, so the preview shows what will be drawn.  Ctrl-C lifts the pen and parks it.
"""

import secrets
import sys

from vrnn_engine import Engine, Player, Stream, VRNNEngineError

PAPER = "width=148&height=210&margin=12"
"""Size in millimetres."""
MACHINE = "format=gcode&down=M3 S90&up=M5&feed=1500"
PREVIEW = "page.svg"
SECONDS_PER_LINE = 14


def main(port: str, lines: str = "8", seed: str = "") -> int:
    """Write the page to a file and to the plotter; return the exit status."""
    number = int(seed) if seed else secrets.randbits(16)
    engine = Engine.load("handwriting")
    seconds = SECONDS_PER_LINE * int(lines)

    def start_page() -> Stream:
        stream = engine.stream(number)
        stream.controls["output.temperature"] = 0.6  # less jitter, which a plotter would show
        return stream

    with Player(start_page(), to=f"{PREVIEW}?{PAPER}", seconds=seconds) as player:
        player.wait()
    print(f"seed {number}: see {PREVIEW}" + (" (the page is full)" if player.full else ""))
    try:
        with Player(start_page(), to=f"serial:{port}?{MACHINE}&{PAPER}", seconds=seconds) as player:
            while not player.wait(timeout=1.0):
                print(f"\r{player.seconds_played:5.0f} s of {seconds} drawn", end="", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstopped: the pen is up and parked")
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
