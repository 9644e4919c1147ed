"""Faults are found from the attention, and from a pen that stays up."""

import numpy as np

from vrnn_engine.runtime.text.faults import BACK_POINTS, MOST, UP_POINTS, count_faults
from vrnn_engine.runtime.text.part import Kind, Part
from vrnn_engine.runtime.text.part_run import PartRun

WORD = Part(Kind.WORD, 3, 7, 7)  # four characters at the places 3 to 6


def run_of(attention: list[np.ndarray], offsets: list[int], is_complete: bool = True, up: int = 1) -> PartRun:
    """Return the run of a word whose last `up` points have the pen up."""
    frames = np.zeros((len(offsets), 3), np.float32)
    frames[len(frames) - up :, 2] = 1
    return PartRun(WORD, 0, 0, False, is_complete, frames, np.array(attention), np.array(offsets))


def faults(places: list[float], offset: int = 0, is_complete: bool = True, up: int = 1) -> int:
    """Count the faults of a word in which the attention is at these places, one after the other."""
    attention = [np.exp(-4 * (np.arange(22) + offset - place) ** 2).astype(np.float32) for place in places]
    return count_faults(run_of(attention, [offset] * len(places), is_complete, up))


STEADY = list(np.arange(2.5, 7.5, 0.1))


def test_word_that_is_read_steadily_has_no_fault() -> None:
    assert faults(STEADY) == 0
    assert faults(STEADY, offset=2) == 0


def test_window_that_moves_on_changes_nothing() -> None:
    offsets = [0] * 20 + [3] * 30
    attention = [np.exp(-4 * (np.arange(22) + offset - p) ** 2) for p, offset in zip(STEADY, offsets, strict=True)]
    assert count_faults(run_of(attention, offsets)) == 0
    assert count_faults(run_of(attention, [0] * 50)) > 0  # such as it is if the move is ignored


def test_skipped_character_is_a_fault() -> None:
    assert faults([place for place in STEADY if not 4.3 < place < 5.7]) == 1


def test_attention_that_stalls_is_a_fault() -> None:
    assert faults(STEADY[:25] + [STEADY[25]] * int(MOST) + STEADY[25:]) == 1


def test_attention_that_goes_back_is_a_fault() -> None:
    assert faults([*STEADY, *[4.0] * BACK_POINTS]) == 1
    assert faults([*STEADY, *[4.0] * (BACK_POINTS - 1)]) == 0  # the dot of an i


def test_word_that_was_cut_is_a_fault() -> None:
    assert faults(STEADY, is_complete=False) == 1


def test_pen_that_stays_up_is_a_fault() -> None:
    assert faults(STEADY, up=UP_POINTS + 1) == 1
    assert faults(STEADY, up=UP_POINTS) == 0
