"""Prime a text voice with a line of each of 20 writers, and measure how near its ink comes to their own.

    python benchmarks/primed_writers.py iamondb_lines.npz

The voice writes one text in each hand.  A sample of ink has three values: the median slant and the median size of its
pieces, and the median curvature of its strokes.  The distance of two samples is Euclidean, each value divided by its sd
over the writers.  The generated ink of each writer is compared with the other lines of all writers.  As a limit of what
can be reached, the line that primed the voice is compared in the same way.

Writers of IAM-OnDB are new to a voice that was trained on UNIPEN.  Its .npz does not say who wrote a form, but a writer
wrote one form of each series of texts, and the forms used here are of one series: those that begin with `a`.  All lines
are scaled by one factor, so that writers differ in size.
"""

import argparse
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from adaptation import Table, chosen
from numpy.typing import NDArray

from vrnn_engine.data.options import PenData
from vrnn_engine.data.text.prepared import TextLine, prepared_lines
from vrnn_engine.evaluation.ink import PIECE_SECONDS, style_values
from vrnn_engine.evaluation.legibility.measure import rows_of, without_rests
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.runtime.voice.text import Text

TEXT = (
    "The removal van came at noon, an hour early,\nand all the boxes stood in the yard\nunder a grey and windy sky.\n"
)
SERIES = "a"
"""Beginning of the forms used."""
LEAST_LINES = 6
"""Lines that a form needs: one to prime with, the others to compare with."""
LEAST_CHARACTERS = 20
"""Characters that the line needs that primes the voice."""

Values = NDArray[np.float64]


class Count(NamedTuple):
    """How often samples are near to their own writer; see `count_nearest`."""

    nearest: int
    """Samples that are nearer to their own writer than to all others."""
    pairs: float
    """Share of the pairs of a sample and another writer in which its own writer is nearer."""
    samples: int


def count_nearest(samples: Values, writers: Values, own: Sequence[int]) -> Count:
    """Count how often samples are nearer to their own writer than to others.

    Parameters
    ----------
    samples : array [n, k]
        Values of each sample.
    writers : array [w, k]
        Values of each writer.
    own : sequence of int [n]
        Place of the writer of each sample in `writers`.
    """
    deviations = writers.std(0, ddof=1)
    away = np.linalg.norm((samples[:, None] - writers) / deviations, axis=2)
    to_own = away[np.arange(len(samples)), own]
    farther = (away > to_own[:, None]).sum(1)
    others = len(writers) - 1
    return Count(int((farther == others).sum()), float(farther.mean() / others), len(samples))


def read_writers(
    table: Table, options: PenData, alphabet: set[str], count: int
) -> list[tuple[TextLine, list[TextLine]]]:
    """Return, for some writers, a line to prime with and the others."""
    picked = [place for place, one in enumerate(table["ids"]) if str(one).startswith(SERIES)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.npz"
        np.savez(path, **chosen(table, picked, [], "all"))  # type: ignore[arg-type]
        forms: dict[str, list[TextLine]] = {}
        for line in prepared_lines(path, options):
            if line.text and set(line.text) <= alphabet:
                forms.setdefault(line.id.rpartition("-")[0], []).append(line)
    found = []
    for lines in forms.values():
        first = next((line for line in lines if len(line.text) >= LEAST_CHARACTERS), None)
        if first and len(lines) >= LEAST_LINES:
            found.append((first, [line for line in lines if line is not first]))
    order = np.random.default_rng(0).permutation(len(found))[:count]
    return [found[place] for place in sorted(order)]


def write_in_hand(engine: Engine, text: Text, line: TextLine, seed: int) -> list[NDArray[np.float32]]:
    """Return the lines that a voice writes after it observed a line."""
    stream = engine.stream(seed)
    stream.prime(line.ink, text=line.text)
    stream.write(TEXT)
    ink = without_rests(stream.read_text())
    stream.close()
    return rows_of(ink, text.line_height)


def main() -> None:
    """Print how often the ink is near to its own writer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("iam", type=Path, help=".npz of IAM-OnDB with texts")
    parser.add_argument("--voice", default="handwriting")
    parser.add_argument("--writers", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3, help="texts written in each hand")
    given = parser.parse_args()
    logging.getLogger("vrnn_engine").setLevel(logging.ERROR)
    engine = Engine.load(given.voice)
    manifest = engine.voice.manifest
    if manifest.text is None:
        parser.error(f"voice {given.voice} writes no text; give another one")
    options = PenData(rows=1, chunk=1, rate=manifest.rate, resample=True, height_mm=1.8)
    known = set(manifest.text.alphabet) - {"#"}  # stands for a struck-out word in IAM-OnDB
    people = read_writers(dict(np.load(given.iam)), options, known, given.writers)
    piece = round(PIECE_SECONDS * manifest.rate)
    writers = np.array([style_values([line.ink for line in others], piece) for _, others in people])
    primes = np.array([style_values([first.ink], piece) for first, _ in people])
    own = [place for place in range(len(people)) for _ in range(given.seeds)]
    written = np.array(
        [
            style_values(write_in_hand(engine, manifest.text, first, seed), piece)
            for first, _ in people
            for seed in range(given.seeds)
        ]
    )
    unprimed = np.array([style_values(rows, piece) for rows in unprimed_lines(engine, manifest.text, len(own))])
    rows = [("primed", written, own), ("not primed", unprimed, own), ("the line itself", primes, range(len(people)))]
    print(f"{len(people)} writers; chance: nearest {1 / len(people):.2f}, nearer {0.5:.2f}")
    print(f"{'ink':>16} {'nearest':>12} {'nearer':>7}   correlation of slant, size, curvature with the writers'")
    for name, samples, places in rows:
        count = count_nearest(samples, writers, list(places))
        together = [np.corrcoef(samples[:, k], writers[list(places), k])[0, 1] for k in range(3)]
        nearest = f"{count.nearest} of {count.samples}"
        print(f"{name:>16} {nearest:>12} {count.pairs:7.2f}   {' '.join(f'{value:.2f}' for value in together)}")


def unprimed_lines(engine: Engine, text: Text, count: int) -> list[list[NDArray[np.float32]]]:
    """Return the lines that a voice writes in hands of its own."""
    found = []
    for seed in range(count):
        stream = engine.stream(seed, text=TEXT)
        found.append(rows_of(without_rests(stream.read_text()), text.line_height))
        stream.close()
    return found


if __name__ == "__main__":
    main()
