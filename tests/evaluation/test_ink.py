"""Statistics of ink, on ink whose strokes, slant, size and constancy are known."""

import numpy as np
import pytest
from support.corpora import zigzag

from vrnn_engine.errors import DataError
from vrnn_engine.evaluation.ink import constancy, describe_ink, slants, strokes


def arcs(radius, count=4, points=41):
    """Return half circles of one stroke each."""
    angle = np.linspace(0, np.pi, points)
    one = radius * np.column_stack([1 - np.cos(angle), np.sin(angle)])
    path = np.concatenate([one + [3 * radius * i, 0] for i in range(count)])
    return np.column_stack([np.diff(path, axis=0, prepend=path[:1]), np.tile(np.arange(points) == points - 1, count)])


@pytest.mark.parametrize("lean", [-20, 0, 35])
def test_slant_of_slanted_strokes(lean):
    found = describe_ink([zigzag(lean)])
    assert found.slant.median == pytest.approx(lean, abs=0.1)
    assert found.slant.iqr < 0.1


def test_varying_slants_have_an_interquartile_range():
    found = describe_ink([zigzag(10, wobble=5, points=9000)]).slant
    assert found.median == pytest.approx(10, abs=0.8)
    assert found.iqr == pytest.approx(1.349 * 5, rel=0.15)  # of a normal distribution


def test_short_strokes_have_no_slant():
    tall, low = zigzag(20, points=180), zigzag(-40, height=0.2, points=180)
    assert np.allclose(slants(np.concatenate([tall, low])), 20, atol=0.1)


def test_wandering_baseline_does_not_change_the_slant():
    lines = [zigzag(20, height, points=450, wobble=3, seed=seed) for seed in range(8) for height in (4.0, 2.0)]
    take = np.concatenate(lines)
    take[:, 1] += 15 * np.diff(np.sin(np.arange(len(take)) / 1000), prepend=0)  # by 30 mm in a minute
    one, many = describe_ink([take]).slant, describe_ink(lines).slant
    assert one.median == pytest.approx(many.median, abs=0.5)
    assert one.iqr == pytest.approx(many.iqr, rel=0.15)


@pytest.mark.parametrize("height", [2.0, 6.0])
def test_size_is_the_sd_about_the_baseline(height):
    found = describe_ink([zigzag(0, height)])
    assert found.size.median == pytest.approx(height / np.sqrt(12), rel=0.07)  # of a uniform distribution
    assert found.size.iqr < 0.05 * height


@pytest.mark.parametrize("radius", [0.5, 2.0])
def test_length_and_curvature_of_an_arc(radius):
    found = describe_ink([arcs(radius)])
    assert found.length.median == pytest.approx(np.pi * radius, rel=1e-3)
    assert found.length.iqr == pytest.approx(0, abs=1e-9)
    assert found.curvature.median == pytest.approx(1 / radius, rel=0.03)
    assert found.lifted == 1 / 41


def test_strokes_have_no_moves_in_the_air():
    line = np.array(
        [[0, 0, 0], [1, 0, 0], [1, 0, 1], [50, 9, 0], [0, 2, 1], [30, 0, 1], [7, 7, 0], [0, 0, 0], [3, 0, 0]]
    )
    assert [moves.tolist() for moves in strokes(line)] == [[[1, 0], [1, 0]], [[0, 2]], [[3, 0]]]


def test_dots_have_no_statistics_of_strokes():
    dots = np.tile([1.0, 0.1, 1.0], (200, 1))
    found = describe_ink([dots])
    assert found.lifted == 1
    assert np.isnan([found.length.median, found.curvature.iqr, found.slant.median]).all()


def writers(apart, wobble, count=12):
    """Return one line per writer; `apart` is the sd of slants between writers, `wobble` the one within, in degrees."""
    rng = np.random.default_rng(1)
    return [[zigzag(apart * rng.standard_normal(), 4, 18 * 200, wobble, seed)] for seed in range(count)]


def test_constancy_is_0_for_constant_writers_and_1_for_equal_writers():
    assert constancy(writers(apart=10, wobble=0), piece=90).slant < 0.02
    assert constancy(writers(apart=0, wobble=8), piece=90).slant == pytest.approx(1, abs=0.02)


def test_constancy_is_the_ratio_of_sds():
    """The sd of the median of five slants is 0.536 of their sd."""
    samples = writers(apart=4, wobble=8, count=40)
    own = 0.536 * 8
    assert constancy(samples, piece=90).slant == pytest.approx(own / np.hypot(own, 4), abs=0.08)


def test_constancy_of_each_measure_is_independent():
    sizes = [[zigzag(0, height, 3600, wobble=8, seed=seed)] for seed, height in enumerate((2, 3, 4, 5))]
    found = constancy(sizes, piece=90)
    assert found.size < 0.05
    assert found.slant > 0.9
    assert found.curvature < 0.6


def test_constancy_weights_samples_by_their_pieces():
    """By hand, for pieces of heights 1, 3 and 2, 4, 6, whose sizes are proportional to these."""
    one = [zigzag(0, height, 90) for height in (1, 3)]
    other = [zigzag(0, height, 90) for height in (2, 4, 6)]
    expected = np.sqrt((2 + 8) / 3) / np.std([1, 3, 2, 4, 6], ddof=1)
    assert constancy([one, other], piece=90).size == pytest.approx(expected, rel=1e-3)


def test_constancy_needs_two_samples_with_two_pieces():
    for samples in ([[zigzag(0)]], [[zigzag(0, points=100)]] * 5):
        with pytest.raises(DataError, match="two samples with two pieces"):
            constancy(samples)
