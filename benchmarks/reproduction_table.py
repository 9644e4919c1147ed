"""Writes docs/reproduction.md from the finished cells of benchmarks/reproduction.py."""

import statistics
from collections import Counter
from pathlib import Path

FAMILIES = {
    "rnn-gauss": "RNN-Gauss",
    "rnn-gmm": "RNN-GMM",
    "vrnn-i-gauss": "VRNN-I-Gauss",
    "vrnn-gauss": "VRNN-Gauss",
    "vrnn-gmm": "VRNN-GMM",
    "srnn-gauss": "SRNN-Gauss",
}
CORPORA = {
    "blizzard": "Blizzard: the Kathleen set, one reader, 74 minutes to train (the paper: 300 hours of another reader)",
    "timit": "TIMIT: the sample of 16 speakers, 8 minutes in all (the paper: 630 speakers)",
    "onomatopoeia": "Onomatopoeia: Nonverbal Vocalization, 34 minutes (the paper: a set of its own)",
    "accent": "Accent: 1,166 readings of the Speech Accent Archive at 8 kHz (the paper: 2,046 speakers)",
    "iamondb": "IAM-OnDB: held-out forms, the authors' normalisation (the paper: the same corpus, 13,040 lines)",
}
BASES = {"samples": "samples", "mdct": "MDCT", "source-filter": "source and filter", "points": "points"}
PAPER = {
    "blizzard": {
        "rnn-gauss": "3539",
        "rnn-gmm": "7413",
        "vrnn-i-gauss": "≥ 8933 ~ 9188¹",
        "vrnn-gauss": "≥ 9223 ~ 9516¹",
        "vrnn-gmm": "≥ 9107 ~ 9392",
    },
    "timit": {
        "rnn-gauss": "-1900",
        "rnn-gmm": "26643",
        "vrnn-i-gauss": "≥ 28340 ~ 29639¹",
        "vrnn-gauss": "≥ 28805 ~ 30235¹",
        "vrnn-gmm": "≥ 28982 ~ 29604¹",
    },
    "onomatopoeia": {
        "rnn-gauss": "-984",
        "rnn-gmm": "18865",
        "vrnn-i-gauss": "≥ 19053 ~ 19638",
        "vrnn-gauss": "≥ 20721 ~ 21332",
        "vrnn-gmm": "≥ 20849 ~ 21219",
    },
    "accent": {
        "rnn-gauss": "-1293",
        "rnn-gmm": "3453",
        "vrnn-i-gauss": "≥ 3843 ~ 4180",
        "vrnn-gauss": "≥ 3952 ~ 4223",
        "vrnn-gmm": "≥ 4140 ~ 4319",
    },
    "iamondb": {
        "rnn-gauss": "1016",
        "rnn-gmm": "1358",
        "vrnn-i-gauss": "≥ 1332 ~ 1353",
        "vrnn-gauss": "≥ 1337 ~ 1354",
        "vrnn-gmm": "≥ 1384 ~ 1384",
    },
}
"""Table 1 of Chung et al. (2015): average log-likelihood per test sequence, in nats.  ≥ marks a lower bound, ~ an
importance-sampled estimate.  Numbers with ¹ and those of the corpora in `RECALLED` were not checked against a copy of
the paper."""
RECALLED = {"onomatopoeia", "accent", "iamondb"}

ORDER = (("vrnn-gauss", "vrnn-i-gauss"), ("vrnn-i-gauss", "rnn-gauss"), ("vrnn-gauss", "rnn-gmm"))
"""Pairs of which the first has the higher number in the paper (on IAM-OnDB, not in the last pair)."""

INTRODUCTION = """# The paper's table, reproduced

This page compares Table 1 of [Chung et al. (2015)](https://arxiv.org/abs/1506.02216) with our numbers: the average
log-likelihood of a test sequence in nats (≥ marks a lower bound; the numbers of the RNNs are exact). This script writes
the page:

<!-- not run: needs the corpora and hours -->
```sh
python benchmarks/reproduction.py --data DIR
```

The results are in `reproduction.jsonl`, one line per run, with confidence interval and training time. The number after
~ is a closer estimate of the log-likelihood: the paper's importance-sampled estimate, or our
importance-weighted bound (K = {paths}). ¹ marks numbers of the paper, or a column of them, that were not checked
against a copy of the paper.

All runs of a corpus have the same number of updates ({updates}). Within one basis they also have the same number of
weights, because the width of the recurrence is adjusted. Our numbers are means over seeds, ± the largest deviation of a
seed. {finished} of {planned} runs are finished; a dash means that a run is not finished, or not part of the table.

## How to compare the numbers

- Within a row, compare the bases: all are densities of the same samples. *Samples* is the paper's model of a frame.
  *MDCT* models the MDCT coefficients of a frame. *Source and filter* models an excitation, which continues the past,
  and a filter, as the recipe `blizzard` does.
- Within a column, compare the families: they have equal numbers of weights and updates.
- Do not compare our columns with the paper's, except for the order of the families. The paper's models have up to 94 M
  weights and trained for days; ours have about a million and trained for minutes. Only IAM-OnDB is the same corpus. A
  sequence of speech lasts 0.5 s here; in the paper, only one of Blizzard does. Mixtures of frames have {components}
  components here (20 in the paper), because more would take almost all of the weights.
- Digital silence, or a band above 4 kHz without any signal (Accent), gives bounds that are limited only by the smallest
  allowed sd. These bounds say more about the recordings than about the models.
"""


def write_table(rows: list[dict], path: Path, components: int, planned: int) -> None:
    """Write the page.

    Parameters
    ----------
    rows : list of dict
        Results with the same number of updates; see `benchmarks/reproduction.py`.
    path : Path
        The page.
    components : int
        Components of a mixture of frames.
    planned : int
        Number of runs of the whole table.
    """
    updates = f"{rows[0]['updates']:,}" if rows else "-"
    paths = max((row["paths"] for row in rows), default="-")
    about = {"updates": updates, "components": components, "finished": len(rows), "planned": planned, "paths": paths}
    parts = [INTRODUCTION.format(**about)]
    for corpus, title in CORPORA.items():
        mine = [row for row in rows if row["corpus"] == corpus]
        if mine:
            parts += [f"## {title}\n", _table(corpus, mine), _order(mine)]
    path.write_text("\n".join(parts), "utf-8")


def _table(corpus: str, rows: list[dict]) -> str:
    bases = [basis for basis in BASES if any(row["basis"] == basis for row in rows)]
    lines = [
        f"| | the paper{'¹' * (corpus in RECALLED)} |" + "".join(f" {BASES[basis]} | KL |" for basis in bases),
        "|---|---|" + "---|---|" * len(bases),
    ]
    for family, name in FAMILIES.items():
        cells = [PAPER[corpus].get(family, "-")]
        for basis in bases:
            found = [row for row in rows if row["family"] == family and row["basis"] == basis]
            cells += [_bounds(found), _mean([row["kl"] for row in found], spread=False)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    weights = ", ".join(
        f"{BASES[basis]} {statistics.mean(row['parameters'] for row in rows if row['basis'] == basis) / 1e6:.2f} M"
        for basis in bases
    )
    frames = statistics.mean(row["frames_per_sequence"] for row in rows)
    seeds = {BASES[basis]: _seeds([row for row in rows if row["basis"] == basis]) for basis in bases}
    alike = len(set(seeds.values())) == 1
    counted = seeds[BASES[bases[0]]] if alike else ", ".join(f"{title} {count}" for title, count in seeds.items())
    total = f"{rows[0]['test_sequences']:,} test sequences, {frames:.0f} frames long on average"
    return "\n".join(lines) + f"\n\nWeights: {weights}. {total}. Seeds: {counted}.\n"


def _bounds(rows: list[dict]) -> str:
    """Return the ELBO, and the importance-weighted bound if the model has latents."""
    elbo = _mean([row["elbo"] for row in rows])
    weighted = [row["importance_weighted"] for row in rows if row["paths"] > 1]
    return f"{elbo} ~ {_mean(weighted, spread=False)}" if weighted else elbo


def _seeds(rows: list[dict]) -> str:
    """Return the number of seeds of a column, as a range if families differ."""
    counts = Counter(row["family"] for row in rows).values()
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _mean(values: list[float], spread: bool = True) -> str:
    if not values:
        return "-"
    mean = statistics.mean(values)
    if len(values) == 1 or not spread:
        return f"{mean:,.0f}"
    return f"{mean:,.0f} ± {max(abs(value - mean) for value in values):,.0f}"


def _order(rows: list[dict]) -> str:
    """Return, for each pair of the paper's order, in how many seeds of each basis our numbers have the same order."""
    lines = []
    for first, second in ORDER:
        counts = []
        for basis, title in BASES.items():
            higher, lower = (_by_seed(rows, basis, family) for family in (first, second))
            seeds = higher.keys() & lower.keys()
            if seeds:
                held = sum(higher[seed] > lower[seed] for seed in seeds)
                counts.append(f"{title} {held} of {len(seeds)} seeds")
        if counts:
            lines.append(f"- {FAMILIES[first]} above {FAMILIES[second]}: {', '.join(counts)}")
    return "\n".join(lines) + "\n"


def _by_seed(rows: list[dict], basis: str, family: str) -> dict[int, float]:
    return {row["seed"]: row["elbo"] for row in rows if row["basis"] == basis and row["family"] == family}
