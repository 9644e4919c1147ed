"""Readers of saved states, trajectories, hands, timelines, progress of plots and MIDI bindings."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np

from support import toy_voice
from support.fuzz.damage import damage_bytes, damage_value, to_json, to_msgpack
from support.fuzz.reader import Reader
from support.snapshots import HEAD, seal
from vrnn_engine import Engine, Stream
from vrnn_engine.runtime.hands.hand import Hand
from vrnn_engine.runtime.hands.saved_hands import SavedHands
from vrnn_engine.runtime.live.control.midi_map import MidiMap
from vrnn_engine.runtime.live.events import Follow, Morph, Nudge, Restore, Rewind, Seed, Set, Walk, Write
from vrnn_engine.runtime.live.performance import Performance
from vrnn_engine.runtime.live.saved import SavedFolder
from vrnn_engine.runtime.live.timeline import Head, read_timeline
from vrnn_engine.runtime.live.trajectories import find_trajectory
from vrnn_engine.runtime.sinks.ink.plotters.progress import read_progress
from vrnn_engine.runtime.snapshot import Tensor

FRAMES = 3
"""Frames that are read after a state was restored."""


def _snapshots(stream: Stream) -> Reader:
    """Snapshots whose bytes, or whose fields under a right checksum, are damaged."""
    saved = stream.snapshot()
    fields = msgspec.msgpack.decode(saved[HEAD:])

    def damaged(rng: Random) -> bytes:
        if rng.random() < 0.2:
            return damage_bytes(saved, rng)
        if rng.random() < 0.2:
            return seal(damage_bytes(saved[HEAD:], rng))
        return seal(to_msgpack(damage_value(fields, rng)))

    def read(data: bytes) -> Any:
        stream.restore(saved)
        try:
            stream.restore(data)
        except Exception:
            assert stream.snapshot() == saved, "a refused snapshot has changed the stream"
            raise
        return stream.snapshot(), stream.read(FRAMES).tobytes()

    return Reader(saved, damaged, read)


def sound_snapshots(home: Path) -> Reader:
    """The state of a stream of sound."""
    stream = Engine.load(toy_voice.build(home / "toy"), "cpu").stream(3)
    stream.controls["latent.shift"] = [0.1, 0.2, 0.3, 0.4]
    stream.read(70)
    return _snapshots(stream)


def snapshot_payloads(home: Path) -> Reader:
    """The content of a snapshot; its checksum is right."""
    whole = sound_snapshots(home)
    payload = whole.valid[HEAD:]
    return Reader.of_bytes(payload, lambda given: whole.read(seal(given)))


def text_snapshots(home: Path) -> Reader:
    """The state of a stream that writes a text."""
    stream = Engine.load("handwriting", "cpu").stream(3, text="two words\nand more", width=60.0)
    stream.read(30)
    return _snapshots(stream)


def saved_states(home: Path) -> Reader:
    """The file of a saved state."""
    stream = Engine.load(toy_voice.build(home / "toy"), "cpu").stream(3)
    folder = SavedFolder("toy-audio", home)
    path = folder.write_state("one", stream.snapshot())

    def read(path: Path) -> Any:
        stream.restore(folder.read_state("one"))
        return stream.snapshot()

    return Reader.of_file(path, path.read_bytes(), read)


def trajectories(home: Path) -> Reader:
    """The .npy of a trajectory."""
    stream = Engine.load(toy_voice.build(home / "toy"), "cpu").stream(3)
    folder = SavedFolder("toy-audio", home)
    path = folder.write_trajectory("one", np.linspace(-1, 1, 40, dtype=np.float32).reshape(10, 4))
    return Reader.of_file(path, path.read_bytes(), lambda path: find_trajectory("one", folder, stream).tobytes())


def hands(home: Path) -> Reader:
    """The file of a hand, which a stream then writes in."""
    engine = Engine.load("handwriting", "cpu")
    stream, other = engine.stream(3, text="two words"), engine.stream(4, text="two words")
    stream.read(30)
    before = other.snapshot()
    saved = SavedHands("handwriting", home)
    path = saved.save("one", Hand.of(stream))
    data = path.read_bytes()

    def read(path: Path) -> Any:
        other.restore(before)
        saved.load("one").apply(other)
        return other.read(FRAMES).tobytes()

    return Reader.of_file(path, data, read, _json_or_bytes(data))


def timelines(home: Path) -> Reader:
    """A performance log with a head and events of many kinds, which is played."""
    engine = Engine.load(toy_voice.build(home / "toy"), "cpu")
    stream = engine.stream(3)
    stream.read(5)
    state = stream.snapshot()
    latents = np.zeros((3, 4), np.float32)
    events = [
        Set(frame=0, control="latent.shift", value=(0.1, 0.2, 0.3, 0.4), ramp=0.02),
        Nudge(frame=0, control="latent.temperature", by=0.1),
        Walk(frame=1, control="latent.shift", speed=0.5, index=1, seed=4),
        Morph(frame=1, to="one", seconds=0.05, latent=(0.0, 0.1, 0.2, 0.3)),
        Follow(frame=2, path="given", times=3, latents=Tensor.of(latents)),
        Seed(frame=2, seed=9),
        Restore(frame=3, name="one", snapshot=state),
        Rewind(frame=4, seconds=0.02),
        Set(second=1.0, control="output.temperature", value=0.5),
    ]
    lines = [msgspec.json.encode(one) for one in (Head.of(stream), *events)]

    def read(path: Path) -> Any:
        timeline = read_timeline(path, stream.voice.manifest.frames_per_second)
        with engine.stream(1) as played:
            if timeline.head is not None:
                timeline.head.bring(played)
            performance = Performance(played, timeline, saved=SavedFolder("toy-audio", home))
            return performance.read(8).tobytes()

    return Reader.of_file(home / "timeline.jsonl", b"\n".join(lines), read, _lines(lines))


def text_timelines(home: Path) -> Reader:
    """A timeline of a voice that writes."""
    engine = Engine.load("handwriting", "cpu")
    stream = engine.stream(3, text="one")
    stream.read(5)
    lines = [msgspec.json.encode(one) for one in (Head.of(stream), Write(frame=1, text=" two"))]

    def read(path: Path) -> Any:
        timeline = read_timeline(path, stream.voice.manifest.frames_per_second)
        with engine.stream(1, text="a") as played:
            if timeline.head is not None:
                timeline.head.bring(played)
            return Performance(played, timeline).read(4).tobytes()

    return Reader.of_file(home / "timeline.jsonl", b"\n".join(lines), read, _lines(lines))


def progress(home: Path) -> Reader:
    """The file that says how far a plot is."""
    data = json.dumps({"strokes": 3, "plot": {"seed": 7, "voice": "x"}}).encode()
    return Reader.of_file(home / "progress.json", data, read_progress, _json_or_bytes(data))


def midi(home: Path) -> Reader:
    """The file of MIDI bindings."""
    binding = {"channel": 1, "cc": 7, "control": "latent.shift", "index": 2, "low": -1.0, "high": 1.0}
    data = json.dumps({"midi": 1, "bindings": [binding]}).encode()
    return Reader.of_file(home / "midi.json", data, lambda path: MidiMap(path).bindings, _json_or_bytes(data))


def _json_or_bytes(data: bytes) -> Callable[[Random], bytes]:
    value = json.loads(data)
    return lambda rng: to_json(damage_value(value, rng)) if rng.random() < 0.6 else damage_bytes(data, rng)


def _lines(lines: list[bytes]) -> Callable[[Random], bytes]:
    def damaged(rng: Random) -> bytes:
        at = rng.randint(0, len(lines) - 1)
        value = json.loads(lines[at])
        line = to_json(damage_value(value, rng)) if rng.random() < 0.7 else damage_bytes(lines[at], rng)
        return b"\n".join([*lines[:at], line, *lines[at + 1 :]])

    return damaged


READERS = {
    "snapshots": sound_snapshots,
    "snapshot-payloads": snapshot_payloads,
    "text-snapshots": text_snapshots,
    "saved-states": saved_states,
    "trajectories": trajectories,
    "hands": hands,
    "timelines": timelines,
    "text-timelines": text_timelines,
    "plot-progress": progress,
    "midi-bindings": midi,
}
