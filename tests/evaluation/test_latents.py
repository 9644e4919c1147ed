"""Traces of the latents of a recording, and their pictures."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from support.exports import export_once

from vrnn_engine import Engine
from vrnn_engine.evaluation.figures import COLUMNS, FORMATS, draw_ink, draw_sound, render
from vrnn_engine.evaluation.latents import LatentTrace, LatentTracer, trace_latents
from vrnn_engine.evaluation.long_curve import MOST_POINTS, LongCurve, envelope

MAGIC = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".pdf": b"%PDF-"}


def noise(seconds, rate=16000):
    return np.random.default_rng(3).uniform(-0.3, 0.3, round(seconds * rate)).astype(np.float32)


def ink(points):
    """Return random moves in strokes of 2, 1, 3, 4... points."""
    rng = np.random.default_rng(4)
    line = rng.normal(0.3, 0.5, (points, 3)).astype(np.float32)
    line[:, 2] = np.isin(np.arange(points), (1, 2, 5, 9, 14, 20))
    return line


def curve(*blocks):
    made = LongCurve()
    for block in blocks:
        made.add(block)
    return made


def made_up(frames, frames_per_second=80.0):
    rng = np.random.default_rng(5)
    return LatentTrace(
        np.arange(frames) / frames_per_second,
        rng.gamma(2, 3, frames),
        np.concatenate([[np.nan], rng.gamma(1, 3, frames - 1)]),
        np.zeros(frames),
    )


@pytest.mark.parametrize(("voice", "signal", "centre"), [("audio", noise(0.2), 0.5), ("pen", ink(16), 0.0)])
def test_trace_equals_one_computed_by_hand(voice, signal, centre, request):
    engine = Engine.load(request.getfixturevalue(f"toy_{voice}"), device="cpu")
    manifest = engine.voice.manifest
    seen = engine.stream(1).prime(signal)
    trace = trace_latents(seen.posterior_mean, seen.kl, seen.log_likelihood, manifest.basis, manifest.frames_per_second)
    assert len(trace.seconds) == 16
    for t in range(16):
        frames_per_second = {"audio": 80, "pen": 100}[voice]
        assert trace.seconds[t] == pytest.approx((t + centre) / frames_per_second)
        assert trace.kl[t] == seen.kl[t]
        assert trace.log_likelihood[t] == seen.log_likelihood[t]
        if t > 0:
            moved = [(now - before) ** 2 for now, before in zip(*seen.posterior_mean[[t, t - 1]].tolist(), strict=True)]
            assert trace.change[t] == pytest.approx(sum(moved), rel=1e-5)
    assert np.isnan(trace.change[0])
    assert trace.change[1:].min() > 0


def test_mdct_trace_leaves_out_the_first_step():
    mean = np.array([[9.0, 9.0], [1.0, 2.0], [1.0, 4.0], [0.0, 0.0]])
    trace = trace_latents(mean, np.array([0, 5, 6, 7]), np.array([0, -1, -2, -3]), "mdct", 80)
    assert trace.seconds.tolist() == [1 / 80, 2 / 80, 3 / 80]
    assert trace.kl.tolist() == [5, 6, 7]
    assert trace.log_likelihood.tolist() == [-1, -2, -3]
    assert trace.change[1:].tolist() == [4, 17]


@pytest.mark.parametrize("basis", ["samples", "mdct", "points"])
@pytest.mark.parametrize("steps", [1, 3, 7])
def test_a_trace_is_the_same_in_blocks(basis, steps):
    rng = np.random.default_rng(6)
    mean, kl, likelihood = rng.normal(size=(20, 4)), rng.gamma(2, 3, 20), rng.normal(size=20)
    whole = trace_latents(mean, kl, likelihood, basis, 80)
    tracer = LatentTracer(basis, 80)
    for start in range(0, 20, steps):
        part = slice(start, start + steps)
        tracer.add(mean[part], kl[part], likelihood[part])
    for name, values in vars(tracer.trace()).items():
        np.testing.assert_array_equal(values, getattr(whole, name))


@pytest.fixture(scope="module")
def tiny_mdct(tmp_path_factory):
    return export_once("mdct-gauss", tmp_path_factory).path


@pytest.mark.parametrize("basis", ["samples", "mdct"])
@pytest.mark.parametrize("at", [10.25, 11.995])
def test_click_changes_the_kl_at_its_time(basis, at, toy_audio, tiny_mdct):
    """The first frame whose KL changes contains the click: half a hop to either side without overlap, one with it."""
    engine = Engine.load({"samples": toy_audio, "mdct": tiny_mdct}[basis], device="cpu")
    manifest = engine.voice.manifest
    rate, hop = manifest.rate, manifest.frame_size / manifest.rate
    sound = 0.01 * noise(0.25)[: rate // 4]
    clicked = sound.copy()
    clicked[int(at * manifest.frame_size)] += 0.2
    traces = []
    for samples in (sound, clicked):
        seen = engine.stream(1).prime(samples)
        traces.append(trace_latents(seen.posterior_mean, seen.kl, seen.log_likelihood, manifest.basis, 1 / hop))
    first = traces[0].seconds[np.flatnonzero(traces[0].kl != traces[1].kl)[0]]
    reach = hop if basis == "mdct" else hop / 2
    assert first - reach <= int(at * manifest.frame_size) / rate < first + reach
    assert manifest.basis == basis


def test_envelope_keeps_every_extreme():
    values = np.random.default_rng(0).standard_normal(10_007)
    values[[1234, 9_999]] = 9, -9
    chosen = envelope(values, 100)
    assert len(chosen) <= 200
    assert (np.diff(chosen) > 0).all()
    assert {1234, 9_999} <= set(chosen.tolist())
    length = -(-len(values) // 100)
    for start in range(0, len(values), length):
        piece, kept = values[start : start + length], values[chosen[(chosen >= start) & (chosen < start + length)]]
        assert (kept.min(), kept.max()) == (piece.min(), piece.max())
    assert envelope(values[:200], 100).tolist() == list(range(200))


def test_a_short_curve_keeps_every_value():
    values = noise(3)
    positions, kept = curve(*np.array_split(values, 7)).points()
    np.testing.assert_array_equal(positions, np.arange(len(values)))
    np.testing.assert_array_equal(kept, values)


def test_a_long_curve_keeps_few_points_and_every_extreme():
    values = np.random.default_rng(0).standard_normal(5 * MOST_POINTS + 123).astype(np.float32)
    values[[1234, -2]] = 9, -9
    long = curve(*np.array_split(values, 99))
    assert long.length == len(values)
    positions, kept = long.points()
    assert len(kept) <= MOST_POINTS
    assert (np.diff(positions) > 0).all()
    np.testing.assert_array_equal(kept, values[positions])
    for piece in np.array_split(np.arange(len(values)), COLUMNS):
        inside = kept[(positions >= piece[0]) & (positions <= piece[-1])]
        assert abs(inside.min() - values[piece].min()) < 0.6
        assert abs(inside.max() - values[piece].max()) < 0.6
    assert (kept.min(), kept.max()) == (-9, 9)


def test_sound_has_three_panels_with_one_time_axis():
    trace, samples = made_up(160), noise(2)
    figure = draw_sound(trace, curve(samples), 16000, "costs $5 or $6")
    wave, kl, change = figure.axes
    assert wave.get_title(loc="left") == "costs $5 or $6"
    assert {axes.get_xlim() for axes in figure.axes} == {(0.0, 2.0)}
    np.testing.assert_array_equal(kl.lines[0].get_xydata(), np.column_stack([trace.seconds, trace.kl]))
    np.testing.assert_array_equal(change.lines[0].get_xydata(), np.column_stack([trace.seconds[1:], trace.change[1:]]))
    drawn = wave.lines[0].get_xydata()
    assert len(drawn) <= 2 * COLUMNS
    assert (drawn[:, 1].min(), drawn[:, 1].max()) == (samples.min(), samples.max())
    assert [axes.get_ylabel() for axes in figure.axes] == ["Amplitude", "KL (nats)", "Mean change"]
    assert change.get_xlabel() == "Seconds"
    assert b">costs $5 or $6<" in render(figure, ".svg")  # as it is, not as a formula


def test_picture_of_ten_minutes_is_small():
    figure = draw_sound(made_up(48_000), curve(noise(600)), 16000, "long")
    assert len(render(figure, ".svg")) < 300_000


def test_ink_is_drawn_where_the_pen_was_down():
    points = np.array([[5, 5, 0], [1, 0, 1], [2, 2, 1], [3, 0, 0], [0, 4, 0], [-1, 0, 0]], np.float32)
    trace = made_up(len(points), 50.0)
    page, kl, change, bar = draw_ink(trace, [points], "a line").axes
    (pieces,) = (one for one in page.collections if isinstance(one, LineCollection))
    expected = [
        ([5, 5], [6, 5]),  # a stroke of two points; then the pen goes to a dot, and on to a stroke of three
        ([8, 7], [8, 7]),
        ([11, 7], [11, 11]),
        ([11, 11], [10, 11]),
    ]
    np.testing.assert_allclose(pieces.get_segments(), expected, atol=0.01)
    start, end = pieces.get_segments()[1]
    assert start[0] < end[0]  # a dot of no length would not be drawn
    np.testing.assert_array_equal(pieces.get_array(), trace.kl[[1, 2, 4, 5]])
    assert page.get_aspect() == 1
    assert page.yaxis_inverted()
    assert kl.get_xlim() == change.get_xlim() == (0, trace.seconds[-1])
    for axes in (kl, change):
        (lifts,) = axes.collections
        assert [segment[0][0] for segment in lifts.get_segments()] == trace.seconds[[1, 2]].tolist()
    assert bar.get_ylabel() == "KL (nats)"


def test_picture_of_a_page_of_ink_is_small():
    trace = made_up(9000, 50.0)
    points = np.concatenate([np.random.default_rng(1).normal(0.2, 1, (9000, 2)), np.zeros((9000, 1))], axis=1)
    assert len(render(draw_ink(trace, [points], "long"), ".svg")) < 1_000_000


@pytest.mark.parametrize("ending", FORMATS)
def test_same_figure_gives_the_same_bytes(ending):
    first, second = (render(draw_sound(made_up(20), curve(noise(0.25)), 16000, "twice"), ending) for _ in range(2))
    assert first == second
    assert first.startswith(MAGIC[ending])
