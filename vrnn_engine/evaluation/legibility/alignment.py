"""Aligns a recognised text with the true one, by the fewest insertions, deletions and substitutions."""

import numpy as np

Pairs = list[tuple[int | None, int | None]]


def distance(truth: str, found: str) -> int:
    """Return the Levenshtein distance of two texts: the fewest insertions, deletions and substitutions.

    Parameters
    ----------
    truth, found : str
        The texts.
    """
    return int(_table(truth, found)[-1, -1])


def align(truth: str, found: str) -> Pairs:
    """Return the pairs of places of an alignment with the fewest errors.

    Parameters
    ----------
    truth, found : str
        The texts.

    Returns
    -------
    list of pairs
        In order: (place in `truth`, place in `found`) of two characters that stand for each other, (place, None) of a
        character that is missing in `found`, and (None, place) of one that is inserted there.
    """
    table = _table(truth, found)
    i, j = len(truth), len(found)
    pairs: Pairs = []
    while i or j:
        if i and j and table[i, j] == table[i - 1, j - 1] + (truth[i - 1] != found[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif i and table[i, j] == table[i - 1, j] + 1:
            i -= 1
            pairs.append((i, None))
        else:
            j -= 1
            pairs.append((None, j))
    return pairs[::-1]


def _table(truth: str, found: str) -> np.ndarray:
    """Return the distances of all beginnings of two texts, [len(truth) + 1, len(found) + 1] (Wagner & Fischer 1974)."""
    columns = np.arange(len(found) + 1)
    letters = np.array([ord(character) for character in found])
    table = np.empty((len(truth) + 1, len(found) + 1), int)
    table[0] = columns
    for row, character in enumerate(truth, 1):
        best = np.append(row, np.minimum(table[row - 1, 1:] + 1, table[row - 1, :-1] + (letters != ord(character))))
        # Insertions: the best of the places before, plus one for each place between.
        table[row] = np.minimum.accumulate(best - columns) + columns
    return table
