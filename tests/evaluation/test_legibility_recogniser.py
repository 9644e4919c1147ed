"""The recogniser: the geometry it sees, its training on a few lines, its file, and the lines that it may see."""

import numpy as np
import pytest
import torch
from support.drawn_text import ALPHABET, draw, random_text, write_corpus

from vrnn_engine.data.options import PenData, TextLines
from vrnn_engine.data.text.corpus import TextCorpus
from vrnn_engine.data.text.prepared import TextLine
from vrnn_engine.errors import CheckpointError, DataError
from vrnn_engine.evaluation.legibility.errors import line_errors
from vrnn_engine.evaluation.legibility.features import FEATURES, STEP, features, on_paper
from vrnn_engine.evaluation.legibility.lines import held_out_lines, is_held_out_of_new, other_lines, voice_lines
from vrnn_engine.evaluation.legibility.measure import measure, rows_of
from vrnn_engine.evaluation.legibility.recogniser import Recogniser, best_path, pad, read_ink
from vrnn_engine.evaluation.legibility.recogniser_file import TrainedRecogniser, load_recogniser, save_recogniser
from vrnn_engine.evaluation.legibility.training import RecogniserTraining, Schedule
from vrnn_engine.evaluation.legibility.variation import batches, group_weights, line_weights, varied

OPTIONS = PenData(
    rows=4, chunk=100, rate=30, resample=True, height_mm=1.8, text=TextLines(max_characters=6, rest=3, drop=0.1)
)


def tiny(seed=0):
    torch.manual_seed(seed)
    return Recogniser(ALPHABET, channels=24, units=24, dropout=0.0).eval()


def lines_of(count, seed=0):
    rng = np.random.default_rng(seed)
    texts = [random_text(rng) for _ in range(count)]
    return [TextLine(f"w{k}#0", draw(text, rng), text, f"w{k}", "") for k, text in enumerate(texts)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A recogniser that was trained on 40 lines, and its file."""
    path = tmp_path_factory.mktemp("recogniser") / "recogniser.pt"
    schedule = Schedule(updates=240, rows=12, learning_rate=1e-2, warmup=20, average=0.9, save_every=240)
    torch.manual_seed(0)
    model = Recogniser(ALPHABET, channels=24, units=24, dropout=0.0)
    return RecogniserTraining(model, lines_of(40), np.ones(40), schedule).run(path, frozenset({"a", "b"}), []), path


def test_features_do_not_depend_on_unit_and_rate():
    corners = draw("aB2.")
    path = np.cumsum(corners[:, :2], axis=0)
    middle = np.repeat(path, 2, axis=0)
    inside = np.flatnonzero(corners[:-1, 2] == 0)
    middle[2 * inside + 1] = (path[inside] + path[inside + 1]) / 2
    lifted = np.repeat(corners[:, 2], 2)
    lifted[::2] = 0
    drop = 2 * np.flatnonzero(corners[:, 2]) + 1  # no point between two strokes
    lifted[drop - 1] = 1
    twice = np.column_stack([np.diff(25 * middle, axis=0, prepend=25 * middle[:1]), lifted])
    twice = np.delete(twice, drop, axis=0)
    assert len(twice) > 1.7 * len(corners)
    np.testing.assert_allclose(features(twice), features(corners), atol=1e-4)


def test_features_have_equal_distances_along_strokes():
    line = draw("ab")
    found = features(line)
    assert found.shape[1] == FEATURES
    drawn = 16 + 14
    height = np.sqrt(np.average((np.cumsum(line[:, 1]) - np.cumsum(line[:, 1]).mean()) ** 2))
    assert on_paper(found).sum() == pytest.approx(drawn / height / STEP, rel=0.2)
    np.testing.assert_allclose(np.hypot(*found[on_paper(found), :2].T), 1, atol=1e-5)


def test_dots_and_a_single_point_have_features():
    for line in (draw("."), draw(".."), np.array([[3.0, 4.0, 0.0]]), draw("1")):
        found = features(line)
        assert np.isfinite(found).all()
        assert found[-1, 7] == 1
    assert len(features(draw(".."))) == 2


def test_features_do_not_change_the_line():
    line = draw("ab")
    line[-1, 2] = 0
    before = line.copy()
    features(line)
    np.testing.assert_array_equal(line, before)


def test_result_does_not_depend_on_the_lines_beside_it():
    model, lines = tiny(), [features(draw(text)) for text in ("a", "AB12.ab", "2.1")]
    scores, steps = model(*pad(lines))
    for row, one in enumerate(lines):
        alone, count = model(*pad([one]))
        assert count == steps[row]
        torch.testing.assert_close(scores[:count, row], alone[:, 0], atol=1e-5, rtol=1e-4)


def test_both_directions_are_read():
    model, line = tiny(), features(draw("a"))
    base = model(*pad([line]))[0].detach()
    for changed, seen in ((0, -1), (-1, 0)):
        other = line.copy()
        other[changed] += 5
        assert not torch.allclose(model(*pad([other]))[0][seen], base[seen], atol=1e-7)


def test_backward_direction_begins_at_the_end_of_a_line():
    model, line = tiny(), features(draw("a"))
    with torch.no_grad():
        for weight in model.forwards.parameters():
            weight.zero_()
    other = line.copy()
    other[0] += 5
    before, after = (model(*pad([one]))[0] for one in (line, other))
    torch.testing.assert_close(before[-1], after[-1])
    assert not torch.allclose(before[0], after[0])


def test_best_path_leaves_out_blanks_and_repetitions():
    classes = torch.tensor([0, 3, 3, 0, 3, 1, 1, 2, 0, 5])
    scores = torch.nn.functional.one_hot(classes, 6).float()[:, None].repeat(1, 2, 1)
    found = best_path(scores, torch.tensor([10, 7]))
    assert found == [[(1, 3), (4, 3), (5, 1), (7, 2), (9, 5)], [(1, 3), (4, 3), (5, 1)]]


def test_recogniser_learns_a_handful_of_lines(trained):
    model, _ = trained
    for lines, most in ((lines_of(40), 0.3), (lines_of(40, seed=5), 0.4)):
        wrong = sum(one.wrong[0] for one in measure(model, lines))
        assert wrong < most * sum(len(line.text) for line in lines)


def test_ink_between_characters_is_all_the_ink(trained):
    model, _ = trained
    ink = draw("AB2AB2")
    (read,) = read_ink(model, [ink])
    assert sum(read.ink) == on_paper(features(ink)).sum()
    assert len(read.ink) == len(read.text) + 1 > 1
    assert min(read.ink[1:-1]) > 0
    assert sum(read.ink[:-1]) > 0.6 * sum(read.ink)  # the last character begins behind most of the ink


def test_file_holds_weights_and_held_out_lines(trained):
    model, path = trained
    loaded = load_recogniser(path)
    assert loaded.held_out == {"a", "b"}
    assert loaded.model.alphabet == ALPHABET
    assert not loaded.model.training
    for one, other in zip(loaded.model.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("damage", "advice"), [("missing", "train one"), ("truncated", "train again"), ("foreign", "train one")]
)
def test_file_that_is_no_recogniser_is_an_error(tmp_path, damage, advice):
    path = tmp_path / "recogniser.pt"
    save_recogniser(TrainedRecogniser(tiny(), frozenset()), path)
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        torch.save({"magic": "something else"}, path)
    with pytest.raises(CheckpointError, match=rf"recogniser\.pt: .*{advice}"):
        load_recogniser(path)


def test_resumed_training_continues_alike(tmp_path):
    def run(schedule, path):
        torch.manual_seed(0)
        model = Recogniser(ALPHABET, channels=8, units=8)
        return RecogniserTraining(model, lines_of(12), np.ones(12), schedule), path

    whole, path = run(Schedule(updates=6, rows=2, save_every=2), tmp_path / "whole.pt")
    whole.run(path, frozenset(), [])
    first, path = run(Schedule(updates=6, rows=2, save_every=2), tmp_path / "parts.pt")
    for batch in batches(first.lines, first.weights, 2, 1, 0):
        first.update(batch)
        if first.done == 4:
            break
    first.save(path, frozenset())
    second, path = run(Schedule(updates=6, rows=2, save_every=2), path)
    second.resume(path)
    assert second.done == 4
    second.run(path, frozenset(), [])
    for one, other in zip(second.average.parameters(), whole.average.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_batches_continue_where_they_stopped():
    lines, weights = lines_of(10), np.ones(10)
    every = batches(lines, weights, 3, 7, 0)
    taken = [next(every) for _ in range(20)]
    later = next(batches(lines, weights, 3, 7, 18))
    assert [text for _, text in later] == [text for _, text in taken[18]]
    np.testing.assert_array_equal(later[0][0], taken[18][0][0])


def test_varied_line_keeps_its_strokes_and_looks_different():
    line = draw("AB12")
    rng = np.random.default_rng(0)
    one, other = varied(line, rng), varied(line, rng)
    np.testing.assert_array_equal(one[:, 2], line[:, 2])
    assert np.abs(one - other).max() > 0.05
    assert np.abs(np.cumsum(one[:, :2], 0) - np.cumsum(line[:, :2], 0)).max() < 40


def test_texts_with_rare_characters_weigh_more():
    weights = line_weights(["ab"] * 98 + ["abq"] + ["aq"], common=0.1)
    assert weights[0] == 1
    assert weights[98] == weights[99] == 5
    assert line_weights(["a"] * 999 + ["q"], most=6.0)[-1] == 6


def test_texts_with_few_small_letters_weigh_more():
    weights = line_weights(["a aA", "aa", "A1", "A1.,"], common=0.0, most=5.0)
    np.testing.assert_allclose(weights, [2, 1, 5, 5])


def test_groups_of_texts_have_their_shares():
    groups = [["ab"] * 50, ["abq", "a1"], []]
    weights = group_weights(groups, (0.6, 0.2, 0.2))
    assert weights[:50].sum() == pytest.approx(0.75)
    assert weights[51] > weights[50] > weights[0]
    assert weights.sum() == pytest.approx(1)


def test_recogniser_sees_no_line_that_the_voice_was_trained_on(tmp_path):
    ids = [f"f{k}.dat#{k}" for k in range(200)]
    path = write_corpus(tmp_path / "own.npz", ids)
    corpus, found = TextCorpus(path, ALPHABET, OPTIONS), voice_lines(path, ALPHABET, OPTIONS)
    train, test = ({line.id for line in found[split]} for split in ("train", "test"))
    assert test == set(corpus.identities["test"])
    assert not (train | test) & set(corpus.identities["train"])
    assert not train & test
    assert train > set(corpus.identities["valid"])
    assert any(len(line.text) > 6 for line in found["train"])  # too long for the voice
    assert {line.id for line in found["seen"]} == set(corpus.identities["train"])
    assert not found["new"]


def test_lines_of_sessions_that_the_voice_never_saw_train_the_recogniser_unless_held_out(tmp_path):
    ids = [f"f{k % 4}.dat#{k}" for k in range(400)]
    path = write_corpus(tmp_path / "own.npz", ids)
    before, after = (voice_lines(path, ALPHABET, OPTIONS, new) for new in (frozenset(), frozenset({"f1.dat"})))
    train, test, new, seen = ({line.id for line in after[split]} for split in ("train", "test", "new", "seen"))
    session = {one for one in ids if one.startswith("f1.dat")}
    assert not seen & session
    assert session <= train | new | test
    assert not train & (new | test)
    assert new == {one for one in session if is_held_out_of_new(one)} >= test & session
    assert 10 < len(new) < 35
    assert test == {line.id for line in before["test"]}


def test_lines_of_a_form_are_in_one_split(tmp_path):
    ids = [f"a{k // 4:02d}-{k}" for k in range(240)]
    found = other_lines(write_corpus(tmp_path / "other.npz", ids, contributor=None), ALPHABET)
    forms = [{line.writer for line in found[split]} for split in ("train", "valid", "test")]
    assert all(forms)
    assert sum(map(len, forms)) == len(set.union(*forms)) == 60


def test_corpus_without_held_out_lines_is_an_error(tmp_path):
    path = write_corpus(tmp_path / "own.npz", [f"f#{k}" for k in range(5)])
    assert [line.id for line in held_out_lines([path], frozenset({"f#3", "g"}), ALPHABET)["own"]] == ["f#3"]
    with pytest.raises(DataError, match=r"own\.npz: none of its lines was held out"):
        held_out_lines([path], frozenset({"g"}), ALPHABET)


def page_of(rows):
    """Return the ink of rows that are 20 apart."""
    page = np.concatenate(rows)
    ends = np.cumsum([len(row) for row in rows])[:-1]
    for start, row in zip(ends, rows[:-1], strict=True):
        page[start, :2] = -row[:, 0].sum(), 20 - row[:, 1].sum()
    return page


def test_page_is_cut_into_its_rows():
    rows = [draw("AB12"), draw("cd2"), draw("1aB")]
    assert [len(row) for row in rows_of(page_of(rows), 20.0)] == [len(row) for row in rows]
    assert len(rows_of(rows[0], 20.0)) == 1


def test_page_is_read_as_one_text(trained):
    model, _ = trained
    rows = [draw("AB12"), draw("cd2"), draw("1aB")]
    page = page_of(rows)
    (found,) = measure(model, [TextLine("page#1", page, "AB12\ncd2 1aB", "page", "")], 20.0)
    first, second, third = read_ink(model, rows)
    assert found == line_errors("AB12 cd2 1aB", first + second + third, "page")
    assert found.characters[0] == 12
    assert found.wrong[0] < 8
