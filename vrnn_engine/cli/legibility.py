"""`vrnn-engine evaluate --legibility`: prints error rates of a recogniser on real ink and on a voice's writing."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vrnn_engine.cli import report
from vrnn_engine.cli.exported import as_voice
from vrnn_engine.errors import DataError, VoiceError

if TYPE_CHECKING:
    from vrnn_engine.data.text.prepared import TextLine
    from vrnn_engine.evaluation.legibility.errors import LineErrors, Rate
    from vrnn_engine.evaluation.legibility.lines import Lines
    from vrnn_engine.evaluation.legibility.recogniser import Recogniser
    from vrnn_engine.evaluation.legibility.texts import Request
    from vrnn_engine.runtime.engine import Engine
    from vrnn_engine.runtime.stream import Stream

ROWS = 16
"""Number of texts written at once."""
BLOCK = 80
"""Number of frames read at once."""
WIDTH = 17.0
"""Width of a page, in distances of two baselines."""


class Written(NamedTuple):
    """What a voice wrote."""

    lines: "list[TextLine]"
    """In the order of the requests."""
    again: int
    """How often a word was written again, because it was faulty."""
    faulty: int
    """Number of words that were faulty each time."""


def legibility(
    where: str, recogniser: Path, data: list[Path], texts: Path | None, seeds: Sequence[int], most: int, json: bool
) -> None:
    """Write texts with a voice, and print the error rates of a recogniser on them beside those on real lines.

    Parameters
    ----------
    where : str
        A voice that reads a text, or a checkpoint of one.
    recogniser : Path
        File of the recogniser.
    data : list of Path
        The corpora of the recogniser; the voice also writes the texts of their held-out lines.
    texts : Path, optional
        A file of texts, one a line; by default the texts of the package.
    seeds : sequence of int
        Every text is written from each seed, and the texts of real lines from one of them.
    most : int
        Largest number of held-out lines of each corpus.
    json : bool
        Print JSON instead of tables.
    """
    from vrnn_engine.evaluation.legibility.errors import rates
    from vrnn_engine.evaluation.legibility.lines import held_out_lines
    from vrnn_engine.evaluation.legibility.recogniser_file import load_recogniser
    from vrnn_engine.evaluation.legibility.texts import read_texts, texts_to_write
    from vrnn_engine.runtime.engine import Engine

    kinds = read_texts(texts) if texts else texts_to_write()
    trained = load_recogniser(recogniser)
    held_out = held_out_lines(data, trained.held_out, trained.model.alphabet)
    with as_voice(where) as folder:
        engine = Engine.load(folder, rows=ROWS)
        found = _measure(engine, trained.model, held_out, kinds, seeds, most)
    table = {name: rates(lines) for name, lines in found.columns.items()}
    kinds_table = {kind: rates(lines) for kind, lines in found.kinds.items()}
    if json:
        about = {"voice": engine.voice.name, "recogniser": str(recogniser), "seeds": list(seeds)}
        words = {"words_again": found.again, "words_faulty": found.faulty}
        report.print_json({**about, **words, "rates": table, "kinds": kinds_table})
        return
    _print(table, kinds_table)
    report.answer(f"\nwords written again: {found.again:,}; still faulty after the last try: {found.faulty:,}")


class Measured(NamedTuple):
    """Errors of each column of the table, and of each kind of text."""

    columns: "dict[str, list[LineErrors]]"
    kinds: "dict[str, list[LineErrors]]"
    again: int
    faulty: int


def _measure(
    engine: "Engine",
    model: "Recogniser",
    held_out: "Lines",
    kinds: Mapping[str, Sequence[str]],
    seeds: Sequence[int],
    most: int,
) -> Measured:
    """Write all texts, and read them and the real lines."""
    from vrnn_engine.evaluation.legibility.lines import sample
    from vrnn_engine.evaluation.legibility.measure import measure
    from vrnn_engine.evaluation.legibility.texts import requests, same_texts

    text = engine.voice.manifest.text
    if text is None:
        raise VoiceError(f"voice {engine.voice.name} reads no text, so its legibility cannot be measured; use another")
    known = set(text.alphabet) & set(model.alphabet)
    real = {name: sample(lines, most, known) for name, lines in held_out.items()}
    wanted = {name: same_texts(lines, name, seeds) for name, lines in real.items()}
    wanted["texts"] = requests(kinds, seeds, known)
    left_out = sum(map(len, kinds.values())) - len(wanted["texts"]) // len(seeds)
    if left_out:
        report.warn(f"left out {left_out:,} texts with characters that the voice or the recogniser does not know")
    if not all(wanted.values()):
        raise DataError("no text is left; the voice and the recogniser need the characters of the texts")
    report.say(f"{engine.voice.name}: writing {sum(map(len, wanted.values())):,} texts")
    columns: dict[str, list[LineErrors]] = {}
    again = faulty = 0
    for name, asked in wanted.items():
        with report.without_warnings():  # of faulty words, which are counted
            written = write_texts(engine, asked, text.line_height)
        again, faulty = again + written.again, faulty + written.faulty
        if name in real:
            columns[f"{name}, real"] = measure(model, real[name])
        columns[f"{name}, written"] = measure(model, written.lines, text.line_height)
    by_kind: dict[str, list[LineErrors]] = {}
    for request, line in zip(wanted["texts"], columns["texts, written"], strict=True):
        by_kind.setdefault(request.kind, []).append(line)
    return Measured(columns, by_kind, again, faulty)


def write_texts(
    engine: "Engine", wanted: "Sequence[Request]", line_height: float, prime: "TextLine | None" = None
) -> Written:
    """Write texts, some of them at once; those of similar length together.

    Parameters
    ----------
    engine : Engine
        Its voice reads a text.
    wanted : sequence of Request
        The texts and seeds.
    line_height : float
        Distance of two baselines, in the unit of the voice.
    prime : TextLine, optional
        A line in whose hand the texts are written; by default each seed has its own hand.
    """
    import numpy as np

    from vrnn_engine.evaluation.legibility.measure import without_rests

    ink: dict[int, np.ndarray] = {}
    again = faulty = 0
    order = sorted(range(len(wanted)), key=lambda place: len(wanted[place].text))
    for first in range(0, len(order), ROWS):
        group = order[first : first + ROWS]
        streams = {place: _stream(engine, wanted[place], line_height, prime) for place in group}
        blocks: dict[int, list[np.ndarray]] = {place: [] for place in group}
        while waiting := [place for place in group if streams[place].pending]:
            read = engine.read(BLOCK, [streams[place] for place in waiting])
            for place, block in zip(waiting, read, strict=True):
                blocks[place].append(block)
        for place, stream in streams.items():
            ink[place] = without_rests(np.concatenate(blocks[place]))
            again, faulty = again + stream.retries, faulty + stream.faults
            stream.close()
    lines = [request.written(ink[place]) for place, request in enumerate(wanted)]
    return Written(lines, again, faulty)


def _stream(engine: "Engine", wanted: "Request", line_height: float, prime: "TextLine | None") -> "Stream":
    """Return a stream that is about to write a text."""
    width = WIDTH * line_height if "\n" in wanted.text else None
    if prime is None:
        return engine.stream(wanted.seed, text=wanted.text, width=width)
    stream = engine.stream(wanted.seed, width=width)
    stream.prime(prime.ink, text=prime.text)
    stream.write(wanted.text)
    return stream


def _print(table: "Mapping[str, dict[str, Rate]]", kinds: "Mapping[str, dict[str, Rate]]") -> None:
    """Print the rates in percent: those of each column by class of character, and then those of each kind of text."""
    names = list(next(iter(table.values())))
    rows = [(name, *(_cell(column[name]) for column in table.values())) for name in names]
    report.print_table(("errors in %, with 95 % intervals", *table), rows)
    if len(kinds) > 1:
        report.answer()
        shown = [(kind, *(_cell(found[name]) for name in ("all", "faulty"))) for kind, found in kinds.items()]
        report.print_table(("texts, written", "all", "faulty"), shown)


def _cell(rate: "Rate") -> str:
    if math.isnan(rate.rate):
        return "-"
    return f"{100 * rate.rate:.1f} ({100 * rate.low:.1f} to {100 * rate.high:.1f})"
