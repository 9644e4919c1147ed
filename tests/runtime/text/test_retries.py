"""A faulty word is generated again with other noise, in the same hand, and always with the same result."""

from pathlib import Path

import numpy as np
import pytest

from vrnn_engine import Engine
from vrnn_engine.runtime.writing import row

WORD = "letters"


@pytest.fixture(scope="module")
def engine(text_voice: Path) -> Engine:
    return Engine.load(text_voice, "cpu")


@pytest.fixture(scope="module")
def seed(engine: Engine) -> int:
    """Return a seed with which the tiny voice skips a character of the word, and then does not."""
    for seed in range(100):
        with engine.stream(seed, text=WORD) as stream:
            stream.read_text()
            if stream.retries and not stream.faults:
                return seed
    pytest.fail("the tiny voice makes no faults")


def test_retries_are_deterministic(engine: Engine, seed: int) -> None:
    text = f"{WORD} and {WORD}"
    first, second = engine.stream(seed, text=text), engine.stream(seed, text=text)
    page = first.read_text()
    assert np.array_equal(np.concatenate([second.read(1) for _ in page]), page)
    assert (second.retries, second.faults) == (first.retries, first.faults)


def test_retry_uses_other_noise(engine: Engine, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    again = engine.stream(seed, text=WORD)
    ink = again.read_text()
    monkeypatch.setattr(row, "MOST_TRIES", 1)
    once = engine.stream(seed, text=WORD)
    faulty = once.read_text()
    assert (once.retries, once.faults) == (0, 1)
    assert not np.array_equal(ink[:3], faulty[:3])
    assert again.state.steps > once.state.steps


def test_retry_keeps_the_hand(engine: Engine, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first word of a stream draws the hand; else a seed would have another hand for each text."""
    again = engine.stream(seed, text=WORD)
    again.read_text()
    monkeypatch.setattr(row, "MOST_TRIES", 1)
    once = engine.stream(seed, text=WORD)
    once.read_text()
    assert np.array_equal(again.latent, once.latent)
    assert np.array_equal(again.state.arrays["style"], once.state.arrays["style"])


def test_word_that_stays_faulty_is_written_and_reported_once(
    engine: Engine, seed: int, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row, "MOST_TRIES", 1)
    stream = engine.stream(seed, text=WORD)
    stream.read_text()
    assert stream.written == len(WORD)
    assert logged == [
        f"voice 'text' with seed {seed}: the word '{WORD}' has a fault in each of 1 tries; the best try is used"
    ]


def test_counts_of_faults_are_saved(engine: Engine, seed: int) -> None:
    stream, other = engine.stream(seed, text=WORD), engine.stream(1)
    stream.read_text()
    other.restore(stream.snapshot())
    assert (other.retries, other.faults) == (stream.retries, 0)
