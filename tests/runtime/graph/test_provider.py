"""Device strings, and errors about devices that cannot run here."""

import logging
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException
from support import toy_voice

import vrnn_engine as vrnn
from vrnn_engine.runtime.graph import provider
from vrnn_engine.runtime.graph.binding import StepBatch
from vrnn_engine.runtime.graph.provider import cuda_obstacle, parse_device
from vrnn_engine.runtime.graph.session import GraphSession

ROOT = Path(__file__).resolve().parents[3]

OLD_DRIVER = (
    "/onnxruntime_src/core/providers/cuda/cuda_call.cc:122 std::conditional_t<THRW, void, common::Status> "
    + "onnxruntime::CudaCall(ERRTYPE, const char*, const char*, SUCCTYPE, const char*, const char*, int) " * 4
    + "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; hostname=studio ; "
    + "file=cuda_execution_provider.cc ; line=336 ; expr=cudaSetDevice(info_.device_id); "
)
"""A message of onnxruntime, as it is."""

HAS_DRIVER = getattr(cuda_obstacle(), "driver", True)


def test_device_strings_are_parsed() -> None:
    assert parse_device("auto").kind == "auto"
    assert parse_device("cuda:3").index == 3


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cpu:1", "", "CPU", None])
def test_an_unknown_device_is_an_error(device: str) -> None:
    with pytest.raises(vrnn.ProviderError, match="use auto, cpu, cuda or cuda:N"):
        parse_device(device)


def test_the_device_cpu_runs_on_the_cpu(toy_audio: Path) -> None:
    assert vrnn.Engine.load(toy_audio, device="cpu").provider == "CPUExecutionProvider"


@pytest.mark.skipif(HAS_DRIVER, reason="this machine has an NVIDIA driver")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_cuda_that_cannot_run_names_the_library(toy_audio: Path, device: str) -> None:
    with pytest.raises(vrnn.ProviderError, match=r"libcuda\.so\.1|nvcuda\.dll|macOS") as caught:
        vrnn.Engine.load(toy_audio, device=device)
    assert "\n" not in str(caught.value)


@pytest.fixture
def logged() -> Iterator[list[tuple[str, str]]]:
    """Return the levels and lines that the library logs."""

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((record.levelname, record.getMessage()))

    lines: list[tuple[str, str]] = []
    logger, kept = logging.getLogger("vrnn_engine"), Kept()
    level = logger.level
    logger.addHandler(kept)
    logger.setLevel(logging.DEBUG)
    yield lines
    logger.removeHandler(kept)
    logger.setLevel(level)


@pytest.fixture
def cuda_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a driver, and an onnxruntime whose CUDA provider raises an error when it starts."""

    def session(model: str, *given: object, providers: list, **named: object) -> ort.InferenceSession:
        if providers != ["CPUExecutionProvider"]:
            raise RuntimeError(OLD_DRIVER)
        return real(model, *given, providers=providers, **named)

    real = ort.InferenceSession
    monkeypatch.setattr(provider, "cuda_obstacle", lambda index=0: None)
    monkeypatch.setattr(ort, "InferenceSession", session)
    monkeypatch.setattr(ort, "preload_dlls", lambda: None)


def test_simulated_cuda_that_cannot_start_is_a_provider_error(
    toy_audio: Path, cuda_fails: None, logged: list[tuple[str, str]]
) -> None:
    reason = "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version"
    with pytest.raises(vrnn.ProviderError) as caught:
        vrnn.Engine.load(toy_audio, device="cuda")
    assert str(caught.value) == f"device 'cuda' cannot run here: {reason}; use the device cpu or auto"
    assert logged == []
    assert vrnn.Engine.load(toy_audio, device="auto").provider == "CPUExecutionProvider"
    assert logged == [("WARNING", f"running on the CPU: {reason}")]


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_simulated_cuda_that_cannot_start_does_not_hide_a_damaged_graph(
    tmp_path: Path, cuda_fails: None, device: str
) -> None:
    folder = toy_voice.build(tmp_path / "voice", edit_step=lambda graph: graph.node.pop())
    with pytest.raises(vrnn.VoiceError, match=r"step\.onnx: onnxruntime cannot load this graph"):
        vrnn.Engine.load(folder, device=device)


LOST = (
    "Non-zero status code returned while running Mul node. Name:'m' Status Message: CUDA error cudaErrorNoKernelImage"
)


@pytest.mark.parametrize("error", [RuntimeError(LOST), RuntimeException(LOST)], ids=["C++'s", "onnxruntime's"])
def test_simulated_errors_of_a_step_name_device_and_voice(
    toy_audio: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*given: object) -> None:
        raise error

    stream = vrnn.Engine.load(toy_audio, device="cpu").stream(1)
    for step, take in (
        ((StepBatch, "step"), lambda: stream.read(1)),
        ((GraphSession, "run"), lambda: stream.prime(np.zeros(400, np.float32))),
    ):
        with monkeypatch.context() as failing:
            failing.setattr(*step, fail)
            with pytest.raises(vrnn.ProviderError) as caught:
                take()
        assert str(caught.value) == (
            f"voice 'toy-audio': onnxruntime failed on CPUExecutionProvider: {LOST}; "
            "load the voice again, with device='cpu' if it keeps failing"
        )
    assert stream.frame == 0


def test_other_errors_are_not_translated(toy_audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StepBatch, "step", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        vrnn.Engine.load(toy_audio, device="cpu").stream(1).read(1)


@pytest.mark.skipif(HAS_DRIVER, reason="this machine has an NVIDIA driver")
def test_auto_falls_back_with_one_line(toy_audio: Path, logged: list[tuple[str, str]]) -> None:
    assert vrnn.Engine.load(toy_audio, device="auto").provider == "CPUExecutionProvider"
    assert [(name, "\n" in line) for name, line in logged] == [("DEBUG", False)]
    assert "running on the CPU" in logged[0][1]


@pytest.mark.skipif(HAS_DRIVER or sys.platform != "linux", reason="needs Linux without an NVIDIA driver")
@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_driver_without_cuda_libraries(toy_audio: Path, device: str) -> None:
    """Simulate the driver; that CUDA's libraries are missing is real."""
    pytest.importorskip("onnxruntime")
    script = f"""
        import logging, sys
        import onnxruntime
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            sys.exit(77)
        from vrnn_engine import Engine, ProviderError
        from vrnn_engine.runtime.graph import provider
        provider.cuda_obstacle = lambda index=0: None
        logging.basicConfig(format="%(levelname)s %(message)s")
        try:
            print(Engine.load({str(toy_audio)!r}, device={device!r}).provider)
        except ProviderError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, cwd=ROOT)
    if done.returncode == 77:
        pytest.skip("this onnxruntime is built without CUDA")
    assert done.returncode == 0, done.stderr
    said, logged = done.stdout.splitlines(), done.stderr.splitlines()
    if device == "cuda":
        assert len(said) == 1
        assert "cannot open shared object file" in said[0]
        assert ".so" in said[0].split(": cannot open")[0]
        assert logged == []
    else:
        assert said == ["CPUExecutionProvider"]
        assert len(logged) == 1
        assert logged[0].startswith("WARNING running on the CPU: lib")
