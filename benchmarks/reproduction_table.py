"""docs/reproduction.md, written from the finished cells of benchmarks/reproduction.py."""

import statistics
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
        "vrnn-i-gauss": "≥ 8933",
        "vrnn-gauss": "≥ 9223",
        "vrnn-gmm": "≥ 9107",
    },
    "timit": {
        "rnn-gauss": "-1900",
        "rnn-gmm": "26643",
        "vrnn-i-gauss": "≥ 28340",
        "vrnn-gauss": "≥ 28805",
        "vrnn-gmm": "≥ 28982",
    },
    "onomatopoeia": {
        "rnn-gauss": "-984",
        "rnn-gmm": "18865",
        "vrnn-i-gauss": "≥ 19053",
        "vrnn-gauss": "≥ 20721",
        "vrnn-gmm": "≥ 20849",
    },
    "accent": {
        "rnn-gauss": "-1293",
        "rnn-gmm": "3453",
        "vrnn-i-gauss": "≥ 3843",
        "vrnn-gauss": "≥ 3952",
        "vrnn-gmm": "≥ 4140",
    },
    "iamondb": {
        "rnn-gauss": "1016",
        "rnn-gmm": "1358",
        "vrnn-i-gauss": "≥ 1332",
        "vrnn-gauss": "≥ 1337",
        "vrnn-gmm": "≥ 1384",
    },
}
"""Table 1 of Chung et al. (2015): average log-likelihood per sequence, test, in nats."""

ORDER = (("vrnn-gauss", "vrnn-i-gauss"), ("vrnn-i-gauss", "rnn-gauss"), ("vrnn-gauss", "rnn-gmm"))
"""Of each pair the first has the higher number in the paper; on IAM-OnDB not of the last one."""

INTRODUCTION = """# The paper's table, reproduced

Table 1 of [Chung et al. (2015)](https://arxiv.org/abs/1506.02216) beside ours: the average log-likelihood of a test
sequence in nats, one posterior sample a frame (≥: a lower bound; exact for the RNNs). This page is written by

    python benchmarks/reproduction.py --data DIR

from `reproduction.jsonl`, which has a line for each run, with its importance-weighted bound, confidence interval and
time. All runs of a corpus have the same number of updates ({updates}) and, within one basis, of weights (the recurrence
is as wide as makes it so); they differ by their seeds. Ours are means over seeds, ± the largest distance of a seed.
{finished} of {planned} runs are finished; a dash is one that is not, or that the paper or this table does not have.

## What compares with what

- Within a row: the bases. All are densities of the same samples. *Samples* is the paper's model of a frame; *MDCT*
  models its MDCT coefficients; *source and filter* an excitation that continues the past through a filter, as the
  recipe `blizzard` does.
- Within a column: the families, at equal weights and updates.
- Not the paper's column with ours, but for its order. Its models have up to 94 M weights and trained for days, ours
  about a million and for minutes; and but for IAM-OnDB the recordings are others. A sequence of speech is 0.5 s here;
  the paper has that for Blizzard alone. Mixtures of frames have {components} components here (the paper: 20), since
  more would leave next to none of the weights to the rest.
- Sounds with digital silence, or with nothing above 4 kHz (Accent), have bounds as high as the floor of the sd allows:
  they say more about the recordings than about the models.
"""


def write_table(rows: list[dict], path: Path, components: int, planned: int) -> None:
    """Write the page from result rows of one number of updates; see `benchmarks/reproduction.py`."""
    updates = f"{rows[0]['updates']:,}" if rows else "-"
    parts = [INTRODUCTION.format(updates=updates, components=components, finished=len(rows), planned=planned)]
    for corpus, title in CORPORA.items():
        mine = [row for row in rows if row["corpus"] == corpus]
        if mine:
            parts += [f"## {title}\n", _table(corpus, mine), _order(mine)]
    path.write_text("\n".join(parts), "utf-8")


def _table(corpus: str, rows: list[dict]) -> str:
    bases = [basis for basis in BASES if any(row["basis"] == basis for row in rows)]
    lines = [
        "| | the paper |" + "".join(f" {BASES[basis]} | of it KL |" for basis in bases),
        "|---|---|" + "---|---|" * len(bases),
    ]
    for family, name in FAMILIES.items():
        cells = [PAPER[corpus].get(family, "-")]
        for basis in bases:
            found = [row for row in rows if row["family"] == family and row["basis"] == basis]
            cells += [_mean([row["elbo"] for row in found]), _mean([row["kl"] for row in found], spread=False)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    weights = ", ".join(
        f"{BASES[basis]} {statistics.mean(row['parameters'] for row in rows if row['basis'] == basis) / 1e6:.2f} M"
        for basis in bases
    )
    frames = statistics.mean(row["frames_per_sequence"] for row in rows)
    seeds = len({row["seed"] for row in rows})
    total = f"{rows[0]['test_sequences']:,} test sequences of {frames:.0f} frames on average"
    return "\n".join(lines) + f"\n\nWeights: {weights}. {total}. Seeds: {seeds}.\n"


def _mean(values: list[float], spread: bool = True) -> str:
    if not values:
        return "-"
    mean = statistics.mean(values)
    if len(values) == 1 or not spread:
        return f"{mean:,.0f}"
    return f"{mean:,.0f} ± {max(abs(value - mean) for value in values):,.0f}"


def _order(rows: list[dict]) -> str:
    """Say, for each pair of the paper's ordering, how many seeds of each basis bear it out."""
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
