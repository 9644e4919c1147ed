"""Damaged input of each reader is accepted, or refused in one line.  benchmarks/mutations.py tries many more."""

import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fuzz import READERS
from support.fuzz.damage import PIECES
from support.fuzz.reader import Reader, Verdict, judge
from support.memory import CLEAR


@pytest.fixture(scope="module", params=READERS)
def ready(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Reader, Any]]:
    """A reader, and what it reads from valid input."""
    before = dict(os.environ)
    reader = READERS[request.param](tmp_path_factory.mktemp(request.param))
    yield reader, reader.read(reader.valid)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def homes() -> None:
    """Replace the fixture of all tests, which hypothesis would share between its examples."""


@given(rng=st.randoms(use_true_random=False))
def test_damaged_input_is_accepted_or_refused_in_one_line(ready: tuple[Reader, Any], rng: Random) -> None:
    reader, expected = ready
    damaged = reader.damaged(rng)
    verdict = judge(reader, damaged, expected)
    assert not verdict.is_fault, f"{verdict.kind} for {damaged!r:.2000}:\n{verdict.detail}"


def test_bytes_that_are_nothing_are_refused_in_one_line(ready: tuple[Reader, Any]) -> None:
    reader, expected = ready
    if not isinstance(reader.valid, bytes):
        pytest.skip("this reader takes several parts")
    for piece in (b"", *PIECES):
        verdict = judge(reader, piece, expected)
        assert not verdict.is_fault, f"{verdict.kind} for {piece!r:.60}:\n{verdict.detail}"


@pytest.mark.skipif(not CLEAR.exists(), reason="needs Linux")
def test_memory_of_one_input_is_seen_although_the_process_has_had_as_much() -> None:
    reader = Reader(0, lambda rng: 0, lambda count: len(b"x" * count))
    for _ in range(2):
        assert judge(reader, 600 << 20, 600 << 20).kind == "memory"
    assert judge(reader, 1 << 20, 1 << 20).kind == "equal"


def test_valid_input_is_accepted(ready: tuple[Reader, Any]) -> None:
    reader, expected = ready
    assert judge(reader, reader.valid, expected) == Verdict("equal")
