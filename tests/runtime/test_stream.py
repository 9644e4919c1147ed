"""One stream: its frames depend on its seed and controls, not on how it is read, saved or forked."""

import gc
import itertools
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import toy_voice

import vrnn_engine as vrnn
from vrnn_engine.runtime.graph.binding import StepBatch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["audio", "pen"])
def voice(request: pytest.FixtureRequest, toy_audio: Path, toy_pen: Path) -> Path:
    return toy_audio if request.param == "audio" else toy_pen


@pytest.fixture
def new(voice: Path) -> Callable[..., vrnn.Stream]:
    """Open a stream of a new engine."""
    return lambda seed=1, rows=1: vrnn.Engine.load(voice, device="cpu", rows=rows).stream(seed)


def test_blocks_have_the_shape_of_their_modality(toy_audio: Path, toy_pen: Path) -> None:
    sound = vrnn.Engine.load(toy_audio, device="cpu").stream(7).read(80)
    assert sound.shape == (16000,)
    assert sound.dtype == np.float32
    ink = vrnn.Engine.load(toy_pen, device="cpu").stream(7).read(80)
    assert ink.shape == (80, 3)
    assert ink.dtype == np.float32
    assert set(np.unique(ink[:, 2])) == {0.0, 1.0}


def test_first_frame_follows_from_zero_state(toy_audio: Path) -> None:
    """No seed frame and no delay: frames 0 and 1 are those of the numpy reference with the noise of frames 0 and 1."""
    drawn = np.random.Generator(np.random.Philox(key=5, counter=[0, 0, 0, 0])).standard_normal((64, 204), np.float32)
    state = {"h": np.zeros(toy_voice.H), "tail": np.zeros(2)}
    expected = []
    for row in drawn[:2]:
        noise = {"latent": row[: toy_voice.Z], "output": row[toy_voice.Z :]}
        state, frame = toy_voice.reference_step(toy_voice.weights(200), state, noise, pen=False)
        expected.append(frame)
    found = vrnn.Engine.load(toy_audio, device="cpu").stream(5).read(2)
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-5)


def test_latent_belongs_to_the_last_frame(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=2)
    streams = [engine.stream(5), engine.stream(6)]
    assert not streams[0].latent.any()
    engine.read(1)
    for stream in streams:  # in zero state, the prior of z has mean bm and sd 1
        drawn = np.random.Generator(np.random.Philox(key=stream.seed)).standard_normal((64, 204), np.float32)[0, :4]
        np.testing.assert_allclose(stream.latent, toy_voice.weights(200)["bm"] + drawn, atol=1e-5)
    kept = streams[0].latent
    before = kept.copy()
    streams[1].read(3)
    streams[0].read(0)
    np.testing.assert_array_equal(streams[0].latent, before)
    streams[0].controls.update({"latent.hold": 1.0, "latent.target": [0.5, -1, 2, 0]})
    streams[0].read(7)
    np.testing.assert_array_equal(streams[0].latent, [0.5, -1, 2, 0])
    engine.read(1)
    np.testing.assert_array_equal(kept, before)
    np.testing.assert_array_equal(streams[0].fork().latent, streams[0].latent)
    streams[0].controls.reset()
    seen = streams[0].prime(0.1 * np.ones(2000, np.float32))
    np.testing.assert_array_equal(streams[0].latent, seen.latents[-1])


@pytest.mark.parametrize("size", [1, 7, 80])
def test_block_size_changes_nothing(new: Callable[..., vrnn.Stream], size: int) -> None:
    whole, stream = new().read(160), new()
    blocks = [stream.read(min(size, 160 - start)) for start in range(0, 160, size)]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    assert stream.frame == 160


def test_blocks_yields_what_read_returns(new: Callable[..., vrnn.Stream]) -> None:
    stream = new()
    blocks = list(itertools.islice(stream.blocks(8), 5))
    np.testing.assert_array_equal(np.concatenate(blocks), new().read(40))
    for frames in (0, -1, 2.5):
        with pytest.raises(vrnn.StreamError):
            stream.blocks(frames)  # type: ignore[arg-type]


def test_different_seeds_give_different_frames(new: Callable[..., vrnn.Stream]) -> None:
    assert not np.array_equal(new(1).read(3), new(2).read(3))


def test_snapshot_restores_in_a_new_process(new: Callable[..., vrnn.Stream], voice: Path, tmp_path: Path) -> None:
    stream = new(2**64 - 5)
    stream.controls["latent.temperature"] = 0.7
    stream.read(69)
    (tmp_path / "saved").write_bytes(stream.snapshot())
    script = f"""
        import numpy, vrnn_engine
        stream = vrnn_engine.Engine.load({str(voice)!r}, device="cpu").stream()
        stream.restore(open({str(tmp_path / "saved")!r}, "rb").read())
        numpy.save({str(tmp_path / "ahead.npy")!r}, stream.read(80))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, cwd=ROOT)
    np.testing.assert_array_equal(np.load(tmp_path / "ahead.npy"), stream.read(80))


def test_control_takes_effect_in_exactly_the_next_frame(new: Callable[..., vrnn.Stream]) -> None:
    """`latent.hold` shows in the frame after the write, and in no frame before it."""
    plain, steered = new(), new()
    np.testing.assert_array_equal(steered.read(10), plain.read(10))
    steered.controls.update({"latent.hold": 1.0, "latent.target": 2.0})
    assert not np.array_equal(steered.read(1), plain.read(1))
    steered.controls.reset()
    after = steered.read(1)
    exact = new()
    exact.read(10)
    exact.controls.update({"latent.hold": 1.0, "latent.target": 2.0})
    exact.read(1)
    exact.controls.reset()
    np.testing.assert_array_equal(after, exact.read(1))


def test_control_set_by_another_thread_during_a_read(toy_audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame of a long read has either all old values or all new ones."""
    stream = vrnn.Engine.load(toy_audio, device="cpu").stream(1)
    steps, step = [0], StepBatch.step

    def watched(batch: StepBatch) -> None:
        if steps[0] == 50:  # the controls of frame 50 were read just before
            setter.start()
            setter.join()
        steps[0] += 1
        step(batch)

    def quiet() -> None:
        stream.controls.update({"output.temperature": 0.0, "latent.hold": 1.0})

    setter = threading.Thread(target=quiet)
    monkeypatch.setattr(StepBatch, "step", watched)
    found = stream.read(100)
    assert steps == [100]
    monkeypatch.undo()
    other = vrnn.Engine.load(toy_audio, device="cpu").stream(1)
    before = other.read(51)
    other.controls.update({"output.temperature": 0.0, "latent.hold": 1.0})
    np.testing.assert_array_equal(found, np.concatenate([before, other.read(49)]))


def test_fork_continues_and_is_independent(new: Callable[..., vrnn.Stream]) -> None:
    stream = new(1, rows=4)
    stream.controls["latent.temperature"] = 0.5
    stream.read(70)
    same, child = stream.fork(seed=1), stream.fork(seed=8)
    assert (child.seed, child.frame, child.controls["latent.temperature"]) == (8, 70, 0.5)
    child.controls["latent.shift"] = 3
    child.read(5)
    ahead = stream.read(10)
    np.testing.assert_array_equal(same.read(10), ahead)
    assert child.frame == 75
    assert stream.controls["latent.temperature"] == 0.5
    np.testing.assert_array_equal(stream.controls["latent.shift"], np.zeros(toy_voice.Z))
    assert not np.array_equal(stream.fork().read(10), ahead)


def test_closed_stream_refuses_use(new: Callable[..., vrnn.Stream]) -> None:
    stream = new()
    with stream:
        stream.read(1)
    for use in (lambda: stream.read(1), stream.snapshot, stream.fork, lambda: stream.restore(b"")):
        with pytest.raises(vrnn.StreamError, match="closed"):
            use()
    stream.open_another()
    assert "closed" in repr(stream)


def test_stream_keeps_its_engine_alive(toy_audio: Path) -> None:
    stream = vrnn.Engine.load(toy_audio, device="cpu").stream(1)
    gc.collect()
    assert stream.read(1).shape == (200,)
    assert stream.voice.name == "toy-audio"


def test_another_stream_of_the_engine_starts_from_zero_state(toy_audio: Path) -> None:
    stream = vrnn.Engine.load(toy_audio, device="cpu", rows=2).stream(1)
    stream.controls["output.temperature"] = 0.5
    first = stream.read(5)
    stream.controls["output.temperature"] = 0.25
    other = stream.open_another(1)
    assert (other.frame, other.controls["output.temperature"]) == (0, 1.0)
    other.controls["output.temperature"] = 0.5
    np.testing.assert_array_equal(other.read(5), first)
    assert stream.open_another().seed != stream.open_another().seed


def test_two_threads_read_one_stream_in_turns(toy_audio: Path) -> None:
    stream, found = vrnn.Engine.load(toy_audio, device="cpu").stream(1), []

    def listen() -> None:
        for _ in range(20):
            found.append(stream.read(3).reshape(3, 200))

    threads = [threading.Thread(target=listen) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = vrnn.Engine.load(toy_audio, device="cpu").stream(1).read(120).reshape(40, 3, 200)
    assert {block.tobytes() for block in found} == {block.tobytes() for block in whole}


def test_streaming_needs_neither_torch_nor_onnx(toy_audio: Path) -> None:
    """Load, stream, steer and prime in a process that can import neither."""
    script = f"""
        import sys
        class Blocker:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("torch", "onnx"):
                    raise ImportError(f"{{name}} is blocked")
        sys.meta_path.insert(0, Blocker())
        import numpy
        import vrnn_engine as vrnn
        stream = vrnn.Engine.load({str(toy_audio)!r}).stream(seed=7)
        loud = stream.read(40)
        stream.controls["output.temperature"] = 0.0
        soft = stream.read(40)
        assert numpy.isfinite(loud).all() and numpy.isfinite(soft).all()
        assert stream.prime(loud).kl.shape == (40,)
        for name in ("torch", "onnx"):
            try:
                __import__(name)
            except ImportError as error:
                print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines() == ["torch is blocked", "onnx is blocked"], done.stderr
