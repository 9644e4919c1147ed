"""`vrnn-engine evaluate --legibility`: a tiny voice writes, and a tiny recogniser reads it and real lines."""

import json
import logging
from dataclasses import asdict

import numpy as np
import pytest
import torch
from support.command import the_error
from support.drawn_text import draw, write_corpus

from vrnn_engine import Engine
from vrnn_engine.cli import report
from vrnn_engine.cli.legibility import Written, write_texts
from vrnn_engine.evaluation.legibility.errors import rates
from vrnn_engine.evaluation.legibility.lines import held_out_lines, read_lines, sample
from vrnn_engine.evaluation.legibility.measure import measure, without_rests
from vrnn_engine.evaluation.legibility.recogniser import Recogniser
from vrnn_engine.evaluation.legibility.recogniser_file import TrainedRecogniser, load_recogniser, save_recogniser
from vrnn_engine.evaluation.legibility.texts import Request, requests, same_texts
from vrnn_engine.training.recipe import load_recipe

ALPHABET = load_recipe("handwriting").model.text.alphabet


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder of two corpora, some texts, and a recogniser with random weights."""
    folder = tmp_path_factory.mktemp("legibility")
    ids = [f"a{k}.dat#1" for k in range(12)]
    write_corpus(folder / "own.npz", ids)
    write_corpus(folder / "other.npz", [f"b{k}.dat#1" for k in range(12)], seed=1)
    (folder / "texts.txt").write_text("A cab.\nNo. 12\n", encoding="utf-8")
    torch.manual_seed(0)
    held_out = frozenset(f"{corpus}{k}.dat#1" for corpus in "ab" for k in range(5))
    save_recogniser(TrainedRecogniser(Recogniser(ALPHABET, 8, 8).eval(), held_out), folder / "recogniser.pt")
    return folder


@pytest.fixture
def evaluate(folder, run, text_voice):
    def evaluate(*words, voice=text_voice, texts=folder / "texts.txt"):
        paths = ["--recogniser", folder / "recogniser.pt", "--texts", texts, "--data", folder / "own.npz"]
        return run("evaluate", voice, "--legibility", *paths, *words)

    return evaluate


def test_rates_of_real_and_written_lines_stand_side_by_side(folder, evaluate):
    done = evaluate("--data", folder / "other.npz", "--seeds", 2, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    columns = ["own, real", "own, written", "other, real", "other, written", "texts, written"]
    assert list(found["rates"]) == columns
    assert [found["rates"][column]["faulty"]["count"] for column in columns] == [5, 5, 5, 5, 4]
    assert "left out" not in done.stderr
    assert found["rates"]["texts, written"]["all"]["count"] == 2 * 12
    assert found["rates"]["texts, written"]["digits"]["count"] == 2 * 2
    trained = load_recogniser(folder / "recogniser.pt")
    real = held_out_lines([folder / "own.npz"], trained.held_out, ALPHABET)["own"]
    expected = rates(measure(trained.model, real))["all"]
    assert found["rates"]["own, real"]["all"] == pytest.approx(asdict(expected))
    for column in found["rates"].values():
        assert column["all"]["low"] <= column["all"]["rate"] <= column["all"]["high"]
    assert found["kinds"]["text"] == found["rates"]["texts, written"]
    assert found["words_again"] >= found["words_faulty"] >= 0
    assert found["seeds"] == [0, 1]


def test_table_has_a_row_for_each_class_and_texts_outside_the_alphabet_are_counted(evaluate, tmp_path):
    (tmp_path / "more.txt").write_text("A cab.\nsmörgås\n", encoding="utf-8")
    done = evaluate("--seeds", 1, texts=tmp_path / "more.txt")
    assert done.returncode == 0, done.stderr
    assert "left out 1 texts with characters" in done.stderr
    head, *rows = done.stdout.splitlines()
    assert "own, real" in head
    assert "texts, written" in head
    for name in (
        "all",
        "case ignored",
        "lower case",
        "capitals",
        "digits",
        "punctuation",
        "incomplete",
        "stray",
        "faulty",
    ):
        assert any(row.startswith(name) for row in rows), name
    assert "words written again" in rows[-1]


def test_voice_without_text_is_an_error(evaluate, toy_pen):
    assert "reads no text" in the_error(evaluate(voice=toy_pen))


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--recogniser", "r.pt"], "--recogniser"),
        (["--texts", "t.txt"], "--texts"),
        (["--legibility"], "--recogniser"),
        (["--legibility", "--free-running", "--recogniser", "r.pt"], "--legibility"),
        (["--data", "b.npz"], "--data"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(run, words, option):
    done = run("evaluate", "best.pt", "--data", "a.npz", *words)
    assert done.returncode == 2
    assert option in done.stderr


def test_text_written_in_a_batch_is_the_text_written_alone(text_voice):
    engine = Engine.load(text_voice, "cpu", rows=16)
    wanted = [Request(text, "kind", text, seed) for text in ("A cab.", "12", "No\nor") for seed in (3, 4)]
    together = write_texts(engine, wanted, 11.0)
    assert isinstance(together, Written)
    for request, line in zip(wanted, together.lines, strict=True):
        alone = engine.stream(request.seed, text=request.text, width=187.0 if "\n" in request.text else None)
        np.testing.assert_array_equal(line.ink, without_rests(alone.read_text()))
        assert (line.text, line.writer) == (request.text, request.text)


def test_a_block_without_warnings_prints_none():
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    log = logging.getLogger("vrnn_engine")
    log.addHandler(handler)
    with report.without_warnings():
        log.warning("a fault")
    log.warning("another fault")
    log.removeHandler(handler)
    assert lines == ["another fault"]


def test_rests_are_no_ink():
    ink = draw("AB")
    rests = np.tile(np.float32([0, 0, 1]), (3, 1))
    np.testing.assert_array_equal(without_rests(np.concatenate([ink, rests])), ink)
    dots = draw("..")
    np.testing.assert_array_equal(without_rests(dots), dots)


def test_every_text_is_written_from_every_seed():
    found = requests({"names": ["Al", "Bö"], "page": ["a\nb"]}, [7, 8], set("Alab"))
    assert [(one.text, one.kind, one.name, one.seed) for one in found] == [
        ("Al", "names", "names 1", 7),
        ("Al", "names", "names 1", 8),
        ("a\nb", "page", "page 1", 7),
        ("a\nb", "page", "page 1", 8),
    ]


def test_real_texts_take_the_seeds_in_turn(folder):
    lines = sample(list(read_lines(folder / "own.npz", ALPHABET)), 5, set(ALPHABET))
    assert len(lines) == 5
    assert [one.seed for one in same_texts(lines, "own", [1, 2])] == [1, 2, 1, 2, 1]
    assert [line.id for line in sample(lines, 3, set(ALPHABET))] == [
        line.id for line in sample(lines, 3, set(ALPHABET))
    ]
    assert sample(lines, 3, set()) == []
