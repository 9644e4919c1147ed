"""On an NVIDIA GPU: the frames of the CPU, whatever a graph leaves to the processor; CUDA graphs change no bit."""

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper
from support import toy_voice

import vrnn_engine as vrnn
from vrnn_engine.runtime.graph.binding import CPU, Batch
from vrnn_engine.runtime.graph.cuda_graphs import Captured, in_one_thread
from vrnn_engine.runtime.graph.pinned import cuda_runtime
from vrnn_engine.runtime.graph.provider import cuda_obstacle


@pytest.fixture
def gpu(toy_audio: Path) -> None:
    """Skip a test where CUDA does not run."""
    try:
        vrnn.Engine.load(toy_audio, device="cuda")
    except vrnn.ProviderError as error:
        pytest.skip(f"needs a GPU: {error}")


def through_the_processor(*names: str) -> toy_voice.Edit:
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
    folder = toy_voice.build(tmp_path / "voice", edit_step=through_the_processor(*names))
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


def test_what_many_rows_send_lies_in_pinned_memory(gpu: None, toy_audio: Path) -> None:
    batch = Batch(vrnn.Engine.load(toy_audio, device="cuda").step, 4096)
    cuda, already = cuda_runtime(), 712  # cudaErrorHostMemoryAlreadyRegistered
    for array in (batch.noise["output"], batch.frame):
        size = ctypes.c_size_t(array.nbytes)
        assert cuda.cudaHostRegister(ctypes.c_void_p(array.ctypes.data), size, 0) == already
        cuda.cudaGetLastError()


def test_a_gpu_that_is_not_there(gpu: None, toy_audio: Path) -> None:
    with pytest.raises(vrnn.ProviderError, match=r"device 'cuda:99' cannot run here: there is no GPU 99, only \d"):
        vrnn.Engine.load(toy_audio, device="cuda:99")


@pytest.mark.parametrize("names", READ_THERE)
def test_the_graphs_of_these_tests_are_sound(tmp_path: Path, names: tuple[str, ...]) -> None:
    """On the CPU: what a graph reads in another way is heard."""
    engine = vrnn.Engine.load(toy_voice.build(tmp_path / "a", edit_step=through_the_processor(*names)), device="cpu")
    plain = vrnn.Engine.load(toy_voice.build(tmp_path / "b"), device="cpu")
    assert set(engine.step.places.values()) == {CPU}
    assert np.array_equal(performance(engine), performance(plain)) == (not names)


# CUDA graphs


def in_threads(*calls: Callable[[], object]) -> list[object]:
    """Call all at once, each in a thread of its own."""
    found: list[object] = [None] * len(calls)

    def keep(number: int, call: Callable[[], object]) -> None:
        found[number] = call()

    threads = [threading.Thread(target=keep, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def duet(engine: vrnn.Engine) -> np.ndarray:
    """Two streams that are always read together, and steered on the way."""
    one, two = engine.stream(1), engine.stream(2)
    blocks = engine.read(1)
    one.controls["latent.shift"] = 0.5
    blocks += engine.read(4)
    one.restore(one.snapshot())
    two.controls["output.temperature"] = 0.2
    for _ in range(3):
        blocks += engine.read(21)
    return np.concatenate([block.reshape(-1) for block in blocks])


@pytest.mark.parametrize("name", ["toy", "handwriting"])
def test_cuda_graphs_change_no_bit(gpu: None, toy_audio: Path, name: str) -> None:
    """Capture runs a step several times, and leaves the state as it was."""
    where = toy_audio if name == "toy" else name
    plain = vrnn.Engine.load(where, device="cuda", rows=2)
    try:
        captured = vrnn.Engine.load(where, device="cuda", rows=2, cuda_graphs=True)
    except vrnn.ProviderError as error:
        if name == "toy" or "cannot be captured as CUDA graphs" not in str(error):
            raise
        pytest.skip(f"this voice is none to capture: {error}")
    expected = duet(plain)
    np.testing.assert_array_equal(duet(captured), expected)
    np.testing.assert_array_equal(duet(captured), expected)


def test_cuda_graphs_from_many_threads(gpu: None, toy_audio: Path) -> None:
    """Of two engines, each loaded and read in threads that come and go; company changes no bit either."""

    def load() -> vrnn.Engine:
        return vrnn.Engine.load(toy_audio, device="cuda", rows=3, cuda_graphs=True)

    engines = in_threads(load, load)
    streams = [engine.stream(seed) for engine in engines for seed in (1, 2)]  # type: ignore[attr-defined]
    first = in_threads(*(lambda stream=stream: stream.read(30) for stream in streams))
    second = in_threads(*(lambda stream=stream: stream.read(30) for stream in streams))
    alone = load()
    for stream, *blocks in zip(streams, first, second, strict=True):
        np.testing.assert_array_equal(np.concatenate(blocks), alone.stream(stream.seed).read(60))


@pytest.mark.parametrize("names", READ_THERE[1:])
def test_a_graph_that_the_processor_shares_has_no_cuda_graphs(
    gpu: None, tmp_path: Path, names: tuple[str, ...]
) -> None:
    folder = toy_voice.build(tmp_path / "voice", edit_step=through_the_processor(*names))
    with pytest.raises(
        vrnn.ProviderError, match=r"step\.onnx: cannot be captured as CUDA graphs: .*load the voice without"
    ) as caught:
        vrnn.Engine.load(folder, device="cuda", cuda_graphs=True)
    assert "\n" not in str(caught.value)


def test_priming_with_cuda_graphs(gpu: None, toy_audio: Path) -> None:
    plain, captured = (vrnn.Engine.load(toy_audio, device="cuda", cuda_graphs=on).stream(1) for on in (False, True))
    for stream in (plain, captured):
        stream.prime(np.sin(np.arange(4000) / 10).astype(np.float32))
    np.testing.assert_array_equal(captured.read(10), plain.read(10))


def test_cuda_graphs_are_not_for_the_cpu(toy_audio: Path) -> None:
    with pytest.raises(vrnn.ProviderError, match="cuda_graphs need a GPU, and the device is 'cpu'; use cuda or auto"):
        vrnn.Engine.load(toy_audio, device="cpu", cuda_graphs=True)


@pytest.mark.skipif(getattr(cuda_obstacle(), "driver", True), reason="this machine has an NVIDIA driver")
def test_auto_goes_without_where_there_is_no_gpu(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="auto", rows=2, cuda_graphs=True)
    assert engine.provider == "CPUExecutionProvider"
    np.testing.assert_array_equal(performance(engine), performance(vrnn.Engine.load(toy_audio, "cpu", rows=2)))
    assert engine._call(threading.get_ident) == threading.get_ident()  # nothing takes turns there


def test_buffers_of_a_captured_batch(toy_pen: Path) -> None:
    """On the CPU, where nothing is captured: more rows than streams, and the frames and states of a plain batch."""
    graph = vrnn.Engine.load(toy_pen, device="cpu").step
    plain, captured = Batch(graph, 2), Captured(graph, 5)
    rng = np.random.default_rng(3)
    states = [{name: rng.random((1, *shape), np.float32) for name, shape in graph.state.items()} for _ in range(2)]
    for batch in (plain, captured):
        batch.load(states)
    for _ in range(3):
        for given in ("noise", "controls"):
            for name, array in getattr(plain, given).items():
                array[...] = rng.random(array.shape)
                getattr(captured, given)[name][:2] = array
        for batch in (plain, captured):
            batch.steer()
            batch.step()
        np.testing.assert_array_equal(captured.frame[:2], plain.frame)
    for one, other in zip(captured.states()[:2], plain.states(), strict=True):
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name])


def test_states_that_are_there_are_not_sent_again(toy_pen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU: of the streams that a captured batch has, which are fewer than its rows."""

    def send(value: ort.OrtValue, array: np.ndarray) -> None:
        sent.append(len(array))
        real(value, array)

    sent: list[int] = []
    real = ort.OrtValue.update_inplace
    monkeypatch.setattr(ort.OrtValue, "update_inplace", send)
    captured = Captured(vrnn.Engine.load(toy_pen, device="cpu").step, 5)
    captured.step()
    one, two, *_ = captured.states()
    sent.clear()
    for states in ([one, two], [one]):
        captured.load(states)
    assert sent == []
    captured.load([two, one])
    assert sent == [5, 5]  # h and tail


def test_a_load_that_fails_half_way_is_done_again(toy_pen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(value: ort.OrtValue, array: np.ndarray) -> None:
        if sent:
            raise MemoryError
        sent.append(value)
        real(value, array)

    sent: list[ort.OrtValue] = []
    real = ort.OrtValue.update_inplace
    plain = Batch(vrnn.Engine.load(toy_pen, device="cpu").step, 2)
    plain.step()
    given = plain.states()
    with monkeypatch.context() as failing:
        failing.setattr(ort.OrtValue, "update_inplace", fail)
        with pytest.raises(MemoryError):
            plain.load([{name: value + 1 for name, value in state.items()} for state in given])
    plain.load(given)
    for one, other in zip(plain.states(), given, strict=True):
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name])


@pytest.fixture
def as_captured(toy_audio: Path) -> vrnn.Engine:
    """On the CPU, an engine that goes the ways of a captured one."""
    engine = vrnn.Engine.load(toy_audio, device="cpu", rows=2)
    engine._captured, engine._call = True, in_one_thread
    engine._idle.append(engine._call(engine._make_batch, 2))
    return engine


def test_a_captured_batch_outlives_a_read_that_fails(as_captured: vrnn.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, idle = as_captured.stream(1), list(as_captured._idle)
    with monkeypatch.context() as failing:
        failing.setattr(Batch, "step", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            stream.read(3)
    assert as_captured._idle == idle
    assert isinstance(idle[0], Captured)
    expected = vrnn.Engine.load(as_captured.voice, device="cpu").stream(1).read(5)
    np.testing.assert_array_equal(stream.read(5), expected)


def test_priming_takes_its_turn_with_the_reads(as_captured: vrnn.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the one thread, both loading and running; and nothing that a read waits for is locked meanwhile."""

    def call(wanted: Callable[..., object], *args: object) -> object:
        called.append(wanted.__name__)
        assert not as_captured._changing.locked()
        return in_one_thread(wanted, *args)

    called: list[str] = []
    as_captured._call = call
    plain = vrnn.Engine.load(as_captured.voice, device="cpu").stream(1)
    stream = as_captured.stream(1)
    for one in (plain, stream):
        one.prime(np.sin(np.arange(600) / 10).astype(np.float32))
    assert called == ["_load_observe", "run", "run", "run"]
    np.testing.assert_array_equal(stream.read(4), plain.read(4))


def test_a_captured_engine_is_let_go_in_the_one_thread(toy_audio: Path) -> None:
    class Session:
        def __del__(self) -> None:
            let_go.append(threading.get_ident())
            done.set()

    let_go: list[int] = []
    done = threading.Event()
    engine = vrnn.Engine.load(toy_audio, device="cpu")
    engine._call, engine.step = in_one_thread, Session()
    del engine
    assert done.wait(30)
    assert let_go == [in_one_thread(threading.get_ident)]


def test_a_replay_that_is_not_the_step_is_refused(tmp_path: Path) -> None:
    """Here of a graph that draws its own noise, so that no two runs are the same."""

    def draw(graph: onnx.GraphProto) -> None:
        graph.node.insert(0, helper.make_node("RandomNormalLike", ["noise.output"], ["own"]))
        for node in graph.node[1:]:
            for index, name in enumerate(node.input):
                if name == "noise.output":
                    node.input[index] = "own"

    graph = vrnn.Engine.load(toy_voice.build(tmp_path / "voice", edit_step=draw), device="cpu").step
    with pytest.raises(
        vrnn.ProviderError, match="does not compute what its steps do one by one; load the voice without"
    ):
        Captured(graph, 2)


def test_one_thread_for_all() -> None:
    here, *there = threading.get_ident(), *in_threads(*[lambda: in_one_thread(threading.get_ident)] * 3)
    assert len(set(there)) == 1
    assert here not in there
    with pytest.raises(ZeroDivisionError):
        in_one_thread(divmod, 1, 0)
