"""Ink is observed with its text, and the stream then begins a line in the hand of that ink."""

from pathlib import Path

import numpy as np
import pytest

from vrnn_engine import Engine, StreamError
from vrnn_engine.runtime.text.alphabet import Alphabet

INK = np.random.default_rng(3).normal(0, 1, (90, 3)).astype(np.float32)
INK[:, 2] = INK[:, 2] > 0
LINE = "The quick brown fox jumps over the lazy dog."


@pytest.fixture(scope="module")
def engine(text_voice: Path) -> Engine:
    return Engine.load(text_voice, "cpu", rows=2)


def observe(engine: Engine, text: str) -> np.ndarray:
    """Return the log-likelihood of each point of the ink, with a window that is placed anew in each step."""
    graph, script = engine.stepper.graphs.observe, engine.stepper.require_script()
    symbols, stream = Alphabet(script.text), engine.stream(7)
    arrays, offset, found = stream.state.arrays, 0, []
    for t, point in enumerate(INK):
        shown = (text + "\n")[offset : offset + script.text.window]
        noise = {name: values[np.newaxis] for name, values in stream.state.noise.at(t).items()}
        characters = symbols.indices(shown, script.text.window)[np.newaxis]
        arrays, outputs = graph.run(arrays, noise, stream.controls.table, point[np.newaxis], characters)
        found.append(outputs["log_likelihood"][0])
        while outputs["text.position"][0] >= 10:
            offset, arrays = offset + 1, {**arrays, "position": arrays["position"] - 1}
            outputs["text.position"] = outputs["text.position"] - 1
    assert offset > 0
    return np.array(found)


def test_text_is_shown_to_the_attention(engine: Engine) -> None:
    stream = engine.stream(7)
    with_text = stream.prime(INK, text=LINE).log_likelihood
    assert np.allclose(with_text, observe(engine, LINE), atol=1e-5)
    assert not np.allclose(with_text, engine.stream(7).prime(INK).log_likelihood, atol=1e-3)


def test_parts_of_ink_without_a_text_are_one_recording(engine: Engine) -> None:
    whole, parts = engine.stream(7), engine.stream(7)
    likelihood = whole.prime(INK).log_likelihood
    assert np.array_equal([parts.prime(point[np.newaxis]).log_likelihood[0] for point in INK], likelihood)
    assert np.array_equal(whole.read(30), parts.read(30))


@pytest.mark.parametrize("text", [None, LINE])
def test_ink_after_priming_begins_a_line_in_that_hand(engine: Engine, text: str | None) -> None:
    stream, script = engine.stream(7), engine.stepper.require_script()
    stream.prime(INK, text=text)
    hand = stream.state
    assert np.any(hand.arrays["h"])
    stream.write("abc")
    arrays = {name: np.zeros_like(a) if name in script.text.restart else a for name, a in hand.arrays.items()}
    noise = {name: values[np.newaxis] for name, values in hand.noise.at(len(INK)).items()}
    characters = script.alphabet.indices("abc\n", script.text.window)[np.newaxis]
    _, outputs = engine.stepper.graphs.step.run(arrays, noise, stream.controls.table, None, characters)
    assert np.allclose(stream.read(1), outputs["frame"], atol=1e-6)


def test_priming_amid_a_text_begins_a_new_line(engine: Engine) -> None:
    stream = engine.stream(7, text="one two three")
    ink = stream.read(2)
    unread = len(stream.state.writing().ready)
    stream.prime(INK, text=LINE)
    assert (stream.written, stream.pending) == (0, 13)
    ink = np.concatenate([ink, stream.read(unread)])  # the word that was begun
    path = np.cumsum(ink[:, :2], axis=0, dtype=np.float64)
    below = path[-1] + stream.read(1)[0, :2] - path.mean(axis=0)
    assert abs(below[1] - 11.0) < 5
    stream.read_text()
    assert (stream.written, stream.pending) == (13, 0)


def test_continuing_from_another_stream_takes_its_hand_and_keeps_the_text(engine: Engine) -> None:
    primed, stream = engine.stream(1), engine.stream(7, text="one two three")
    primed.prime(INK, text=LINE)
    stream.read(4)
    stream.continue_from(primed)
    assert stream.written + stream.pending == 13
    stream.read_text()
    assert (stream.written, stream.pending) == (13, 0)
    assert np.array_equal(stream.state.arrays["summary"], primed.state.arrays["summary"])


@pytest.mark.parametrize("text", ["two\nlines", "Café", ""])
def test_text_of_ink_is_one_line_of_known_characters(engine: Engine, text: str) -> None:
    stream = engine.stream(7)
    state = stream.state
    with pytest.raises(StreamError):
        stream.prime(INK, text=text)
    assert stream.state is state


def test_end_of_the_line_may_be_given(engine: Engine) -> None:
    given, left_out = engine.stream(7).prime(INK, text=LINE + "\n"), engine.stream(7).prime(INK, text=LINE)
    assert np.array_equal(given.log_likelihood, left_out.log_likelihood)
