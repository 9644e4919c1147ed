"""Piece lines together from single characters of a corpus, so that rare characters occur in many contexts.

python benchmarks/piece_lines.py runs/handwriting/best.pt unipen_lines.npz pieced.npz

The attention of a trained model tells which strokes draw which character.  A character whose strokes draw nothing else
is a glyph.  The new lines are sums, dates, prices, codes and words, written with glyphs of one session where it has
them, else of its contributor, else of any.  The output contains all lines of the corpus with their split, and the new
lines in the train split.  A checkpoint is then trained on it with `vrnn-engine train RECIPE --from CHECKPOINT`.
"""

import argparse
import collections
import itertools
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vrnn_engine.data.batches import Floats, split_by_hash
from vrnn_engine.data.options import PenData
from vrnn_engine.data.pen_files import load_npz
from vrnn_engine.data.text.corpus import TextCorpus
from vrnn_engine.models.families.text import TextVRNN
from vrnn_engine.training.checkpoint import load_checkpoint

OWN = 0.6
"""Smallest share of a stroke's attention on its character, and of a character's attention from its strokes; spaces do
not count."""
ENOUGH = 30
"""Of a character with more glyphs, only the clearest quarter is used, but at least this many."""
GAP, GAP_SPREAD = 1.1, 0.45
"""Distance of two glyphs in mm: median, and sd of its logarithm."""
SPACE, SPACE_SPREAD = 4.2, 0.3
"""The same for two words."""
UNIT = 2540.0
"""Points per inch of the new lines: their unit is 0.01 mm."""
ROWS = 32


class Glyph(NamedTuple):
    """The strokes of a character: points (x, y, pen-up) in mm, x from its left edge, y from the middle of its line.

    `clear` is the smaller of the shares that `OWN` limits.
    """

    points: NDArray[np.float64]
    clear: float
    session: str
    contributor: str


def find_glyphs(model: TextVRNN, corpus: TextCorpus) -> dict[str, list[Glyph]]:
    """Return the glyphs of each character in the training lines."""
    found: dict[str, list[Glyph]] = collections.defaultdict(list)
    lines, texts, sessions = (part["train"] for part in (corpus.lines, corpus.texts, corpus.writers))
    # Common characters are in every few lines; only lines with signs are all read.
    signs = {c for c in model.text.alphabet if not c.isalnum()} - set(" .,")
    chosen = [place for place, text in enumerate(texts) if place % 3 == 0 or signs & set(text)]
    order = sorted(chosen, key=lambda place: len(lines[place]))
    for places in _batched(order, ROWS):
        attention = _attention(model, corpus, [lines[p] for p in places], [texts[p] for p in places])
        for row, place in enumerate(places):
            ink, text = lines[place], texts[place]
            weight = attention[: len(ink), row, : len(text)]
            for character, points, clear in single_characters(ink, text, weight):
                found[character].append(Glyph(points, clear, sessions[place], sessions[place].split("/")[2]))
    return {character: _usual(glyphs) for character, glyphs in found.items()}


def _batched(values: list[int], count: int) -> list[list[int]]:
    return [values[i : i + count] for i in range(0, len(values), count)]


def _attention(model: TextVRNN, corpus: TextCorpus, inks: list[Floats], texts: list[str]) -> NDArray[np.float32]:
    """Return the attention before each point of the lines, [T, B, U]."""
    longest, widest = max(map(len, inks)), 1 + max(map(len, texts))
    frames, text = torch.zeros(longest, len(inks), 3), torch.zeros(len(inks), widest, dtype=torch.long)
    for row, (ink, characters) in enumerate(zip(inks, texts, strict=True)):
        moves = (ink[:, :2] - corpus.mean) / corpus.std
        frames[: len(ink), row] = torch.from_numpy(np.column_stack([moves, ink[:, 2]]).astype(np.float32))
        indices = corpus.indices(characters)
        text[row, : len(indices)] = torch.from_numpy(indices)
    noise = torch.zeros(longest, len(inks), model.config.latent_size)
    with torch.no_grad():
        attention = model.unroll(frames, noise, text=text).attention
    return np.concatenate([attention[:1], attention[:-1]])


def single_characters(
    ink: Floats, text: str, weight: NDArray[np.float32]
) -> list[tuple[str, NDArray[np.float64], float]]:
    """Return the characters of a line whose strokes draw nothing else, with their points and how clear they are."""
    path = np.cumsum(ink[:, :2], axis=0, dtype=np.float64)
    slope, middle = np.polyfit(path[:, 0], path[:, 1], 1)
    ends = np.flatnonzero(ink[:, 2] > 0.5) + 1
    bounds = [(a, b) for a, b in itertools.pairwise([0, *ends.tolist()]) if b > a]
    drawn = np.array([character != " " for character in text])
    spent = np.array([weight[a:b].sum(0) for a, b in bounds]) * drawn  # [strokes, characters]
    owner = spent.argmax(1)
    share = spent.max(1) / np.maximum(spent.sum(1), 1e-9)
    found = []
    for place, character in enumerate(text):
        mine = np.flatnonzero(owner == place)
        if not drawn[place] or not len(mine) or mine[-1] - mine[0] + 1 != len(mine):
            continue
        clear = min(share[mine].min(), spent[mine, place].sum() / spent[:, place].sum())
        if clear < OWN:
            continue
        a, b = bounds[mine[0]][0], bounds[mine[-1]][1]
        x, y = path[a:b, 0], path[a:b, 1]
        up = ink[a:b, 2].astype(np.float64)
        up[-1] = 1
        found.append((character, np.column_stack([x - x.min(), y - middle - slope * x, up]), float(clear)))
    return found


def _usual(glyphs: list[Glyph]) -> list[Glyph]:
    """Return the clearest glyphs, without those of unusual height, width or place."""
    glyphs = sorted(glyphs, key=lambda glyph: -glyph.clear)[: max(ENOUGH, len(glyphs) // 4)]
    boxes = np.array([[*np.ptp(g.points[:, :2], axis=0), g.points[:, 1].mean()] for g in glyphs])
    low, high = np.quantile(boxes, 0.1, axis=0) - 1.0, np.quantile(boxes, 0.9, axis=0) + 1.0
    return [g for g, box in zip(glyphs, boxes, strict=True) if ((box >= low) & (box <= high)).all()]


def make_text(rng: np.random.Generator, rare: str, words: list[str]) -> str:
    """Return a text with digits, capitals and rare characters."""

    def digits(most: int) -> str:
        return str(rng.integers(10 ** int(rng.integers(1, most + 1))))

    def word() -> str:
        return words[rng.integers(len(words))]

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


def write(text: str, glyphs: dict[str, list[Glyph]], session: Glyph, rng: np.random.Generator) -> Floats:
    """Return the ink (dx, dy, pen-up) of a text, in mm."""
    parts, right, space = [], 0.0, False
    wide = float(np.exp(0.15 * rng.standard_normal()))
    for character in text:
        if character == " ":
            space = True
            continue
        every = glyphs[character]
        near = [g for g in every if g.session == session.session]
        near = near or [g for g in every if g.contributor == session.contributor] or every
        points = near[rng.integers(len(near))].points.copy()
        middle, spread = (SPACE, SPACE_SPREAD) if space else (GAP, GAP_SPREAD)
        points[:, 0] += right + (wide * middle * np.exp(spread * rng.standard_normal()) if parts else 0.0)
        right, space = points[:, 0].max(), False
        parts.append(points)
    whole = np.concatenate(parts)
    whole[:, :2] = np.diff(whole[:, :2], axis=0, prepend=whole[:1, :2])
    return whole.astype(np.float32)


def main() -> None:
    """Find the glyphs, piece lines together, and write all lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lines", type=int, default=1200, help="number of new lines (default: %(default)s)")
    parser.add_argument("--rare", type=int, default=150, help="a sign is rare in at most this many lines")
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="SESSION", help="leave out all lines of these sessions"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    checkpoint = load_checkpoint(options.checkpoint)
    model = checkpoint.build()
    if not isinstance(model, TextVRNN) or not isinstance(checkpoint.recipe.data, PenData):
        parser.error(f"{options.checkpoint}: its model does not read a text")
    model.eval()
    data = checkpoint.recipe.data
    table = without_sessions(load_npz(options.corpus), options.without)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "lines.npz", **table)  # type: ignore[arg-type]
        corpus = TextCorpus(Path(folder) / "lines.npz", model.text.alphabet, data)
    glyphs = find_glyphs(model, corpus)
    lines_with = collections.Counter(c for text in corpus.texts["train"] for c in set(text))
    rare = "".join(c for c in model.text.alphabet if not c.isalnum() and c != " " and lines_with[c] <= options.rare)
    words = sorted({w for t in corpus.texts["train"] for w in t.split() if w.isalpha() and 2 <= len(w) <= 9})
    print(" ".join(f"{c}:{len(glyphs.get(c, []))}" for c in model.text.alphabet if c != " "))
    rng = np.random.default_rng(options.seed)
    every = [glyph for found in glyphs.values() for glyph in found]
    texts: list[str] = []
    inks: list[Floats] = []
    while len(texts) < options.lines:
        text = make_text(rng, rare, words)
        if not all(c == " " or glyphs.get(c) for c in text) or len(text) > 40:
            continue
        # A session of a rare sign of the text, if it has one: it is likely to have its other signs as well.
        signs = [g for c in text if c in rare for g in glyphs[c]] or every
        texts.append(text)
        inks.append(write(text, glyphs, signs[rng.integers(len(signs))], rng))
    save(options.out, table, texts, inks, data.rate)


def without_sessions(table: dict[str, NDArray], sessions: list[str]) -> dict[str, NDArray]:
    """Return a table without the lines of some sessions.

    Raises
    ------
    SystemExit
        The table has no line of a session.
    """
    own = np.array([str(one).rpartition("#")[0] for one in table["ids"]])
    for session in sessions:
        if session not in own:
            raise SystemExit(f"no line is of the session {session}; ids of lines are SESSION#SEGMENTS")
    kept = ~np.isin(own, sessions)
    points = np.repeat(kept, np.diff(table["offsets"]))
    lengths = np.diff(table["offsets"])[kept]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(table["offsets"].dtype)
    per_point = {name: table[name][points] for name in ("dxy", "eos")}
    per_line = {name: values[kept] for name, values in table.items() if name not in {"dxy", "eos", "offsets"}}
    return {**per_point, "offsets": offsets, **per_line}


def save(path: Path, table: dict[str, NDArray], texts: list[str], inks: list[Floats], rate: int) -> None:
    """Write the lines of a table and the new ones."""
    count, ids = len(texts), [f"pieced/{place}#0" for place in range(len(texts))]
    moves = np.concatenate([ink[:, :2] for ink in inks]) * UNIT / 25.4
    ends = table["offsets"][-1] + np.cumsum([len(ink) for ink in inks])
    np.savez_compressed(
        path,
        dxy=np.concatenate([table["dxy"], np.round(moves).astype(np.int16)]),
        eos=np.concatenate([table["eos"], np.concatenate([ink[:, 2] for ink in inks]).astype(np.uint8)]),
        offsets=np.concatenate([table["offsets"], ends.astype(np.int32)]),
        ids=np.concatenate([table["ids"], ids]),
        texts=np.concatenate([table["texts"], texts]),
        contributor=np.concatenate([table["contributor"], ["pieced"] * count]),
        points_per_inch=np.concatenate([table["points_per_inch"], np.full(count, UNIT, np.float32)]),
        points_per_second=np.concatenate([table["points_per_second"], np.full(count, rate, np.float32)]),
        split=np.concatenate([[split_by_hash(str(one)) for one in table["ids"]], ["train"] * count]),
    )


if __name__ == "__main__":
    main()
