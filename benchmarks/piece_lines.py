"""Piece lines together from single characters of a corpus, so that rare characters occur in many contexts.

python benchmarks/piece_lines.py runs/handwriting/best.pt unipen_lines.npz pieced.npz

The attention of a trained model tells which strokes draw which character.  A character whose strokes draw nothing else
is a glyph.  The new lines are sums, dates, prices, codes and words, written with glyphs of one session where it has
them, else of its contributor, else of any.  The output contains all lines of the corpus with their split, and the new
lines in the train split.  A checkpoint is then trained on it with `vrnn-engine train RECIPE --from CHECKPOINT`.
"""

import argparse
import collections
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.batches import Floats, split_by_hash
from vrnn_engine.data.options import PenData
from vrnn_engine.data.pen_files import load_npz
from vrnn_engine.data.text.corpus import TextCorpus
from vrnn_engine.data.text.glyphs import can_be_pieced, piece_together
from vrnn_engine.data.text.made_texts import MOST, make_text
from vrnn_engine.evaluation.glyphs import GlyphFinder
from vrnn_engine.models.families.text import TextVRNN
from vrnn_engine.training.checkpoint import load_checkpoint

UNIT = 2540.0
"""Points per inch of the new lines: their unit is 0.01 mm."""


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
    data = checkpoint.recipe.data
    table = without_sessions(load_npz(options.corpus), options.without)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "lines.npz", **table)  # type: ignore[arg-type]
        corpus = TextCorpus(Path(folder) / "lines.npz", model.text.alphabet, data)
    finder = GlyphFinder(model, corpus.mean, corpus.std, None, data.rate)  # the corpus has transformed its lines
    glyphs = finder.find(corpus.text_lines("train"))
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
        if not can_be_pieced(text, glyphs) or len(text) > MOST:
            continue
        # A session of a rare sign of the text, if it has one: it is likely to have its other signs as well.
        signs = [g for c in text if c in rare for g in glyphs[c]] or every
        texts.append(text)
        inks.append(piece_together(text, glyphs, signs[rng.integers(len(signs))], rng))
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
