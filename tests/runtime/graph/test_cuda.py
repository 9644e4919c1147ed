"""On an NVIDIA GPU, frames equal those of the CPU, wherever the graph reads its inputs."""

import ctypes
from pathlib import Path

import numpy as np
import pytest
from support import toy_voice
from support.cuda import READ_ON_CPU, read_duet, read_on_cpu, step_graph

import vrnn_engine as vrnn
from vrnn_engine.runtime.graph.arrays import HOST
from vrnn_engine.runtime.graph.binding import StepBatch
from vrnn_engine.runtime.graph.pinned import cuda_runtime


@pytest.mark.parametrize("names", READ_ON_CPU)
@pytest.mark.parametrize("rows", [1, 2])
def test_frames_equal_those_of_the_cpu(gpu: None, tmp_path: Path, names: tuple[str, ...], rows: int) -> None:
    """An input that is bound in the wrong memory is copied once and never changes."""
    folder = toy_voice.build(tmp_path / "voice", edit_step=read_on_cpu(*names))
    engine = vrnn.Engine.load(folder, device="cuda", rows=rows)
    assert engine.provider == "CUDAExecutionProvider"
    assert {name for name, where in step_graph(engine).input_locations.items() if where == HOST} == set(names)
    expected = read_duet(vrnn.Engine.load(folder, device="cpu", rows=rows))
    np.testing.assert_allclose(read_duet(engine), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["blizzard", "handwriting"])
def test_bundled_voices_give_the_frames_of_the_cpu(gpu: None, name: str) -> None:
    cpu, cuda = (vrnn.Engine.load(name, device=device).stream(7) for device in ("cpu", "cuda"))
    expected = cpu.read(40)
    np.testing.assert_allclose(cuda.read(40), expected, atol=1e-3 * np.abs(expected).max())
    recording = cpu.read(10)
    seen, found = cpu.prime(recording), cuda.prime(recording)
    np.testing.assert_allclose(found.log_likelihood, seen.log_likelihood, rtol=1e-3, atol=0.1)
    np.testing.assert_allclose(cuda.read(10), cpu.read(10), atol=1e-3 * np.abs(expected).max())


def test_inputs_of_many_rows_are_in_pinned_memory(gpu: None, toy_audio: Path) -> None:
    batch = StepBatch(step_graph(vrnn.Engine.load(toy_audio, device="cuda")), 4096)
    cuda, already = cuda_runtime(), 712  # cudaErrorHostMemoryAlreadyRegistered
    for array in (batch.noise["output"], batch.frame):
        size = ctypes.c_size_t(array.nbytes)
        assert cuda.cudaHostRegister(ctypes.c_void_p(array.ctypes.data), size, 0) == already
        cuda.cudaGetLastError()


def test_missing_gpu_is_an_error(gpu: None, toy_audio: Path) -> None:
    expected = r"device 'cuda:99' cannot run here: there is no GPU 99: the machine has \d"
    with pytest.raises(vrnn.ProviderError, match=expected):
        vrnn.Engine.load(toy_audio, device="cuda:99")


@pytest.mark.parametrize("names", READ_ON_CPU)
def test_graphs_of_these_tests_differ_from_the_plain_graph(tmp_path: Path, names: tuple[str, ...]) -> None:
    """On the CPU: each input that is read through another node changes the frames."""
    engine = vrnn.Engine.load(toy_voice.build(tmp_path / "a", edit_step=read_on_cpu(*names)), device="cpu")
    plain = vrnn.Engine.load(toy_voice.build(tmp_path / "b"), device="cpu")
    assert set(step_graph(engine).input_locations.values()) == {HOST}
    assert np.array_equal(read_duet(engine), read_duet(plain)) == (not names)
