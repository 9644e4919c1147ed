"""CUDA graphs change no bit, and everything on the GPU happens in one thread."""

import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper
from support import toy_voice
from support.cuda import READ_ON_CPU, read_duet, read_on_cpu, step_graph

import vrnn_engine as vrnn
from vrnn_engine.runtime.graph.batch_memory import BatchMemory
from vrnn_engine.runtime.graph.batch_pool import BatchPool
from vrnn_engine.runtime.graph.binding import StepBatch
from vrnn_engine.runtime.graph.cuda_graphs import CapturedBatch, in_one_thread
from vrnn_engine.runtime.graph.provider import cuda_obstacle
from vrnn_engine.runtime.graph.session import EngineOptions, GraphSession
from vrnn_engine.runtime.graph.voice_graphs import VoiceGraphs
from vrnn_engine.runtime.stepper import Stepper


def in_threads(*calls: Callable[[], object]) -> list[object]:
    """Call all functions at once, each in a new thread."""
    found: list[object] = [None] * len(calls)

    def keep(number: int, call: Callable[[], object]) -> None:
        found[number] = call()

    threads = [threading.Thread(target=keep, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def read_together(engine: vrnn.Engine) -> np.ndarray:
    """Read two streams always together, and set their controls in between."""
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
    """A capture runs the step several times and does not change the state."""
    where = toy_audio if name == "toy" else name
    plain = vrnn.Engine.load(where, device="cuda", rows=2)
    try:
        captured = vrnn.Engine.load(where, device="cuda", rows=2, cuda_graphs=True)
    except vrnn.ProviderError as error:
        if name == "toy" or "cannot be captured as CUDA graphs" not in str(error):
            raise
        pytest.skip(f"this voice cannot be captured: {error}")
    expected = read_together(plain)
    np.testing.assert_array_equal(read_together(captured), expected)
    np.testing.assert_array_equal(read_together(captured), expected)


def test_cuda_graphs_from_many_threads(gpu: None, toy_audio: Path) -> None:
    """Two engines are loaded and read in threads that end; other streams change no bit either."""

    def load() -> vrnn.Engine:
        return vrnn.Engine.load(toy_audio, device="cuda", rows=3, cuda_graphs=True)

    engines = in_threads(load, load)
    streams = [engine.stream(seed) for engine in engines for seed in (1, 2)]  # type: ignore[attr-defined]
    first = in_threads(*(lambda stream=stream: stream.read(30) for stream in streams))
    second = in_threads(*(lambda stream=stream: stream.read(30) for stream in streams))
    alone = load()
    for stream, *blocks in zip(streams, first, second, strict=True):
        np.testing.assert_array_equal(np.concatenate(blocks), alone.stream(stream.seed).read(60))


@pytest.mark.parametrize("names", READ_ON_CPU[1:])
def test_graph_with_nodes_on_the_cpu_has_no_cuda_graphs(gpu: None, tmp_path: Path, names: tuple[str, ...]) -> None:
    folder = toy_voice.build(tmp_path / "voice", edit_step=read_on_cpu(*names))
    with pytest.raises(
        vrnn.ProviderError, match=r"step\.onnx: cannot be captured as CUDA graphs: .*load the voice without"
    ) as caught:
        vrnn.Engine.load(folder, device="cuda", cuda_graphs=True)
    assert "\n" not in str(caught.value)


def test_priming_with_cuda_graphs_changes_no_bit(gpu: None, toy_audio: Path) -> None:
    plain, captured = (vrnn.Engine.load(toy_audio, device="cuda", cuda_graphs=on).stream(1) for on in (False, True))
    for stream in (plain, captured):
        stream.prime(np.sin(np.arange(4000) / 10).astype(np.float32))
    np.testing.assert_array_equal(captured.read(10), plain.read(10))


def test_cuda_graphs_on_the_cpu_are_refused(toy_audio: Path) -> None:
    with pytest.raises(vrnn.ProviderError, match="cuda_graphs need a GPU, and the device is 'cpu'; use cuda or auto"):
        vrnn.Engine.load(toy_audio, device="cpu", cuda_graphs=True)


@pytest.mark.skipif(getattr(cuda_obstacle(), "driver", True), reason="this machine has an NVIDIA driver")
def test_auto_ignores_cuda_graphs_without_a_gpu(toy_audio: Path) -> None:
    engine = vrnn.Engine.load(toy_audio, device="auto", rows=2, cuda_graphs=True)
    assert engine.provider == "CPUExecutionProvider"
    np.testing.assert_array_equal(read_duet(engine), read_duet(vrnn.Engine.load(toy_audio, "cpu", rows=2)))
    assert engine.stepper.graphs.call(threading.get_ident) == threading.get_ident()


def test_captured_batch_gives_the_frames_and_states_of_a_plain_one(toy_pen: Path) -> None:
    """On the CPU, where nothing is captured: with more rows than streams."""
    graph = step_graph(vrnn.Engine.load(toy_pen, device="cpu"))
    plain, captured = StepBatch(graph, 2), CapturedBatch(graph, 5)
    rng = np.random.default_rng(3)
    states = [{name: rng.random((1, *shape), np.float32) for name, shape in graph.state.items()} for _ in range(2)]
    for batch in (plain, captured):
        batch.load_states(states)
    for _ in range(3):
        for given in ("noise", "controls"):
            for name, array in getattr(plain, given).items():
                array[...] = rng.random(array.shape)
                getattr(captured, given)[name][:2] = array
        for batch in (plain, captured):
            batch.send_controls()
            batch.step()
        np.testing.assert_array_equal(captured.frame[:2], plain.frame)
    for one, other in zip(captured.states()[:2], plain.states(), strict=True):
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name])


def test_current_states_are_not_sent_again(toy_pen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU: a captured batch with fewer streams than rows."""

    def send(value: ort.OrtValue, array: np.ndarray) -> None:
        sent.append(len(array))
        real(value, array)

    sent: list[int] = []
    real = ort.OrtValue.update_inplace
    monkeypatch.setattr(ort.OrtValue, "update_inplace", send)
    captured = CapturedBatch(step_graph(vrnn.Engine.load(toy_pen, device="cpu")), 5)
    captured.step()
    one, two, *_ = captured.states()
    sent.clear()
    for states in ([one, two], [one]):
        captured.load_states(states)
    assert sent == []
    captured.load_states([two, one])
    assert sent == [5, 5]  # h and tail


def test_states_are_loaded_again_after_a_load_that_failed(toy_pen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(value: ort.OrtValue, array: np.ndarray) -> None:
        if sent:
            raise MemoryError
        sent.append(value)
        real(value, array)

    sent: list[ort.OrtValue] = []
    real = ort.OrtValue.update_inplace
    plain = StepBatch(step_graph(vrnn.Engine.load(toy_pen, device="cpu")), 2)
    plain.step()
    given = plain.states()
    with monkeypatch.context() as failing:
        failing.setattr(ort.OrtValue, "update_inplace", fail)
        with pytest.raises(MemoryError):
            plain.load_states([{name: value + 1 for name, value in state.items()} for state in given])
    plain.load_states(given)
    for one, other in zip(plain.states(), given, strict=True):
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name])


@pytest.fixture
def as_captured(toy_audio: Path) -> vrnn.Engine:
    """Make an engine on the CPU that runs the code of CUDA graphs."""
    voice = vrnn.Voice.open(toy_audio)
    graphs = VoiceGraphs(voice, device="cpu")
    graphs.captured, graphs.call = True, in_one_thread
    return vrnn.Engine(Stepper(voice, graphs, rows=2))


def test_captured_batch_is_kept_after_a_read_that_failed(
    as_captured: vrnn.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = as_captured.stepper.pool
    stream, idle = as_captured.stream(1), list(pool.idle)
    with monkeypatch.context() as failing:
        failing.setattr(StepBatch, "step", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            stream.read(3)
    assert pool.idle == idle
    assert isinstance(idle[0], CapturedBatch)
    expected = vrnn.Engine.load(as_captured.voice, device="cpu").stream(1).read(5)
    np.testing.assert_array_equal(stream.read(5), expected)


def test_priming_runs_in_the_thread_of_cuda_graphs(as_captured: vrnn.Engine) -> None:
    """The observe graph is loaded and run there. Meanwhile another stream can be opened and read."""

    def call(wanted: Callable[..., object], *args: object) -> object:
        called.append(wanted.__name__)
        if wanted is GraphSession:  # no lock is held that a read waits for
            assert in_threads(lambda: as_captured.stream(2).read(1).size) == [200]
        return in_one_thread(wanted, *args)

    called: list[str] = []
    as_captured.stepper.graphs.call = call
    plain = vrnn.Engine.load(as_captured.voice, device="cpu").stream(1)
    stream = as_captured.stream(1)
    for one in (plain, stream):
        one.prime(np.sin(np.arange(600) / 10).astype(np.float32))
    assert called == ["GraphSession", "_advance", "run", "run", "run"]
    np.testing.assert_array_equal(stream.read(4), plain.read(4))


def thread_of_release(owners: list) -> int:
    """Empty a list of one object, and return the thread in which the attributes of that object are released."""

    class Held:
        pass

    def note() -> None:
        threads.append(threading.get_ident())
        released.set()

    threads: list[int] = []
    released = threading.Event()
    owners[0].held = held = Held()
    weakref.finalize(held, note)
    del held
    owners.clear()
    assert released.wait(30)
    return threads[0]


class OnPretendedGpu(GraphSession):
    """A session on the CPU that says that it is on a GPU."""

    def __init__(self, folder, graph, controls, device, options) -> None:
        super().__init__(folder, graph, controls, "cpu", replace(options, cuda_graphs=False))
        self.location = ("cuda", 0)


def test_graphs_and_batches_are_released_in_the_thread_of_cuda_graphs(
    toy_audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vrnn_engine.runtime.graph.voice_graphs.GraphSession", OnPretendedGpu)
    voice = vrnn.Voice.open(toy_audio)
    graphs = [VoiceGraphs(voice, "cuda", options=EngineOptions(cuda_graphs=True))]
    assert graphs[0].captured
    assert graphs[0].call is in_one_thread
    step = graphs[0].step
    pools = [BatchPool(step, BatchMemory(voice.name, step), captured=True)]
    expected = in_one_thread(threading.get_ident)
    assert thread_of_release(graphs) == expected
    assert thread_of_release(pools) == expected
    assert thread_of_release([VoiceGraphs(voice, "cuda")]) == threading.get_ident()


def test_replay_that_differs_from_the_plain_step_is_refused(tmp_path: Path) -> None:
    """The graph draws its own noise, so that no two runs give the same."""

    def draw(graph: onnx.GraphProto) -> None:
        graph.node.insert(0, helper.make_node("RandomNormalLike", ["noise.output"], ["own"]))
        for node in graph.node[1:]:
            for index, name in enumerate(node.input):
                if name == "noise.output":
                    node.input[index] = "own"

    folder = toy_voice.build(tmp_path / "voice", edit_step=draw)
    graph = step_graph(vrnn.Engine.load(folder, device="cpu", trust="operators"))
    with pytest.raises(vrnn.ProviderError, match="gives other results than its plain steps; load the voice without"):
        CapturedBatch(graph, 2)


def test_all_callers_share_one_thread() -> None:
    here, *there = threading.get_ident(), *in_threads(*[lambda: in_one_thread(threading.get_ident)] * 3)
    assert len(set(there)) == 1
    assert here not in there
    with pytest.raises(ZeroDivisionError):
        in_one_thread(divmod, 1, 0)
