"""Many streams in one batch: what a stream yields does not depend on the others, nor on who joins and leaves."""

import gc
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support import toy_voice

import vrnn_engine as vrnn

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["audio", "pen"])
def voice(request: pytest.FixtureRequest, toy_audio: Path, toy_pen: Path) -> Path:
    return toy_audio if request.param == "audio" else toy_pen


def alone(voice: Path, seed: int, frames: int, **controls: float) -> np.ndarray:
    stream = vrnn.Engine.load(voice, device="cpu").stream(seed)
    stream.controls.update({name.replace("_", "."): value for name, value in controls.items()})
    return stream.read(frames)


def test_engine_reports_voice_provider_and_rows(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=3)
    assert (engine.voice.name, engine.provider, engine.rows) == ("toy-audio", "CPUExecutionProvider", 3)


def test_streams_of_a_batch_yield_what_they_yield_alone(voice: Path) -> None:
    """Streams with different controls join and leave at odd frames."""
    engine = vrnn.Engine.load(voice, device="cpu", rows=3)
    heard: dict[int, list[np.ndarray]] = {1: [], 2: [], 3: [], 4: []}

    def together(frames: int) -> None:
        for stream, block in zip(engine.streams, engine.read(frames), strict=True):
            heard[stream.seed].append(block)

    one = engine.stream(1)
    together(5)
    two = engine.stream(2)
    two.controls["latent.temperature"] = 0.3
    together(7)
    three = engine.stream(3)
    three.controls["output.temperature"] = 1.7
    three.controls["latent.shift"] = 0.5
    together(61)
    one.close()
    together(3)
    four = engine.stream(4)  # takes the row of `one`
    together(70)
    two.close()
    four.close()
    together(1)
    lengths = {1: 73, 2: 141, 3: 135, 4: 70}
    controls: dict[int, dict[str, float]] = {seed: {} for seed in lengths}
    controls[2] = {"latent_temperature": 0.3}
    controls[3] = {"output_temperature": 1.7, "latent_shift": 0.5}
    for seed, frames in lengths.items():
        expected = alone(voice, seed, frames, **controls[seed])
        np.testing.assert_array_equal(np.concatenate(heard[seed]), expected, err_msg=f"seed {seed}")


def test_some_streams_are_read_in_any_order(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=3)
    one, two, three = (engine.stream(seed) for seed in (1, 2, 3))
    blocks = engine.read(4, [three, one])
    assert (one.frame, two.frame, three.frame) == (4, 0, 4)
    np.testing.assert_array_equal(blocks[0], alone(toy_audio, 3, 4))
    np.testing.assert_array_equal(blocks[1], alone(toy_audio, 1, 4))


def test_streams_of_a_large_batch_yield_what_they_yield_alone(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=33)
    streams = [engine.stream(seed) for seed in range(33)]
    blocks = engine.read(3)
    for stream, block in zip(streams, blocks, strict=True):
        np.testing.assert_array_equal(block, alone(toy_audio, stream.seed, 3))


def test_streams_share_neither_state_nor_memory(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=2)
    one, two = engine.stream(1), engine.stream(1)
    first, second = engine.read(5)
    np.testing.assert_array_equal(first, second)
    first[:] = 9  # a caller may write to its block
    assert not np.shares_memory(first, second)
    one.controls["latent.shift"] = 3
    one.read(20)
    np.testing.assert_array_equal(np.concatenate([second, two.read(20)]), alone(toy_audio, 1, 25))


def test_closed_and_forgotten_streams_leave_the_engine(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu")
    one, two = engine.stream(), engine.stream()
    one.close()
    one.close()
    three = two.fork()
    del two
    gc.collect()
    four = engine.stream()
    assert engine.streams == [three, four]
    with pytest.raises(vrnn.StreamError, match="closed"):
        one.read(1)


def test_more_streams_than_rows_take_turns(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=2)
    streams = [engine.stream(seed) for seed in range(5)]
    blocks = [*zip(engine.read(3), engine.read(4), strict=True)]
    for seed, parts in enumerate(blocks):
        np.testing.assert_array_equal(np.concatenate(parts), alone(toy_audio, seed, 7))
    assert {stream.frame for stream in streams} == {7}


def test_seeds_are_random_unless_given(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=3)
    one, two = engine.stream(), engine.stream()
    assert one.seed != two.seed
    assert max(one.seed, two.seed) < 2**32
    with pytest.raises(vrnn.StreamError, match="seed -1"):
        engine.stream(-1)
    assert len(engine.streams) == 2  # the failed one did not join
    engine.stream(2**64 - 1)


def test_invalid_streams_frames_and_rows_are_refused(toy_audio: Path) -> None:
    engine, other = (vrnn.Engine.load(toy_audio, device="cpu", rows=2) for _ in range(2))
    stream, foreign, closed = engine.stream(), other.stream(), engine.stream()
    closed.close()
    for frames, streams, message in (
        (1, [stream, stream], "given twice"),
        (1, [stream, foreign], "another engine"),
        (1, [stream, closed], "closed"),
        (1, [1], "1 is not a stream"),
        (-1, [stream], "whole number of frames"),
        (1.5, [stream], "whole number of frames"),
    ):
        with pytest.raises(vrnn.StreamError, match=message):
            engine.read(frames, streams)  # type: ignore[arg-type]
    assert stream.frame == 0
    for rows in (0, -1, 1.5, True, "2"):
        with pytest.raises(vrnn.StreamError, match="at least one stream"):
            vrnn.Engine.load(toy_audio, device="cpu", rows=rows)  # type: ignore[arg-type]
    with pytest.raises(vrnn.VoiceError, match=r"no step graph in '' \(it has step/fp32"):
        vrnn.Engine.load(toy_audio, device="cpu", precision="")


def test_numpy_integers_are_accepted_as_rows(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=np.int64(2))  # type: ignore[arg-type]
    assert type(engine.rows) is int
    assert len([engine.read(1) for _ in (engine.stream(), engine.stream())]) == 2


def test_reading_nothing_gives_empty_blocks(toy_audio: Path, toy_pen: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu")
    assert engine.read(5) == []
    assert engine.stream().read(0).shape == (0,)
    assert vrnn.Engine.load(toy_pen, device="cpu").stream().read(0).shape == (0, 3)


def _explode(graph: onnx.GraphProto) -> None:
    """Make the frame infinite wherever the shift is 3 in a dimension."""
    graph.initializer.append(helper.make_tensor("huge", TensorProto.FLOAT, [1], [1e30]))
    for node in graph.node:
        if node.output[0] == "frame":
            node.output[0] = "sane"
        for index, name in enumerate(node.input):
            if name == "frame":
                node.input[index] = "sane"
    graph.node.append(helper.make_node("ReduceMax", ["control.latent.shift"], ["m"], axes=[1]))
    graph.node.append(helper.make_node("Mul", ["m", "huge"], ["m1"]))
    graph.node.append(helper.make_node("Mul", ["m1", "huge"], ["m2"]))
    graph.node.append(helper.make_node("Add", ["sane", "m2"], ["frame"]))


def test_frame_that_is_not_finite_is_an_error_and_moves_no_stream(tmp_path: Path) -> None:
    """The error names the seed of the stream that failed."""
    engine = vrnn.Engine.load(toy_voice.build(tmp_path / "voice", edit_step=_explode), device="cpu", rows=2)
    good, bad = engine.stream(1), engine.stream(2)
    engine.read(2)
    bad.controls["latent.shift"] = 3
    with pytest.raises(vrnn.StreamError, match="with seed 2 generated a frame that is not finite"):
        engine.read(2)
    assert (good.frame, bad.frame) == (2, 2)
    assert np.isfinite(good.read(2)).all()
    bad.controls.reset()
    assert np.isfinite(bad.read(2)).all()


def test_fork_and_continue_from_copy_one_row_and_not_the_batch(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=8)
    streams = [engine.stream(seed) for seed in range(8)]
    engine.read(3)
    other = engine.stream(9)
    other.continue_from(streams[2])
    for kept in (streams[1].fork(), other):
        assert all(value.base is None or value.base.shape[0] == 1 for value in kept.state.arrays.values())
    (batch,) = engine.stepper.pool.idle
    assert batch.tables == [stream.controls.table for stream in streams]


def test_a_batch_reads_the_controls_of_each_new_set_of_streams(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=2)
    streams = [engine.stream(seed) for seed in range(4)]
    alone = [vrnn.Engine.load(toy_audio, device="cpu").stream(seed) for seed in range(4)]
    for one in (streams[3], alone[3]):
        one.controls["output.temperature"] = 0.25
    for chosen in ([0, 1], [2, 3], [3, 1], [0, 2], [1, 3]):
        found = engine.read(2, [streams[k] for k in chosen])
        for k, block in zip(chosen, found, strict=True):
            np.testing.assert_array_equal(block, alone[k].read(2))


@pytest.mark.parametrize("voice", ["toy", "handwriting"])
def test_a_few_streams_less_use_the_same_buffers_and_get_the_same_bits(toy_audio: Path, voice: str) -> None:
    """Making a batch takes longer than computing some rows that nobody needs."""
    engine = vrnn.Engine.load(toy_audio if voice == "toy" else voice, "cpu", rows=20)
    streams = [engine.stream(seed) for seed in range(20)]
    found = [[block] for block in engine.read(3, streams)]
    kept = list(engine.stepper.pool.idle)
    for row, block in enumerate(engine.read(3, streams[:17])):
        found[row].append(block)
    for row, block in enumerate(engine.read(2, streams[2:18])):
        found[row + 2].append(block)
    if voice == "toy":
        assert engine.stepper.pool.idle == kept
        assert [batch.rows for batch in kept] == [20]
    for seed in (0, 2, 16, 17, 19):
        alone = np.concatenate(found[seed])
        frames = len(alone) // 200 if voice == "toy" else len(alone)
        assert np.array_equal(alone, engine.stream(seed).read(frames))


@pytest.mark.parametrize("rows", [1, 3])
def test_the_state_has_the_prior_from_which_the_latent_was_drawn(toy_audio: Path, rows: int) -> None:
    engine = vrnn.Engine.load(toy_audio, "cpu", rows=rows)
    streams = [engine.stream(seed) for seed in range(rows)]
    assert streams[0].state.prior is None
    engine.read(5, streams)
    for stream in streams:
        mean, std = stream.state.prior
        assert np.allclose(stream.latent, mean + std * stream.state.noise.at(4)["latent"], atol=1e-6)
