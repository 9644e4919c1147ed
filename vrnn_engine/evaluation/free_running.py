"""Compares free-running generation with real sound or ink of the same length.

A take is one stretch of sound or ink: generated from one seed, or cut out of a corpus.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.data.pen import PenCorpus
from vrnn_engine.data.recordings import QUANTUM
from vrnn_engine.data.speech import SpeechCorpus
from vrnn_engine.data.text.corpus import TextCorpus
from vrnn_engine.errors import DataError
from vrnn_engine.evaluation.drift import drift
from vrnn_engine.evaluation.ink import PIECE, PIECE_SECONDS, constancy, describe_ink
from vrnn_engine.evaluation.legibility.measure import rows_of, without_rests
from vrnn_engine.evaluation.repetition import repetition
from vrnn_engine.evaluation.sound import MODULATIONS, describe, modulation_spectrum, third_octave_centres

Columns = dict[str, list[float]]
"""Statistics by name, one value per take; NaN if a take has none."""

Corpus = PenCorpus | SpeechCorpus | TextCorpus
"""Real material."""
Sound = NDArray[np.floating]
Ink = NDArray[np.floating]

DRIFT_SECONDS = 120.0
"""Shortest length of a take of sound for which drift is measured: two minutes."""

_log = logging.getLogger(__name__)


class FreeRunning(NamedTuple):
    """Statistics of real and of generated takes."""

    real: Columns
    generated: Columns
    written: Columns | None = None
    """Statistics of takes in which a voice writes a text; None for a voice that reads none."""


def real_columns(corpus: Corpus, split: str, rate: int, seconds: float, count: int) -> Columns:
    """Compute the statistics of takes that are cut out of a corpus.

    Parameters
    ----------
    corpus : PenCorpus, TextCorpus or SpeechCorpus
        The real material; its kind decides whether the takes are ink or sound.
    split : str
        `train`, `valid` or `test`.
    rate : int
        Samples or points per second.
    seconds : float
        Length of a take.
    count : int
        Largest number of takes of sound, which are spread evenly over the split; of ink there is one for each writer.

    Raises
    ------
    DataError
        The split is too short to be measured.
    """
    length = round(seconds * rate)
    if isinstance(corpus, SpeechCorpus):
        return sound_columns(cut_takes(corpus.parts[split].samples, length, count), rate)
    return ink_columns(writer_takes(corpus, split, length), _piece(rate))


def generated_columns(
    generated: Sequence[NDArray[np.floating]], corpus: Corpus, rate: int, line_height: float | None = None
) -> Columns:
    """Compute the statistics of generated takes of the kind of a corpus.

    Parameters
    ----------
    generated : sequence of arrays
        One take per seed: sound [N], full scale +-1, or ink [n, 3] as (dx, dy, pen-up).
    corpus : PenCorpus, TextCorpus or SpeechCorpus
        Its kind decides whether the takes are ink or sound.
    rate : int
        Samples or points per second.
    line_height : float, optional
        Distance of two baselines of a voice that reads a text. Its ink is cut into lines, and rests are left out.

    Raises
    ------
    DataError
        A take is too short to be measured.
    """
    if isinstance(corpus, SpeechCorpus):
        return sound_columns(generated, rate)
    lines = [rows_of(without_rests(one), line_height) if line_height else [one] for one in generated]
    return ink_columns(lines, _piece(rate))


def cut_takes(samples: NDArray[np.int16], length: int, count: int) -> list[Sound]:
    """Cut takes out of a signal, at evenly spaced positions.

    Parameters
    ----------
    samples : int16 array [N]
        The signal.
    length : int
        Number of samples in a take.
    count : int
        Number of takes wanted.

    Returns
    -------
    list of arrays
        At most `count` takes that do not overlap, full scale +-1.  If the signal is shorter than a take, one shorter
        take, and a warning is logged.
    """
    count = max(1, min(count, len(samples) // length))
    starts = [max(0, len(samples) - length) * k // max(1, count - 1) for k in range(count)]
    if len(samples) < length:
        share = len(samples) / length
        _log.warning("the real material is only %s as long as a generated take, and so repeats less", f"{share:.0%}")
    return [samples[start : start + length] * QUANTUM for start in starts]


def writer_takes(corpus: PenCorpus | TextCorpus, split: str, length: int) -> list[list[Ink]]:
    """Return one take per writer of a split: the writer's first lines.

    Parameters
    ----------
    corpus : PenCorpus or TextCorpus
        The real material.
    split : str
        `train`, `valid` or `test`.
    length : int
        Number of points from which on a take gets no more lines.
    """
    takes: dict[str, list[Ink]] = {}
    for line, writer in zip(corpus.lines[split], corpus.writers[split], strict=True):
        take = takes.setdefault(writer, [])
        if sum(map(len, take)) < length:
            take.append(line)
    return list(takes.values())


def sound_columns(takes: Sequence[Sound], rate: int) -> Columns:
    """Compute the statistics of takes of sound.

    Parameters
    ----------
    takes : sequence of arrays [N] or [N, 2]
        The takes, full scale +-1.  Statistics of stereo are those of the mean of its channels, and the level of its
        side (left minus right) relative to its middle.
    rate : int
        Sampling rate, Hz; at least 8000.

    Returns
    -------
    dict
        Statistics by name; `docs/evaluation.md` lists the names.  Drift is included only if takes have at least
        `DRIFT_SECONDS`.
    """
    return _columns([_sound_row(take, rate) for take in takes])


def ink_columns(takes: Sequence[Sequence[Ink]], piece: int = PIECE) -> Columns:
    """Compute the statistics of takes of ink.

    Parameters
    ----------
    takes : sequence of sequences of arrays [n, 3]
        The lines of each take.
    piece : int
        Number of points in a piece whose style is measured.

    Returns
    -------
    dict
        Statistics by name; `docs/evaluation.md` lists the names.  Constancy has one value for all takes together; if
        constancy cannot be measured, it is left out, and a warning is logged.
    """
    columns = _columns([_ink_row(take, piece) for take in takes])
    try:
        columns |= {f"constancy_{name}": [value] for name, value in constancy(takes, piece).to_dict().items()}
    except DataError as error:  # the other statistics are still of use
        _log.warning("%s", error)
    return columns


def _sound_row(take: Sound, rate: int) -> dict[str, float]:
    if take.ndim > 1:
        left, right = take.T
        power, side = float(np.mean(np.square(left + right))), float(np.mean(np.square(left - right)))
        row = _sound_row(take.mean(axis=1), rate)
        row["side_db"] = 10 * float(np.log10(max(side, 1e-20) / max(power, 1e-20)))
        return row
    found = describe(take, rate)
    row = {"level_db": found.level, "above_4_khz_db": found.high, "depth_db": found.depth}
    centres = third_octave_centres(rate)
    row |= {f"band_{centre:.0f}_hz_db": level for centre, level in zip(centres, found.bands, strict=True)}
    indices = modulation_spectrum(take, rate)
    row |= {f"modulation_{centre:.0f}_hz": index for centre, index in zip(MODULATIONS, indices, strict=True)}
    row |= {"modulation_of_syllables": found.syllabic, "voiced": found.voiced, "clipped": found.clipped}
    row["repetition"] = repetition(take, rate)
    if len(take) >= DRIFT_SECONDS * rate:
        row |= {f"drift_{name}": value for name, value in drift(take, rate).to_dict().items()}
    return row


def _piece(rate: int) -> int:
    """Return the number of points in a piece of ink."""
    return round(PIECE_SECONDS * rate)


def _ink_row(take: Sequence[Ink], piece: int) -> dict[str, float]:
    found = describe_ink(take, piece)
    spreads = {"stroke_length": found.length, "curvature": found.curvature, "slant": found.slant, "size": found.size}
    row: dict[str, float] = {}
    for name, spread in spreads.items():
        row |= {f"{name}_median": spread.median, f"{name}_iqr": spread.iqr}
    return row | {"lifted": found.lifted}


def _columns(rows: list[dict[str, float]]) -> Columns:
    """Turn one row per take into one column per statistic."""
    return {name: [row[name] for row in rows] for name in rows[0]}
