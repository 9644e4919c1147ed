"""Makes texts with many digits, capitals and signs, of which running text has few."""

from collections.abc import Sequence

import numpy as np

MOST = 40
"""Most characters of a text from which a line is pieced together."""


def make_text(rng: np.random.Generator, rare: str, words: Sequence[str]) -> str:
    """Return a sum, a date, a price, a telephone number, a code, capitals, or words with signs.

    Parameters
    ----------
    rng : Generator
        Draws the text.
    rare : str
        Signs that occur in many of the texts.
    words : sequence of str
        Words of the texts.

    Returns
    -------
    str
        The text; it may be longer than `MOST`.
    """

    def digits(most: int) -> str:
        return str(rng.integers(10 ** int(rng.integers(1, most + 1))))

    def word() -> str:
        return words[int(rng.integers(len(words)))]

    def capitals(most: int) -> str:
        return "".join(rng.choice(list("ABCDEFGHIJKLMNOPQRSTUVWXYZQXZJKVW"), rng.integers(1, most + 1)))

    def sign() -> str:
        return str(rng.choice(list(rare)))

    kinds = [
        lambda: f"{digits(3)} {rng.choice(list('+-*/'))} {digits(3)} = {digits(4)}",
        lambda: f"{digits(2)} * ({digits(2)} + {digits(2)}) = {digits(3)}",
        lambda: f"{digits(2)}% of ${digits(3)}",
        lambda: f"${digits(3)}.{digits(2):0>2} + {digits(2)}%",
        lambda: f"({word()}) {sign()} [{word()}]",
        lambda: f"{word()} & {word()}{rng.choice(list('?!:;,.'))}",
        lambda: f"#{digits(3)} {capitals(3)} {sign()} {word()}",
        lambda: f"{word()}@{word()}.{word()[:3]}",
        lambda: (
            f"{rng.integers(1, 32)}/{rng.integers(1, 13)}/{rng.integers(1900, 2040)} {digits(2)}:{rng.integers(10, 60)}"
        ),
        lambda: f"<{word()}> {{{word()}}} {sign()}",
        lambda: f"{capitals(5)} {capitals(6)} {capitals(4)}",
        lambda: " ".join(word().upper() for _ in range(rng.integers(2, 5))),
        lambda: (
            f"{word().capitalize()} {capitals(1)}. {word().capitalize()}, {digits(4)} {word().capitalize()} {digits(5)}"
        ),
        lambda: " ".join(digits(4) for _ in range(rng.integers(3, 7))),
        lambda: f"{digits(3)}-{digits(3)}-{digits(4)} {digits(2)}.{digits(2)}",
        lambda: f"{capitals(4)}-{digits(4)} {sign()} {capitals(3)}{digits(3)}",
        lambda: f'"{word()}{rng.choice(list("?!"))}" {word()}\'s {word()}',
        lambda: " ".join(sign() + (sign() if rng.random() < 0.3 else "") for _ in range(rng.integers(3, 8))),
        lambda: f"{word()[:5]}{sign()}{word()[:5]} {sign()} {digits(3)}{sign()}",
    ]
    return str(kinds[rng.integers(len(kinds))]())
