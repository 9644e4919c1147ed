"""A voice that a page computes gives the frames of the engine."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.browser import Browser, serve_folder
from support.played_page import POLICY, write_page
from support.played_voice import VOICES, play, step

from vrnn_engine import Engine
from vrnn_engine.runtime.live.events import AnyEvent, Reset, Set
from vrnn_engine.runtime.live.performance import Performance

TOLERANCE = 1e-4
"""Of the largest value, as in the manifests of the bundled voices."""


@pytest.fixture(scope="module")
def page(browser: Browser, fragile: Path, loud: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The browser with a page that may do no more than it needs, as from a strict server."""
    folder = tmp_path_factory.mktemp("page")
    write_page(folder, blizzard=VOICES / "blizzard", handwriting=VOICES / "handwriting", fragile=fragile, loud=loud)
    with serve_folder(folder, {"Content-Security-Policy": POLICY}) as url:
        browser.open(url)
        yield browser
        assert browser.errors() == []


@pytest.fixture(scope="module")
def sound() -> Engine:
    return Engine.load("blizzard")


@pytest.fixture(scope="module")
def pen() -> Engine:
    return Engine.load("handwriting")


def difference(ours: np.ndarray, engines: np.ndarray) -> float:
    """Return the largest difference as a part of the largest value."""
    return float(np.abs(ours - engines).max() / np.abs(engines).max())


def test_each_of_200_frames_of_sound_is_that_of_the_engine(page: Browser, sound: Engine) -> None:
    """Differences grow from frame to frame, as between two computers; so each frame is compared from its state."""
    stream = sound.stream(seed=2**64 - 1)
    graph = stream.stepper.graphs.step
    sizes = {name: shape[0] for name, shape in graph.state.items()}
    states, ours = step(page, "blizzard", stream.seed, 200, list(sizes))
    engines = np.empty_like(ours)
    for t, packed in enumerate(np.split(states, 200)):
        parts = np.split(packed, np.cumsum(list(sizes.values()))[:-1], axis=1)
        noise = {name: row[np.newaxis] for name, row in stream.state.noise.at(t).items()}
        engines[t] = graph.run(dict(zip(sizes, parts, strict=True)), noise, stream.controls.table)[1]["frame"][0]
    assert difference(ours, engines) < TOLERANCE / 10
    assert difference(ours[:16], stream.read(16).reshape(16, -1)) < TOLERANCE


def test_200_points_of_ink_are_those_of_the_engine(page: Browser, pen: Engine) -> None:
    ours, _ = play(page, "handwriting", 200, seed=3)
    assert difference(ours, pen.stream(seed=3).read(200)) < TOLERANCE


@pytest.mark.parametrize(
    ("text", "seed", "width", "retries"),
    [("Dear Anna, thank you  \r\n\nfor the letter.", 7, 60.0, 0), ("zyzzyva 11", 2, None, 1)],
)
def test_a_text_is_written_as_by_the_engine(
    page: Browser, pen: Engine, text: str, seed: int, width: float | None, retries: int
) -> None:
    stream = pen.stream(seed=seed, text=text, width=width)
    engines = stream.read_text()
    assert stream.retries == retries
    beginning = {"seed": seed, "text": text, "width": width}
    ours, events = play(page, "handwriting", len(engines) + 5, events=("text", "error"), **beginning)
    assert difference(ours[:-5], engines) < TOLERANCE
    assert (ours[-5:] == [0, 0, 1]).all()
    assert events[-1] == ["text", {"written": stream.written, "pending": 0}]


def test_text_is_added_and_erased_as_in_the_engine(page: Browser, pen: Engine) -> None:
    stream = pen.stream(seed=11)
    parts = [stream.read(40)]
    stream.write("one two")
    parts.append(stream.read(60))
    stream.erase(2)
    stream.write("hree")
    stream.reseed(5)
    parts.append(stream.read(100))
    requests = {40: [("write", "one two")], 100: [("erase", 2), ("write", "hree"), ("reseed", 5)]}
    ours, _ = play(page, "handwriting", 200, requests, seed=11)
    assert difference(ours, np.concatenate(parts)) < TOLERANCE


def test_a_ramp_moves_a_control_as_in_the_engine(page: Browser, sound: Engine) -> None:
    moves = [Set(control="output.temperature", value=0.2, ramp=0.1), Set(control="latent.shift", index=3, value=2.0)]
    performance = Performance(sound.stream(seed=5))
    parts = [performance.read(5)]
    for move in moves:
        performance.send(move)
    parts.append(performance.read(15))
    requests = [
        ("set", {"name": one.control, "value": one.value, "index": one.index, "ramp": one.ramp}) for one in moves
    ]
    ours, _ = play(page, "blizzard", 20, {5: requests}, seed=5)
    assert difference(ours.reshape(-1), np.concatenate(parts)) < TOLERANCE


def test_controls_are_reset_when_a_frame_is_not_finite_as_in_a_performance(page: Browser, fragile: Path) -> None:
    performance = Performance(Engine.load(fragile).stream(seed=2))
    parts = [performance.read(5)]
    performance.send(Set(control="latent.temperature", value=0.999e9))
    parts.append(performance.read(20))
    requests = {5: [("set", {"name": "latent.temperature", "value": 0.999e9})]}
    ours, events = play(page, "fragile", 25, requests, events=("error", "reset"), seed=2)
    assert difference(ours.reshape(-1), np.concatenate(parts)) < TOLERANCE
    message = "a frame is not finite: all controls were reset to their defaults"
    assert events == [["reset", {}], ["error", {"message": message}]]


HEAT = "output.temperature"


def test_sound_that_runs_away_returns_to_its_last_good_state_as_in_a_performance(page: Browser, loud: Path) -> None:
    noted: list[AnyEvent] = []
    # The alarm comes before frame 100, after two loud windows of 20 frames; the last good one began with frame 40.
    performance = Performance(Engine.load(loud).stream(seed=2), [Set(frame=65, control=HEAT, value=2.0)], noted.append)
    engines = performance.read(160)
    assert noted[1:] == [Reset(frame=100)]
    requests = {65: [("set", {"name": HEAT, "value": 2.0})]}
    ours, events = play(page, "loud", 160, requests, events=("error", "reset"), seed=2)
    assert difference(ours.reshape(-1), engines) < TOLERANCE
    assert np.array_equal(ours[100:125], ours[40:65])
    where = "its last good state, with default controls"
    assert events == [["reset", {}], ["error", {"message": f"the sound ran away: it continues from {where}"}]]


@pytest.mark.parametrize(
    ("hot", "places"), [((1,), ["last good"]), ((65, 101), ["last good", "initial"])], ids=["at once", "again at once"]
)
def test_sound_that_runs_away_before_it_was_good_returns_as_in_a_performance(
    page: Browser, loud: Path, hot: tuple[int, ...], places: list[str]
) -> None:
    plan = [Set(frame=frame, control=HEAT, value=2.0) for frame in hot]
    engines = Performance(Engine.load(loud).stream(seed=2), plan).read(160)
    requests = {frame: [("set", {"name": HEAT, "value": 2.0})] for frame in hot}
    ours, events = play(page, "loud", 160, requests, events=("error",), seed=2)
    assert difference(ours.reshape(-1), engines) < TOLERANCE
    said = [f"the sound ran away: it continues from its {place} state, with default controls" for place in places]
    assert events == [["error", {"message": message}] for message in said]


@pytest.mark.parametrize(
    "edit",
    [
        "m.controls[0].shape = [2 ** 21]",
        "m.controls[0].shape = [-1, -5]",
        "m.controls[0].shape = ['9']",
        "m.graphs[0].inputs['noise.a'] = [2 ** 13, 2 ** 12]",
        "m.graphs[0].outputs.a = [2 ** 62]",
        "m.frame_size = 2 ** 30",
        "m.text.window = 1e300",
    ],
)
def test_a_manifest_whose_arrays_would_fill_the_memory_is_refused(page: Browser, edit: str) -> None:
    script = """
        const { checkedManifest, Voice } = await import('/player/voice.js');
        const m = (await Voice.load(new URL('handwriting/', location))).manifest;
        %s;
        try { checkedManifest(m); } catch (error) { return error.message; }
    """
    assert page.run(script % edit) == "voice handwriting has sizes that are not possible; export it again"
