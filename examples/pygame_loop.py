"""A pen in a game loop: handwriting drawn as it is written, steered by the mouse.

    pip install pygame-ce
    python examples/pygame_loop.py [VOICE] [SECONDS]

Move the mouse up for a calm hand, down for a wild one; space begins a new line, Escape ends.  The loop asks for as many
points as the pen makes between two pictures, so that it is neither blocked nor behind.
"""

import sys

import pygame

from vrnn_engine import Engine

SIZE = WIDTH, HEIGHT = 900, 500
MARGIN, LINE = 40, 70
PIXELS = 3.0
"""For a millimetre."""
PICTURES = 30
"""A second."""
PAPER, INK = (250, 248, 240), (20, 30, 90)


def main(voice: str = "handwriting", seconds: str = "inf") -> None:
    """Write until the window is closed."""
    stream = Engine.load(voice).stream()
    pygame.init()
    screen, clock = pygame.display.set_mode(SIZE), pygame.time.Clock()
    pygame.display.set_caption(f"{voice}, seed {stream.seed}")
    screen.fill(PAPER)
    x, y, down, due, points = float(MARGIN), float(MARGIN + LINE), False, 0.0, 0
    line = y
    most = float(seconds) * PICTURES
    while most > 0:
        most -= 1
        for event in pygame.event.get():
            if event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE):
                most = 0
            elif event.type == pygame.KEYDOWN and event.key == pygame.K_SPACE:
                x = WIDTH
        stream.controls["output.temperature"] = pygame.mouse.get_pos()[1] / HEIGHT
        due += stream.voice.manifest.rate / PICTURES
        for dx, dy, up in stream.read(int(due)):
            before = x, y
            x, y = x + PIXELS * float(dx), y + PIXELS * float(dy)
            if down:
                pygame.draw.line(screen, INK, before, (x, y), 2)
            down = not up
            points += 1
            if up and x > WIDTH - MARGIN:  # between two strokes: a new line
                x, line = float(MARGIN), line + LINE
                if line > HEIGHT - MARGIN:
                    screen.fill(PAPER)
                    line = float(MARGIN + LINE)
                y = line
        due -= int(due)
        pygame.display.flip()
        clock.tick(PICTURES)
    pygame.quit()
    print(f"{points} points")


if __name__ == "__main__":
    main(*sys.argv[1:])
