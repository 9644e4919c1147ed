"""Recording conditions of training stretches: what is drawn, what changes, and what stays."""

import dataclasses
import itertools

import msgspec
import numpy as np
import pytest
from support.corpora import make_speech, speech_corpus, split_names

from vrnn_engine.data.augment.spectra import telephone_band
from vrnn_engine.data.augment.stretches import Condition, apply, draw_condition
from vrnn_engine.data.options import Augment, SpeechData

RATE = 8000
ALL = Augment(clean=0.5, gain=6.0, edge=1.0, edge_from=3000.0, fill_from=3500.0, tilt=6.0, telephone=0.4, noise=0.5)
"""Changes every stretch that is not clean, in each way for some of them."""


@pytest.fixture
def folder(tmp_path):
    return make_speech(tmp_path, split_names(3), rate=RATE, seconds=1.0)


def epoch(folder, split="train", seed=4, **options):
    corpus = speech_corpus(folder, RATE, context=2, **options)
    return list(corpus.epoch(split, None if seed is None else np.random.default_rng([1, seed])))


def same(one, two):
    return all(
        np.array_equal(a.signal, b.signal)
        and a.fresh == b.fresh
        and (a.heard is None) == (b.heard is None)
        and (a.heard is None or np.array_equal(a.heard, b.heard))
        for a, b in zip(one, two, strict=True)
    )


def test_an_epoch_is_determined_by_its_seed(folder):
    assert same(epoch(folder, augment=ALL), epoch(folder, augment=ALL))
    assert not same(epoch(folder, augment=ALL), epoch(folder, seed=5, augment=ALL))


def test_with_clean_stretches_only_an_epoch_is_one_without_augmentation(folder):
    assert same(epoch(folder, augment=msgspec.structs.replace(ALL, clean=1.0)), epoch(folder))


@pytest.mark.parametrize("split", ["valid", "test"])
def test_validation_and_test_stay_clean(folder, split):
    assert same(epoch(folder, split, augment=ALL), epoch(folder, split))
    assert same(epoch(folder, split, None, augment=ALL), epoch(folder, split, None))
    assert same(epoch(folder, seed=None, augment=ALL), epoch(folder, seed=None))


def test_half_of_the_stretches_stay_as_they_are_and_each_keeps_its_condition(folder):
    plain, changed = epoch(folder), epoch(folder, augment=ALL)
    unchanged = np.array(
        [
            (one.signal == two.signal).all(axis=(0, 2)) & (two.heard is None or (two.heard == one.signal).all((0, 2)))
            for one, two in zip(plain, changed, strict=True)
        ]
    )
    stretches = [unchanged[i : i + 2] for i in range(0, len(unchanged), 2)]  # the state is carried over two batches
    assert all((part == part[0]).all() for part in stretches)
    assert 0.3 < np.mean([part[0] for part in stretches]) < 0.7


def test_frames_of_a_stretch_follow_each_other_across_batches(folder):
    """The two context frames of a batch are the last two frames of the batch before it."""
    batches = epoch(folder, augment=ALL)
    pairs = [(a, b) for a, b in itertools.pairwise(batches) if not b.fresh]
    assert pairs
    for before, after in pairs:
        assert np.array_equal(before.signal[-2:], after.signal[:2])
        if after.heard is not None:
            assert np.array_equal(before.heard[-2:], after.heard[:2])


def conditions(options, count=4000):
    rng = np.random.default_rng(7)
    return [draw_condition(options, RATE, 1000.0, rng) for _ in range(count)]


def test_conditions_have_the_shares_and_ranges_of_the_options():
    drawn = conditions(ALL)
    changed = [condition for condition in drawn if condition != Condition()]
    assert len(changed) / len(drawn) == pytest.approx(0.5, abs=0.03)
    share = lambda name: np.mean([bool(getattr(c, name)) for c in changed])  # noqa: E731
    assert share("telephone") == pytest.approx(0.4, abs=0.04)
    assert share("noise") == pytest.approx(0.5, abs=0.04)
    assert share("filled") == pytest.approx(0.5, abs=0.04)
    assert all(bool(c.filled) != bool(c.cut) for c in changed)
    gains = 20 * np.log10([c.gain for c in changed])
    assert (gains.min(), gains.max()) == pytest.approx((-6, 6), abs=0.05)
    ratios = [20 * np.log10(1000 * c.gain / c.noise) for c in changed if c.noise]
    assert (min(ratios), max(ratios)) == pytest.approx((15, 30), abs=0.05)
    edges = [c.cut[0] for c in changed if c.cut]
    assert (min(edges), max(edges)) == pytest.approx((3000, 4000), abs=5)
    fills = [c.filled[0] for c in changed if c.filled]
    assert (min(fills), max(fills)) == pytest.approx((3500, 3800), abs=2)


def test_an_option_does_not_change_what_is_drawn_for_the_others():
    without = conditions(msgspec.structs.replace(ALL, telephone=0.0), 50)
    assert without == [dataclasses.replace(condition, telephone=False) for condition in conditions(ALL, 50)]


def test_the_target_has_neither_the_noise_nor_the_telephone_band():
    sound = (3000 * np.random.default_rng(0).standard_normal(4000)).astype(np.int16)
    read = lambda first, count: sound[first : first + count]  # noqa: E731
    made = apply(Condition(noise=300.0, seed=3), read, len(sound), RATE, 1000, 2000)
    assert np.array_equal(made.target, sound[1000:3000])
    assert (made.heard - made.target.astype(float)).std() == pytest.approx(300, rel=0.1)
    phone = apply(Condition(gain=0.5, telephone=True), read, len(sound), RATE, 1000, 2000)
    assert np.array_equal(phone.target, np.rint(0.5 * sound[1000:3000]))
    around = telephone_band(0.5 * sound[200:3800].astype(float), RATE)[800:2800]
    assert np.array_equal(phone.heard, np.rint(around))  # filtered with the sound around the stretch


def test_a_loud_stretch_is_clipped_and_does_not_wrap():
    sound = np.full(1000, 30000, np.int16)
    made = apply(Condition(gain=2.0), lambda first, count: sound[first : first + count], 1000, RATE, 0, 1000)
    assert made.target.max() == made.target.min() == 32767


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"clean": 0.4}, "clean"),
        ({"noise_least": 31.0}, "noise_most 30.0 is below noise_least 31.0"),
        ({"edge": 0.5, "edge_from": 9000.0}, "edge_from must be above a quarter and below half"),
        ({"hiss": 1.0}, "hiss"),
    ],
)
def test_a_table_that_makes_no_sense_is_an_error(table, message):
    fields = {"kind": "speech", "rate": 16000, "lanes": 2, "chunk": 5, "carry": 2, "augment": table}
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(fields, SpeechData)
