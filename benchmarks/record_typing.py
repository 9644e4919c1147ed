"""Records a terminal in which `vrnn-engine write --live` writes what is typed, as an animated SVG.

    pip install pyte
    python benchmarks/record_typing.py typing.svg --seed 12 --text "thank you"

The command runs in a pseudo-terminal.  The keys are typed at the speed of a person, and pyte, an emulator of a
terminal, says what the screen shows at each time.  Braille characters become dots, because fonts draw them differently.
"""

import argparse
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

Mark = tuple[int, int, str]
"""Row, column, and what is drawn there: the number of a braille dot, or `text ` and the text from there on."""
Shown = tuple[float, float]
"""First second, and the second after the last, in which a mark is on the screen."""

CELL = (8, 16)
"""Width and height of a character in px."""
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each dot of a braille character, in the order of its bits."""
BRAILLE = 0x2800
STEP = 0.15
"""Seconds between two pictures."""
REST = 3.0
"""Seconds that the last picture stays."""
FIRST_KEY = 1.0
"""Seconds from the first picture to the first key."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--text", required=True, help="what is typed; \\n is Enter, \\b is Backspace")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--columns", type=int, default=80)
    parser.add_argument("--rows", type=int, default=24)
    options = parser.parse_args()
    command = [sys.executable, "-m", "vrnn_engine", "write", "--live", "--to", "terminal"]
    command += [f"--seed={options.seed}", f"--temperature={options.temperature}"]
    keys = options.text.replace("\\n", "\r").replace("\\b", "\x7f") + "\x04"
    pictures = list(record(command, keys, options.columns, options.rows))
    options.out.write_text(animate(pictures, options.columns, options.rows))
    print(f"{options.out}: {len(pictures) * STEP:.0f} s, {options.out.stat().st_size / 1000:.0f} KB")


def record(command: list[str], keys: str, columns: int, rows: int) -> Iterator[set[Mark]]:
    """Run a command in a terminal while keys are typed; yield what the screen shows, every STEP seconds."""
    import pyte

    process, mine = pty.fork()
    if process == 0:
        os.execvpe(command[0], command, {**os.environ, "TERM": "xterm-256color"})
    fcntl.ioctl(mine, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    waiting: list[tuple[float, str]] = []
    start = due = 0.0
    while True:
        if select.select([mine], [], [], max(due - time.monotonic(), 0.0) if start else STEP)[0]:
            try:
                stream.feed(os.read(mine, 65536))
            except OSError:  # the command has ended
                break
            if not start:
                start = due = time.monotonic()
                waiting = typing_times(keys, start + FIRST_KEY)
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            os.write(mine, waiting.pop(0)[1].encode())
        if start and now >= due:
            yield marks(screen.display)
            due += STEP
    yield marks(screen.display)
    if os.waitpid(process, 0)[1] != 0:
        sys.exit(f"the command failed: {' '.join(''.join(screen.display).split())}")


def typing_times(keys: str, start: float) -> list[tuple[float, str]]:
    """Return when each key is pressed: after about 0.2 s, and after a longer pause at the end of a line."""
    pauses = np.random.default_rng(0).gamma(6.0, 0.2 / 6.0, len(keys))
    pauses += [1.0 if key in "\r\x04" else 0.0 for key in keys]
    return list(zip((start + np.cumsum(pauses)).tolist(), keys, strict=True))


def marks(display: list[str]) -> set[Mark]:
    """Return the braille dots, and the other text of each row, of a screen."""
    found = set()
    for row, line in enumerate(display):
        for column, character in enumerate(line):
            bits = ord(character) - BRAILLE
            if 0 <= bits < 256:
                found |= {(row, column, str(dot)) for dot in range(8) if bits >> dot & 1}
        text = "".join(" " if BRAILLE <= ord(character) < BRAILLE + 256 else character for character in line)
        if text.strip():
            found.add((row, 0, f"text {text.rstrip()}"))
    return found


def animate(pictures: list[set[Mark]], columns: int, rows: int) -> str:
    """Return an SVG in which each mark is visible as long as it was on the screen; it repeats.

    Viewers without animations show the last picture.
    """
    times = np.arange(len(pictures)) * STEP
    end = times[-1] + REST
    groups: dict[Shown, list[Mark]] = {}
    since: dict[Mark, float] = {}
    for before, picture, now in zip([set(), *pictures], [*pictures, set()], [*times, end], strict=True):
        for mark in sorted(before - picture):
            groups.setdefault((since.pop(mark), now), []).append(mark)
        since |= dict.fromkeys(picture - before, now)
    width, height = CELL[0] * columns, CELL[1] * rows
    styles, bodies = [], []
    for number, ((first, last), group) in enumerate(sorted(groups.items())):
        name, last_picture = f"a{number}", last == end
        styles.append(
            f"@keyframes {name}{{0%{{opacity:{int(first == 0)}}}"
            + (f"{100 * first / end:.2f}%{{opacity:1}}" if first > 0 else "")
            + ("" if last_picture else f"{100 * last / end:.2f}%{{opacity:0}}")
            + "}"
        )
        hidden = "" if last_picture else "opacity:0;"
        bodies.append(f'<g style="{hidden}animation-name:{name}">{draw(group)}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -12 {width + 24} {height + 24}" width="{width + 24}">\n'
        "<title>vrnn-engine write --live</title>\n"
        f"<style>\ng g{{animation:{end:.1f}s step-end infinite}}\n{chr(10).join(styles)}\n"
        "@media(prefers-reduced-motion:reduce){g{animation:none!important}}\n</style>\n"
        f'<rect x="-12" y="-12" width="{width + 24}" height="{height + 24}" rx="8" fill="#16181d"/>\n'
        '<g fill="none" stroke="#e8e6df" stroke-width="2.4" stroke-linecap="round"'
        ' font-family="monospace" font-size="13">\n' + "\n".join(bodies) + "\n</g>\n</svg>\n"
    )


def draw(group: list[Mark]) -> str:
    """Return a path of dots, and the texts."""
    dots, texts = [], []
    for row, column, what in group:
        if what.startswith("text "):
            text = escape(what.removeprefix("text "))
            length = CELL[0] * len(what.removeprefix("text "))
            texts.append(
                f'<text xml:space="preserve" x="0" y="{CELL[1] * row + 12}" textLength="{length}" fill="#8fa3b8"'
                f' stroke="none">{text}</text>'
            )
        else:
            x, y = DOTS[int(what)]
            dots.append((CELL[0] * column + 4 * x + 2, CELL[1] * row + 4 * y + 2))
    path, before = "", (0, 0)
    for dot in sorted(dots):
        path += f"m{dot[0] - before[0]} {dot[1] - before[1]}h0"
        before = dot
    return (f'<path d="{path}"/>' if dots else "") + "".join(texts)


if __name__ == "__main__":
    main()
