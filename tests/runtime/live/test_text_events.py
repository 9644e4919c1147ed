"""Performances of a voice that writes a text: events write and erase, the latent, listening, and what is shown."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from support.command import Run

from vrnn_engine import Engine, Player, Stream, StreamError
from vrnn_engine.cli.panel import Panel
from vrnn_engine.runtime.live.control.keys import Keyboard
from vrnn_engine.runtime.live.events import AnyEvent, Erase, Follow, Fork, Morph, Restore, Rewind, Save, Set, Write
from vrnn_engine.runtime.live.inputs import RecordingInput
from vrnn_engine.runtime.live.listening_stream import ListeningStream
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.saved import SavedFolder
from vrnn_engine.runtime.live.timeline import Head, PerformanceLog, read_timeline
from vrnn_engine.runtime.snapshot import Tensor

TEXT = "Dear Anna, thank you\nfor 12 letters."


@pytest.fixture(scope="module")
def engine(text_voice: Path) -> Engine:
    return Engine.load(text_voice, "cpu")


@pytest.fixture
def saved(tmp_path: Path) -> SavedFolder:
    return SavedFolder("text", tmp_path / "moments")


def perform(stream: Stream, *events: AnyEvent) -> Performance:
    return Performance(stream, events)


def end_of_first_word(engine: Engine, seed: int = 7, text: str = TEXT) -> int:
    """Return the number of frames of the first word."""
    stream = engine.stream(seed, text=text)
    while not stream.written:
        stream.read(1)
    return stream.frame


def test_text_of_an_event_is_written_like_that_of_the_stream(engine: Engine) -> None:
    performance = Performance(engine.stream(7))
    performance.send(Write(text=TEXT))
    assert np.array_equal(performance.read(100), engine.stream(7, text=TEXT).read(100))


def test_events_take_effect_at_their_frames(engine: Engine) -> None:
    events = [Write(frame=0, text="Dear Anna, thank"), Write(frame=12, text="you"), Erase(frame=13, count=5)]
    stream = engine.stream(7, text="Dear Anna, thank")
    by_hand = [stream.read(12)]
    stream.write("you")
    by_hand.append(stream.read(1))
    assert stream.erase(5) == 5
    by_hand.append(stream.read(200))
    assert np.array_equal(perform(engine.stream(7), *events).read(213), np.concatenate(by_hand))
    assert stream.written == len("Dear Anna, tha")


def test_erasing_more_than_is_pending_erases_all_but_the_word_being_written(engine: Engine) -> None:
    performance = perform(engine.stream(7, text=TEXT), Erase(frame=3, count=10**6))
    performance.read(20)
    assert (performance.stream.written, performance.stream.pending) == (len("Dear"), 0)


def test_rewinding_over_a_write_and_an_erasure_restores_the_pending_text(engine: Engine) -> None:
    performance = Performance(engine.stream(7, text=TEXT))
    performance.read(9)
    performance.send(Write(text=" Bo"))
    performance.read(1)
    assert performance.stream.pending == len(TEXT + " Bo")
    performance.send(Erase(count=20))
    performance.read(2)
    assert performance.stream.pending == len(TEXT + " Bo") - 20
    performance.send(Rewind(seconds=6 / 30))
    frames = performance.read(300)
    assert performance.stream.written == len(TEXT)
    assert np.array_equal(frames, engine.stream(7, text=TEXT).read(306)[6:])


def test_saved_state_has_the_pending_text(engine: Engine, saved: SavedFolder) -> None:
    performance = Performance(engine.stream(7, text=TEXT), saved=saved)
    performance.read(9)
    performance.send(Save(name="here"))
    expected = performance.read(90)
    performance.send(Write(text=" Bo"))
    performance.read(30)
    performance.close()
    later = Performance(engine.stream(1), saved=saved)  # it reads the file
    later.send(Restore(name="here"))
    assert np.array_equal(later.read(90), expected)


def test_fork_writes_the_pending_text(engine: Engine, tmp_path: Path) -> None:
    performance = Performance(engine.stream(7, text=TEXT))
    performance.read(9)
    performance.send(Fork(to=str(tmp_path / "fork.jsonl"), seconds=3.0))
    performance.read(1)
    performance.send(Erase(count=10**6))
    performance.read(9)
    performance.close()
    points = [json.loads(line) for line in (tmp_path / "fork.jsonl").read_text().splitlines()]
    expected = engine.stream(7, text=TEXT).read(99)[9:]
    assert [point["dx"] for point in points] == pytest.approx(expected[:, 0].tolist(), abs=1e-4)


def record(engine: Engine, saved: SavedFolder, path: Path) -> np.ndarray:
    """Record a performance with events between frames of words; return its frames."""
    stream = engine.stream(7, text="Hello, ", width=300.0)
    with PerformanceLog(path, Head.of(stream)) as log:
        performance = Performance(stream, record=log, saved=saved)
        made = [performance.read(5)]
        performance.send(Write(text=TEXT))
        made.append(performance.read(17))
        performance.send(Erase(count=7))
        performance.send(Save(name="here"))
        performance.controls["output.temperature"] = 0.7
        made.append(performance.read(23))
        performance.send(Write(text=" pens\n\nBo"))
        made.append(performance.read(4))
        performance.send(Rewind(seconds=0.3))
        made.append(performance.read(31))
        performance.send(Restore(name="here"))
        performance.send(Write(text="\nPS: 3"))
        made.append(performance.read(60))
    return np.concatenate(made)


def test_log_replays_bit_for_bit_with_other_block_sizes(
    engine: Engine, saved: SavedFolder, text_voice: Path, tmp_path: Path
) -> None:
    made = record(engine, saved, tmp_path / "played.jsonl")
    fresh = Engine.load(text_voice, "cpu")
    plan = read_timeline(tmp_path / "played.jsonl", fresh.voice.manifest.frames_per_second)
    assert {Write, Erase} <= {type(event) for event in plan.events}
    for blocks in ([140], [1] * 140, [7] * 20):
        stream = fresh.stream()
        assert plan.head is not None
        plan.head.bring(stream)
        again = Performance(stream, plan, saved=SavedFolder("text", tmp_path / "none"))
        assert np.array_equal(np.concatenate([again.read(count) for count in blocks]), made)


def test_timeline_gives_text_by_the_second(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "plan.jsonl").write_text(
        '{"do": "write", "second": 0, "text": "Dear Anna,\\nthank you"}\n{"do": "erase", "second": 0.5, "count": 3}\n'
    )
    performance = Performance(engine.stream(7), read_timeline(tmp_path / "plan.jsonl", 30.0))
    performance.read(15)
    assert performance.stream.pending + performance.stream.written == len("Dear Anna,\nthank you")
    performance.read(300)
    assert performance.stream.written == len("Dear Anna,\nthank ")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '{"do": "write", "second": 1, "text": "Bo\\ncafé"}',
            r"plan.jsonl:2: write at frame 30: the voice cannot write 'é' \(line 2, character 4.*'e'",
        ),
        ('{"do": "write", "second": 1, "text": ""}', "plan.jsonl:2: write at frame 30: the text is empty"),
        ('{"do": "write", "second": 1}', "plan.jsonl:2: not an event: .*`text`"),
        ('{"do": "erase", "second": 1, "count": -1}', "plan.jsonl:2: not an event: .*>= 0"),
    ],
)
def test_wrong_line_of_a_timeline_is_named(engine: Engine, tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "plan.jsonl").write_text('{"do": "write", "second": 0, "text": "Dear"}\n' + line)
    with pytest.raises(StreamError, match=message) as raised:
        Performance(engine.stream(7), read_timeline(tmp_path / "plan.jsonl", 30.0))
    assert "\n" not in str(raised.value)


def test_command_line_records_the_text_and_names_a_wrong_line(run: Run, work: Path, text_voice: Path) -> None:
    text = ("--text", "Dear Anna,\nthank you", "--seed", 5)
    done = run("stream", "--voice", text_voice, *text, "--record", "played.jsonl", "--to", "a.svg")
    assert done.returncode == 0, done.stderr
    done = run("stream", "--voice", text_voice, "--timeline", "played.jsonl", "--seconds", 30, "--to", "b.svg")
    assert done.returncode == 0, done.stderr
    assert (work / "a.svg").read_bytes() == (work / "b.svg").read_bytes()
    (work / "plan.jsonl").write_text('{"do": "write", "second": 0, "text": "\u00e9"}')
    done = run("stream", "--voice", text_voice, "--timeline", "plan.jsonl", "--to", "c.svg")
    assert done.returncode == 1
    assert done.stderr.startswith("error: plan.jsonl:1: write at frame 0: the voice cannot write 'é'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("event", [Write(text="a"), Erase(count=1)])
def test_voice_without_text_refuses_in_one_line(toy_pen: Path, event: AnyEvent) -> None:
    performance = Performance(Engine.load(toy_pen, "cpu").stream(1))
    with pytest.raises(StreamError, match="voice 'toy-pen' writes no text; load a voice that does"):
        performance.send(event)


def test_wrong_text_is_refused_and_the_stream_goes_on(engine: Engine) -> None:
    performance = Performance(engine.stream(7, text=TEXT))
    for text, message in (("π", "cannot write 'π'"), ("", "the text is empty")):
        with pytest.raises(StreamError, match=message):
            performance.send(Write(text=text))
    assert np.array_equal(performance.read(90), engine.stream(7, text=TEXT).read(90))


@pytest.mark.parametrize("control", ["latent.shift", "latent.hold"])
def test_change_of_the_latent_takes_effect_in_the_next_word(engine: Engine, control: str) -> None:
    end = end_of_first_word(engine)
    plain = engine.stream(7, text=TEXT).read(90)
    made = perform(engine.stream(7, text=TEXT), Set(frame=end - 2, control=control, value=1.0)).read(90)
    assert np.array_equal(made[:end], plain[:end])
    assert not np.array_equal(made[end], plain[end])
    stream = engine.stream(7, text=TEXT)
    by_hand = [stream.read(end)]
    stream.controls[control] = 1.0
    assert np.array_equal(made, np.concatenate([*by_hand, stream.read(90 - end)]))


def test_latent_follows_a_trajectory_word_by_word_and_is_then_free(engine: Engine) -> None:
    end = end_of_first_word(engine)
    way = np.linspace(-1, 1, 4 * 5, dtype=np.float32).reshape(4, 5)
    follow = Follow(frame=end - 1, path="way", latents=Tensor.of(way))  # its second frame is the first of a word
    performance = perform(engine.stream(7, text=TEXT), follow)
    performance.read(end)
    free = performance.stream.latent
    performance.read(1)
    assert np.array_equal(performance.stream.latent, way[1])
    while performance.stream.written == len("Dear"):
        performance.read(1)
    performance.read(1)
    assert np.array_equal(performance.stream.latent, free)


def test_morph_leads_to_the_hand_of_a_saved_state(engine: Engine, saved: SavedFolder) -> None:
    other = engine.stream(8, text=TEXT)
    other.read(3)
    saved.write_state("hand", other.snapshot())
    performance = Performance(engine.stream(7, text=TEXT), [Morph(frame=2, to="hand", seconds=0.1)], saved=saved)
    performance.read(90)
    assert performance.stream.latent == pytest.approx(other.latent, abs=1e-6)


@pytest.fixture
def clip(engine: Engine, tmp_path: Path) -> Path:
    """A file of ink."""
    ink = engine.stream(9, text="Hello").read(40)
    np.savez(tmp_path / "ink.npz", dx=ink[:, 0], dy=ink[:, 1], pen_up=ink[:, 2])
    return tmp_path / "ink.npz"


def test_text_is_written_in_the_hand_of_ink_that_was_observed(engine: Engine, clip: Path) -> None:
    listener = ListeningStream(engine.stream(7, text="Dear"), RecordingInput(clip, engine.voice.manifest), "continue")
    performance = Performance(listener, [Write(frame=9, text=" Anna")])
    made = performance.read(250)
    stream = engine.stream(7, text="Dear Anna")
    stream.prime(clip)
    assert np.array_equal(made[40:], stream.read(210))
    assert (listener.written, listener.pending) == (len("Dear Anna"), 0)


def test_observing_writes_nothing_and_keeps_the_text(engine: Engine, clip: Path) -> None:
    listener = ListeningStream(engine.stream(7, text="Dear"), RecordingInput(clip, engine.voice.manifest), "observe")
    performance = Performance(listener, [Write(frame=9, text=" Anna"), Erase(frame=10, count=2)])
    assert len(performance.read(100)) == 40
    assert (listener.written, listener.pending) == (0, len("Dear An"))


def test_resynthesis_writes_each_word_with_the_latest_latent(engine: Engine, clip: Path) -> None:
    listener = ListeningStream(engine.stream(7, text=TEXT), RecordingInput(clip, engine.voice.manifest), "resynthesise")
    made = Performance(listener).read(40)
    ink, hearing, speaker = np.load(clip), engine.stream(7, text=TEXT), engine.stream(7, text=TEXT)
    frames = np.stack([ink["dx"], ink["dy"], ink["pen_up"]], axis=1)
    for at in range(40):
        latent = hearing.prime(frames[at : at + 1]).latents[0]
        speaker.controls.update({"latent.hold": 1.0, "latent.target": np.clip(latent, -10, 10)})
        assert np.array_equal(made[at : at + 1], speaker.read(1))
    assert listener.written == speaker.written > 0


def test_panel_and_caption_show_how_much_is_written_and_to_come(engine: Engine) -> None:
    performance = Performance(engine.stream(7, text=TEXT))
    performance.read(end_of_first_word(engine))
    console = Console(width=80, height=24, force_terminal=True)
    keyboard = Keyboard(performance)
    panel = Panel(Player(performance, to="null"), performance, console, float("inf"), keyboard)
    assert re.search(rf"4 written +█+·+ +{len(TEXT) - 4} to come", panel.draw().plain)
    assert f"{len(TEXT) - 4} to come" in keyboard.line


def test_panel_of_a_voice_without_text_has_no_such_row(toy_pen: Path) -> None:
    performance = Performance(Engine.load(toy_pen, "cpu").stream(7))
    keyboard = Keyboard(performance)
    panel = Panel(Player(performance, to="null"), performance, Console(width=80), float("inf"), keyboard)
    assert "to come" not in panel.draw().plain + keyboard.line
