"""Priming: the state follows the recording, the observation is that of the reference, and failures change nothing."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from support import toy_voice

import vrnn_engine as vrnn


def test_prime_follows_the_reference(toy_audio: Path) -> None:
    """Without latent noise, KL, likelihood and the state after them are those of the numpy reference."""
    signal = 0.3 * np.random.default_rng(3).standard_normal((12, 200))
    stream = vrnn.Engine.load(toy_audio, device="cpu").stream(1)
    stream.controls["latent.temperature"] = 0.0
    seen = stream.prime(signal.reshape(-1))
    state, expected = {"h": np.zeros(toy_voice.H), "tail": np.zeros(2)}, []
    for frame in signal:
        state, outputs = toy_voice.reference_observe(toy_voice.weights(200), state, frame)
        expected.append(outputs)
    assert stream.frame == 12
    assert seen.conversions == ()
    assert seen.latents.shape == seen.posterior_std.shape == (12, toy_voice.Z)
    np.testing.assert_allclose(seen.posterior_mean, [e["posterior.mean"] for e in expected], atol=1e-5)
    np.testing.assert_allclose(seen.latents, seen.posterior_mean, atol=1e-6)
    np.testing.assert_allclose(seen.kl, [e["kl"] for e in expected], rtol=1e-4)
    np.testing.assert_allclose(seen.log_likelihood, [e["log_likelihood"] for e in expected], rtol=1e-4)
    np.testing.assert_allclose(stream.state.arrays["h"][0], state["h"], atol=1e-5)


def test_primed_streams_continue_alike_and_unlike_an_unprimed_one(toy_audio: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.wav"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, (8000, 2)), 8000)
    one, two, plain = (vrnn.Engine.load(toy_audio, device="cpu").stream(1) for _ in range(3))
    seen = one.prime(path)
    assert seen.conversions == ("2 channels to mono", "8000 Hz to 16000 Hz")
    two.prime(str(path))
    ahead = one.read(20)
    np.testing.assert_array_equal(two.read(20), ahead)
    plain.read(80)
    assert one.frame == plain.frame + 20
    assert not np.array_equal(plain.read(20), ahead)


def test_priming_in_two_parts_equals_priming_in_one(toy_pen: Path) -> None:
    """The noise depends on the position alone."""
    ink = vrnn.Engine.load(toy_pen, device="cpu").stream(4).read(100)
    one, two = (vrnn.Engine.load(toy_pen, device="cpu").stream(9) for _ in range(2))
    whole = one.prime(ink).latents
    parts = [two.prime(ink[:37]).latents, two.prime(ink[37:]).latents]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(two.read(9), one.read(9))


def test_failed_prime_does_not_change_the_stream(toy_audio: Path, tmp_path: Path) -> None:
    stream = vrnn.Engine.load(toy_audio, device="cpu").stream(1)
    saved = stream.snapshot()
    with pytest.raises(vrnn.RecordingError):
        stream.prime(tmp_path / "none.wav")
    with pytest.raises(vrnn.StreamError, match="not finite"):
        stream.prime(np.full(400, 1e30, np.float32))
    assert stream.snapshot() == saved


def test_priming_a_voice_without_observe_graph_is_an_error(tmp_path: Path) -> None:
    folder = toy_voice.build(tmp_path / "voice", observe=False)
    stream = vrnn.Engine.load(folder, device="cpu").stream(1)
    stream.read(3)
    for use in (lambda: stream.prime(np.zeros(200)), lambda: stream.stepper.graphs.observe):
        with pytest.raises(vrnn.VoiceError, match="observe graph"):
            use()


def test_observe_graph_is_loaded_only_when_needed(tmp_path: Path) -> None:
    folder = toy_voice.build(tmp_path / "voice")
    graph = onnx.load(folder / "observe.onnx")
    graph.graph.node.append(onnx.helper.make_node("BitwiseNot", [graph.graph.input[0].name], ["no.bits.in.floats"]))
    onnx.save(graph, folder / "observe.onnx")
    toy_voice.reseal(folder)
    stream = vrnn.Engine.load(folder, device="cpu").stream(1)
    stream.read(3)
    with pytest.raises(vrnn.VoiceError, match=r"observe\.onnx: onnxruntime cannot load"):
        stream.prime(np.zeros(200))
