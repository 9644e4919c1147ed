"""Draw handwriting in a game loop while it is generated, steered by the mouse.

    pip install pygame-ce
    python examples/pygame_loop.py [VOICE] [SECONDS]

Move the mouse up for calm writing and down for wild writing; Space begins a new line, Escape ends.  In each iteration
the loop reads as many points as the pen makes between two pictures, so it neither blocks nor falls behind.
"""

import sys

import pygame

from vrnn_engine import Engine

SIZE = WIDTH, HEIGHT = 900, 500
MARGIN, LINE = 40, 70
PIXELS_PER_MM = 3.0
PICTURES_PER_SECOND = 30
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
    pictures_left = float(seconds) * PICTURES_PER_SECOND
    while pictures_left > 0:
        pictures_left -= 1
        for event in pygame.event.get():
            if event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE):
                pictures_left = 0
            elif event.type == pygame.KEYDOWN and event.key == pygame.K_SPACE:
                x = WIDTH
        stream.controls["output.temperature"] = pygame.mouse.get_pos()[1] / HEIGHT
        due += stream.voice.manifest.rate / PICTURES_PER_SECOND
        for dx, dy, up in stream.read(int(due)):
            before = x, y
            x, y = x + PIXELS_PER_MM * float(dx), y + PIXELS_PER_MM * float(dy)
            if down:
                pygame.draw.line(screen, INK, before, (x, y), 2)
            down = not up
            points += 1
            if up and x > WIDTH - MARGIN:  # begin a new line, between two strokes
                x, line = float(MARGIN), line + LINE
                if line > HEIGHT - MARGIN:
                    screen.fill(PAPER)
                    line = float(MARGIN + LINE)
                y = line
        due -= int(due)
        pygame.display.flip()
        clock.tick(PICTURES_PER_SECOND)
    pygame.quit()
    print(f"{points} points")


if __name__ == "__main__":
    main(*sys.argv[1:])
