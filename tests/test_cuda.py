"""On an NVIDIA GPU: frames as on the CPU, whatever of the graph only the processor can run."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import toy
from onnx import helper

import vrnn_engine as vrnn
from vrnn_engine.runtime.batch import CPU


@pytest.fixture
def gpu(toy_audio: Path) -> None:
    """Skip a test where CUDA does not run."""
    try:
        vrnn.Engine.load(toy_audio, device="cuda")
    except vrnn.ProviderError as error:
        pytest.skip(f"needs a GPU: {error}")


def through_the_processor(*names: str) -> toy.Edit:
    """Let the graph read inputs only through a node that onnxruntime has on the CPU and not on CUDA."""

    def edit(graph: onnx.GraphProto) -> None:
        for node in graph.node:
            for index, name in enumerate(node.input):
                if name in names:
                    node.input[index] = f"{name}.read"
        for name in names:
            graph.node.insert(0, helper.make_node("Asinh", [name], [f"{name}.read"]))

    return edit


READ_THERE = [
    pytest.param((), id="nothing"),
    pytest.param(("noise.latent", "noise.output"), id="noise"),
    pytest.param(("control.latent.shift", "control.output.temperature"), id="controls"),
    pytest.param(("state.h", "state.tail"), id="state"),
    pytest.param(("noise.output", "control.latent.shift", "state.h"), id="some of all"),
]


def performance(engine: vrnn.Engine) -> np.ndarray:
    """Two streams that are steered on the way, and read together and apart."""
    one, two = engine.stream(1), engine.stream(2)
    blocks = engine.read(3)
    one.controls["latent.shift"] = 0.5
    blocks += engine.read(4)
    two.controls["output.temperature"] = 0.2
    blocks += [one.read(1), two.read(5)]
    one.restore(one.snapshot())
    two.controls["latent.shift"] = -0.5
    blocks += engine.read(20)
    return np.concatenate([block.reshape(-1) for block in blocks])


@pytest.mark.parametrize("names", READ_THERE)
@pytest.mark.parametrize("rows", [1, 2])
def test_frames_are_those_of_the_cpu(gpu: None, tmp_path: Path, names: tuple[str, ...], rows: int) -> None:
    """Above all of inputs that the processor reads: bound on the wrong side, one is copied once and stays as it was."""
    folder = toy.build(tmp_path / "voice", edit_step=through_the_processor(*names))
    engine = vrnn.Engine.load(folder, device="cuda", rows=rows)
    assert engine.provider == "CUDAExecutionProvider"
    assert {name for name, place in engine.step.places.items() if place == CPU} == set(names)
    expected = performance(vrnn.Engine.load(folder, device="cpu", rows=rows))
    np.testing.assert_allclose(performance(engine), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["blizzard", "handwriting"])
def test_bundled_voices_are_those_of_the_cpu(gpu: None, name: str) -> None:
    here, there = (vrnn.Engine.load(name, device=device).stream(7) for device in ("cpu", "cuda"))
    expected = here.read(40)
    np.testing.assert_allclose(there.read(40), expected, atol=1e-3 * np.abs(expected).max())
    recording = here.read(10)
    seen, found = here.prime(recording), there.prime(recording)
    np.testing.assert_allclose(found.log_likelihood, seen.log_likelihood, rtol=1e-3, atol=0.1)
    np.testing.assert_allclose(there.read(10), here.read(10), atol=1e-3 * np.abs(expected).max())


def test_a_gpu_that_is_not_there(gpu: None, toy_audio: Path) -> None:
    with pytest.raises(vrnn.ProviderError, match=r"device 'cuda:99' cannot run here: there is no GPU 99, only \d"):
        vrnn.Engine.load(toy_audio, device="cuda:99")


@pytest.mark.parametrize("names", READ_THERE)
def test_the_graphs_of_these_tests_are_sound(tmp_path: Path, names: tuple[str, ...]) -> None:
    """On the CPU: what a graph reads in another way is heard."""
    engine = vrnn.Engine.load(toy.build(tmp_path / "a", edit_step=through_the_processor(*names)), device="cpu")
    plain = vrnn.Engine.load(toy.build(tmp_path / "b"), device="cpu")
    assert set(engine.step.places.values()) == {CPU}
    assert np.array_equal(performance(engine), performance(plain)) == (not names)
