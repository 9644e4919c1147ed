"""A voice with a graph to resynthesise: each frame is drawn given the state that observes the input."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
from support import toy_voice
from support.exports import export_once

from vrnn_engine import Engine, StreamError, VoiceError
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.live.inputs import RecordingInput
from vrnn_engine.runtime.live.listening_stream import ListeningStream

FRAME = 20
SOUND = (0.3 * np.random.default_rng(7).standard_normal(30 * FRAME)).clip(-1, 1).astype(np.float32)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.load(export_once("source-gauss", tmp_path_factory), "cpu")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Thirty frames of noise, as a file holds them exactly."""
    soundfile.write(tmp_path / "clip.wav", SOUND, 1600, subtype="FLOAT")
    return tmp_path / "clip.wav"


def listen(engine: Engine, clip: Path, seed: int = 3) -> ListeningStream:
    stream = engine.stream(seed)
    return ListeningStream(stream, RecordingInput(clip, stream.voice.manifest), "resynthesise")


def by_hand(engine: Engine, shift: dict[int, float] | None = None, seeds: dict[int, int] | None = None) -> np.ndarray:
    """Run the graph frame by frame; `shift` and `seeds` map a frame to what changes there."""
    voice, stream = engine.voice, engine.stream(3)
    graph = GraphSession(voice.path, voice.graph("resynthesise"), voice.manifest.controls, "cpu")
    state, made = graph.zero_state(), []
    for t, frame in enumerate(SOUND.reshape(-1, FRAME)):
        stream.controls["latent.shift"] = (shift or {}).get(t, stream.controls["latent.shift"])
        if seeds and t in seeds:
            stream.reseed(seeds[t])
        noise = {name: values[np.newaxis] for name, values in stream.state.noise.at(t).items()}
        state, outputs = graph.run(state, noise, stream.controls.table, frame[np.newaxis])
        made.append(outputs["own.frame"][0])
    return np.concatenate(made)


def test_a_stream_plays_what_the_graph_draws(engine: Engine, clip: Path) -> None:
    listener, stream = listen(engine, clip), engine.stream(3)
    made = np.concatenate([listener.read(7), listener.read(90)])
    assert np.array_equal(made, by_hand(engine))
    seen = stream.prime(SOUND)
    assert listener.heard == 30
    assert listener.kl == pytest.approx(seen.kl.mean(), rel=1e-5)
    assert listener.log_likelihood == pytest.approx(seen.log_likelihood.mean(), rel=1e-5)
    assert np.array_equal(listener.latent, listener.stream.latent)


def test_controls_and_seeds_act_from_the_next_frame_on(engine: Engine, clip: Path) -> None:
    listener = listen(engine, clip)
    made = [listener.read(8)]
    listener.controls["latent.shift"] = 0.5
    made.append(listener.read(6))
    listener.controls["latent.shift"] = 0.0
    listener.reseed(9)
    made.append(listener.read(16))
    assert np.array_equal(np.concatenate(made), by_hand(engine, {8: 0.5, 14: 0.0}, {14: 9}))


def test_it_continues_the_imitation_from_the_state_of_the_input(engine: Engine, clip: Path) -> None:
    """A fork reads on: its recurrence has heard the input, and its signal is that of the imitation."""
    listener, stream = listen(engine, clip), engine.stream(3)
    made = listener.read(20)
    stream.prime(SOUND[: 20 * FRAME])
    forked = listener.fork(3)
    for name in ("h", "c", "periodicity"):
        np.testing.assert_allclose(forked.state.arrays[name], stream.state.arrays[name], rtol=1e-5, atol=1e-6)
    # The last two frames, in the normalised and emphasised form in which the model keeps them, are not the input's.
    assert not np.allclose(forked.state.arrays["past"], stream.state.arrays["past"], atol=0.1)
    assert forked.frame == 20
    restored = engine.stream(1)
    restored.restore(listener.snapshot())
    assert np.array_equal(restored.read(5), forked.read(5))
    assert len(made) == 20 * FRAME


def test_an_observation_after_an_imitation_counts_no_frame_twice(
    clip: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of the MDCT: the recurrence has read the frame that the overlap is of, as after generating."""
    listener = listen(Engine.load(export_once("mdct-gauss", tmp_path_factory), "cpu"), clip)
    listener.read(5)
    seen = listener.fork(3).prime(SOUND[: 3 * FRAME])
    assert seen.log_likelihood[0] == 0
    assert seen.log_likelihood[1:].all()


def test_a_restored_state_gives_the_imitation_another_past(engine: Engine, clip: Path) -> None:
    listener = listen(engine, clip)
    listener.read(4)
    saved = listener.snapshot()
    listener.read(6)
    listener.restore(saved)
    again = listen(engine, clip)
    again.read(10)
    assert listener.stream.frame == 4
    assert not np.array_equal(listener.read(5), again.read(5))


@pytest.mark.parametrize("value", [np.nan, 3e38])
def test_input_that_gives_no_finite_state_is_an_error_that_changes_nothing(
    engine: Engine, clip: Path, value: float
) -> None:
    listener, other = listen(engine, clip), listen(engine, clip)
    assert np.array_equal(listener.read(3), other.read(3))
    with pytest.raises(StreamError, match=r"is not finite while observing; .* check the level of the recording"):
        listener._imitator.imitate(np.full(FRAME, value, np.float32))  # type: ignore[union-attr]
    assert np.array_equal(listener.read(5), other.read(5))


def test_priming_gives_the_imitation_another_state(engine: Engine, clip: Path) -> None:
    """As a performance primes: by another stream that has heard a recording."""
    listener, other = listen(engine, clip), engine.stream(5)
    listener.read(3)
    other.prime(SOUND)
    listener.continue_from(other)
    voice = engine.voice
    graph = GraphSession(voice.path, voice.graph("resynthesise"), voice.manifest.controls, "cpu")
    state = dict(other.state.arrays)
    state |= {name: state[name.removeprefix("own.")] for name in graph.state if name.startswith("own.")}
    noise = {name: values[np.newaxis] for name, values in engine.stream(3).state.noise.at(3).items()}
    frame = SOUND[3 * FRAME : 4 * FRAME]
    _, outputs = graph.run(state, noise, listener.controls.table, frame[np.newaxis])
    assert np.array_equal(listener.read(1), outputs["own.frame"][0])


def spoiled(engine: Engine, folder: Path, rename: dict[str, str], edit: Callable[[dict[str, Any]], None]) -> Engine:
    """Load a copy of the voice, in which values of the graph have other names, and its manifest entry is edited."""
    shutil.copytree(engine.voice.path, folder)
    path = folder / "resynthesise.onnx"
    model = onnx.load(path, load_external_data=False)
    for value in [*model.graph.input, *model.graph.output]:
        value.name = rename.get(value.name, value.name)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [rename.get(name, name) for name in names]
    onnx.save(model, path)

    def change(manifest: dict[str, Any]) -> None:
        (entry,) = (graph for graph in manifest["graphs"] if graph["role"] == "resynthesise")
        for part in ("inputs", "outputs"):
            entry[part] = {rename.get(name, name): shape for name, shape in entry[part].items()}
        edit(entry)

    toy_voice.change(folder, change)
    toy_voice.reseal(folder)
    return Engine.load(folder, "cpu")


@pytest.mark.parametrize(
    ("rename", "edit", "words"),
    [
        (
            {"state.own.past": "state.own.other", "next.own.past": "next.own.other"},
            lambda entry: None,
            "its state differs from that of the step graph",
        ),
        (
            {"state.c": "state.own.c", "next.c": "next.own.c"},
            lambda entry: None,
            "its state differs from that of the step graph",
        ),
        (
            {"noise.output": "noise.other"},
            lambda entry: None,
            "it has noise that the step graph lacks",
        ),
        ({"own.frame": "made"}, lambda entry: None, "a resynthesise graph must have an output own.frame"),
        ({"kl": "divergence"}, lambda entry: None, "a resynthesise graph must have an output kl"),
        ({}, lambda entry: entry.update(role="observe", precision="fp16"), "no resynthesise graph"),
    ],
)
def test_a_graph_that_breaks_the_contract_is_refused(
    engine: Engine, tmp_path: Path, rename: dict[str, str], edit: Callable[[dict[str, Any]], None], words: str
) -> None:
    loaded = spoiled(engine, tmp_path / "spoiled", rename, edit)
    with pytest.raises(VoiceError, match=words):
        _ = loaded.stepper.graphs.resynthesise
    with pytest.raises(VoiceError, match=words):
        verify(loaded.voice)


def test_the_manifest_of_a_voice_that_resynthesises_is_of_version_4(engine: Engine) -> None:
    """A runtime that does not know the role refuses the voice by its version, not by a field."""
    assert json.loads((engine.voice.path / "voice.json").read_text())["schema_version"] == 4


def test_blizzard_keeps_the_envelope_of_what_it_hears(tmp_path: Path) -> None:
    """Sound of the voice itself, by another seed: pieces of 25 ms rise and fall together."""
    engine = Engine.load("blizzard", "cpu")
    heard = engine.stream(1).read(320)
    soundfile.write(tmp_path / "heard.wav", heard, 16000, subtype="FLOAT")
    stream = engine.stream(2)
    made = ListeningStream(stream, RecordingInput(tmp_path / "heard.wav", engine.voice.manifest), "resynthesise")
    envelopes = [np.sqrt(np.square(sound.reshape(-1, 400)).mean(axis=1)) for sound in (heard, made.read(320))]
    assert np.corrcoef(*envelopes)[0, 1] > 0.75
