"""Error rates of recognised lines: alignment, classes of characters, missing and stray strokes, intervals."""

import math

import numpy as np
import pytest

from vrnn_engine.evaluation.legibility.alignment import align, distance
from vrnn_engine.evaluation.legibility.errors import COUNTS, UNREAD, LineErrors, line_errors, rates
from vrnn_engine.evaluation.legibility.recogniser import Reading


def reading(text, ink=None):
    """Return a reading with little ink before each character."""
    return Reading(text, ink or (10,) * (len(text) + 1))


def errors(truth, found, ink=None):
    return line_errors(truth, reading(found, ink), "one")


@pytest.mark.parametrize(
    ("truth", "found", "count"),
    [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("abcd", "bcda", 2), ("same", "same", 0)],
)
def test_distance_is_the_fewest_errors(truth, found, count):
    assert distance(truth, found) == count
    pairs = align(truth, found)
    assert sum(i is None or j is None or truth[i] != found[j] for i, j in pairs) == count
    assert [i for i, _ in pairs if i is not None] == list(range(len(truth)))
    assert [j for _, j in pairs if j is not None] == list(range(len(found)))


def test_distance_agrees_with_recursion():
    def slow(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(slow(a[1:], b) + 1, slow(a, b[1:]) + 1, slow(a[1:], b[1:]) + (a[0] != b[0]))

    rng = np.random.default_rng(0)
    for _ in range(60):
        one, other = ("".join(rng.choice(list("ab"), rng.integers(0, 6))) for _ in range(2))
        assert distance(one, other) == slow(one, other)


def test_errors_are_counted_by_class_of_the_true_character():
    found = errors("Ab 12, Cd!", "Xb 1, Cdd?")
    assert dict(zip(COUNTS, found.wrong, strict=True)) == {
        "all": 4,  # A for X, no 2, a second d, ? for !
        "case ignored": 4,
        "lower case": 0,
        "capitals": 1,
        "digits": 1,
        "punctuation": 1,
    }
    assert dict(zip(COUNTS, found.characters, strict=True)) == {
        "all": 10,
        "case ignored": 10,
        "lower case": 2,
        "capitals": 2,
        "digits": 2,
        "punctuation": 2,
    }


def test_case_can_be_ignored():
    found = errors("Cow Zoo", "cOw z0o")
    assert found.wrong[:2] == (4, 1)


@pytest.mark.parametrize(
    ("truth", "found", "incomplete"),
    [
        ("the quick fox", "the quick fox", False),
        ("the quick fox", "the qu fox", True),  # three in a row
        ("the quick fox", "the quk fox", False),
        ("the quick fox", "tha quikc fax", False),  # wrong, but there
        ("dear Mr X", "dear Mr", True),  # no last word
        ("dear Mr X", "dear Mr Y", False),
        ("one a b c two", "one    two", True),  # spaces do not end the run
    ],
)
def test_line_with_missing_characters_is_incomplete(truth, found, incomplete):
    assert errors(truth, found).incomplete is incomplete


@pytest.mark.parametrize(
    ("truth", "found", "stray"),
    [
        ("one two", "one two", False),
        ("one two", "one twoxyz", True),
        ("one two", "xone ytwo", False),
        ("a", "a b c d", True),
    ],
)
def test_line_with_inserted_characters_has_stray_ink(truth, found, stray):
    assert errors(truth, found).stray is stray


def test_ink_that_is_no_character_is_stray():
    little, much = UNREAD - 1, UNREAD
    assert not errors("abc", "abc", (little, little, little, little)).stray
    for place in range(4):
        ink = [10] * 4
        ink[place] = much
        assert errors("abc", "abc", tuple(ink)).stray, place


def test_ink_of_a_character_that_was_not_recognised_is_not_stray():
    assert not errors("abcd", "abd", (10, 10, UNREAD, 10)).stray
    assert not errors("abcd", "abc", (10, 10, 10, UNREAD)).stray
    assert errors("abcd", "abc", (10, UNREAD, 10, 10)).stray


def line(group, wrong, characters, incomplete=False, stray=False):
    return LineErrors(group, (wrong, *[0] * 5), (characters, *[0] * 5), incomplete, stray)


def test_rate_is_that_of_all_characters_and_not_the_mean_over_lines():
    found = rates([line("a", 1, 10), line("b", 9, 30)])
    assert found["all"].rate == 0.25
    assert found["all"].count == 40


def test_faulty_lines_are_incomplete_or_stray():
    lines = [line("a", 0, 1, True, True), line("b", 0, 1, True, False), line("c", 0, 1, False, True), line("d", 0, 1)]
    found = rates(lines)
    assert [found[name].rate for name in ("incomplete", "stray", "faulty")] == [0.5, 0.5, 0.75]


def test_class_that_no_text_has_is_nan():
    digits = rates([line("a", 1, 10)])["digits"]
    assert math.isnan(digits.rate)
    assert digits.count == 0


def test_interval_is_that_of_a_known_distribution():
    rng = np.random.default_rng(0)
    lines = [line(str(k), int(rng.random() < 0.2), 1) for k in range(400)]
    found = rates(lines)["all"]
    half = 1.96 * math.sqrt(found.rate * (1 - found.rate) / 400)
    assert found.rate - found.low == pytest.approx(half, rel=0.12)
    assert found.high - found.rate == pytest.approx(half, rel=0.12)


def test_lines_of_one_group_do_not_narrow_the_interval():
    apart = rates([line(f"{k}-{seed}", k % 2, 1) for k in range(30) for seed in range(4)])["all"]
    together = rates([line(str(k), k % 2, 1) for k in range(30) for _ in range(4)])["all"]
    assert together.high - together.low == pytest.approx(2 * (apart.high - apart.low), rel=0.15)


def test_reading_of_two_rows_has_the_ink_of_both():
    both = Reading("ab", (1, 2, 3)) + Reading("c", (4, 5))
    assert both == Reading("ab c", (1, 2, 3, 4, 5))
    assert len(both.ink) == len(both.text) + 1
