"""Chooses the device (CPU or GPU) that a voice runs on, and reports the device that it really uses.

onnxruntime lists CUDA even if CUDA cannot load, and then falls back to the CPU silently.  Here the device `cuda` raises
an error that names the missing part.  Only `auto` falls back, with one line on the logger `vrnn_engine`.
"""

import contextlib
import ctypes
import io
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vrnn_engine.base.extras import install_command
from vrnn_engine.errors import ProviderError
from vrnn_engine.runtime.graph.ort import create_session, ort

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

_log = logging.getLogger("vrnn_engine")
_ORT_DEFAULT_SEVERITY = 2  # warnings; onnxruntime has no function that returns the current value


@dataclass(frozen=True)
class Device:
    """A parsed device string.

    Attributes
    ----------
    kind : str
        `auto`, `cpu` or `cuda`.
    index : int
        Number of the GPU, from 0.
    """

    kind: str
    index: int = 0


def parse_device(device: str) -> Device:
    """Parse a device string.

    Parameters
    ----------
    device : str
        `auto`, `cpu`, `cuda` or `cuda:N`.

    Returns
    -------
    Device
        Kind and number of the device.

    Raises
    ------
    ProviderError
        The string is none of these.
    """
    match = re.fullmatch(r"(auto|cpu|cuda)(?::(\d{1,3}))?", device) if isinstance(device, str) else None
    if match is None or (match[2] and match[1] != "cuda"):
        raise ProviderError(f"unknown device {device!r}; use auto, cpu, cuda or cuda:N")
    return Device(match[1], int(match[2] or 0))


def open_session(
    model: str | bytes, options: ort.SessionOptions, device: str, cuda_graphs: bool = False
) -> ort.InferenceSession:
    """Create an onnxruntime session on a device.

    Parameters
    ----------
    model : str or bytes
        Path of the graph, or the graph itself.
    options : SessionOptions
        Options of the session.
    device : str
        `auto`, `cpu`, `cuda` or `cuda:N`.
    cuda_graphs : bool
        Capture the steps as CUDA graphs.

    Returns
    -------
    InferenceSession
        The session; its first provider is the provider that it runs on.

    Raises
    ------
    ProviderError
        `device` is `cuda` and cannot run here: the message names the missing library or GPU, or CUDA's error.  Or
        `cuda_graphs` is set, and the device is the CPU or a part of the graph runs only on the CPU.
    Exception
        An error of onnxruntime: it cannot load the graph.
    """
    wanted = parse_device(device)
    if wanted.kind == "cpu":
        if cuda_graphs:
            raise ProviderError(
                f"cuda_graphs need a GPU, and the device is {device!r}; use cuda or auto, or leave out cuda_graphs"
            )
        return create_session(model, options, [CPU])
    obstacle = cuda_obstacle(wanted.index)
    # When CUDA does not load, onnxruntime prints to the console, whatever the session options say.
    if obstacle is None:
        try:
            with _quiet():
                session = _cuda_session(model, options, wanted.index, cuda_graphs)
        except ProviderError:
            raise
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no other common base class
            create_session(model, options, [CPU])  # raises if the cause is the graph or its file, and not CUDA
            obstacle = Obstacle(error_reason(error), driver=True)
        else:
            if session.get_providers()[0] == CUDA:
                return session
            # Only after the session: if this loads the provider's library first, the library stays uninitialised and
            # crashes later.
            obstacle = Obstacle(_provider_trouble(), driver=True)
    if wanted.kind == "cuda":
        raise ProviderError(f"device {device!r} cannot run here: {obstacle.reason}; use the device cpu or auto")
    level = logging.WARNING if obstacle.driver else logging.DEBUG  # without a driver, nobody expects CUDA
    _log.log(level, "running on the CPU: %s", obstacle.reason)
    return create_session(model, options, [CPU])


def default_precision(provider: str, precisions: Sequence[str]) -> str:
    """Return the precision to use by default.

    It is fp16 on CUDA if the voice has it, and otherwise the voice's first.  The CPU converts fp16 to fp32 and gains
    nothing.

    Parameters
    ----------
    provider : str
        Provider that the voice runs on.
    precisions : sequence of str
        Precisions of the voice's step graphs, in the manifest's order.
    """
    return "fp16" if provider == CUDA and "fp16" in precisions else precisions[0]


def is_onnxruntime_error(error: Exception) -> bool:
    """Return whether an error comes from onnxruntime.

    Some errors have classes of onnxruntime without a common base; others are C++ exceptions, which arrive as
    `RuntimeError`.

    Parameters
    ----------
    error : Exception
        The error.
    """
    return type(error) is RuntimeError or type(error).__module__.startswith("onnxruntime")


def error_reason(error: Exception) -> str:
    """Return the message of an onnxruntime error in one line.

    Of a CUDA error only CUDA's own message is kept, without the C++ signature and the host's name around it.

    Parameters
    ----------
    error : Exception
        An error of onnxruntime.
    """
    said = " ".join(str(error).split())
    found = re.search(r"\b[A-Z]+ failure \d+: [^;]*[^; ]", said)
    return found[0] if found else said[:300]


@dataclass(frozen=True)
class Obstacle:
    """Why CUDA cannot run.

    Attributes
    ----------
    reason : str
        The reason, in one line.
    driver : bool
        Whether an NVIDIA driver is present, so that the user expects CUDA to work.
    """

    reason: str
    driver: bool


def cuda_obstacle(index: int = 0) -> Obstacle | None:
    """Return why CUDA cannot run, if the reason can be found without creating a session.

    Parameters
    ----------
    index : int
        Number of the GPU, from 0.

    Returns
    -------
    Obstacle or None
        None if no reason is known; CUDA's own libraries may still be missing.
    """
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    if sys.platform == "darwin":
        return Obstacle("CUDA does not exist on macOS", driver=False)
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return Obstacle(f"no NVIDIA driver ({name} is not found)", driver=False)
    found = ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(found))
    if status != 0:
        return Obstacle(f"the NVIDIA driver ({name}) reports error {status}: no usable GPU", driver=True)
    if index >= found.value:
        return Obstacle(f"there is no GPU {index}: the machine has {found.value}, counted from 0", driver=True)
    if CUDA not in ort.get_available_providers():
        return Obstacle("this onnxruntime is built without CUDA: replace it with onnxruntime-gpu", driver=True)
    return None


def _provider_trouble() -> str:
    """Return which missing library keeps onnxruntime's CUDA provider from loading."""
    folder = Path(ort.__file__).parent / "capi"
    name = "onnxruntime_providers_cuda.dll" if sys.platform == "win32" else "libonnxruntime_providers_cuda.so"
    hint = f"{install_command('cuda')} installs CUDA's libraries"
    try:
        ctypes.CDLL(str(folder / name))
    except OSError as error:
        return f"{' '.join(str(error).split())} ({hint})"
    return f"onnxruntime could not start its CUDA provider ({hint})"


def _cuda_session(
    model: str | bytes, options: ort.SessionOptions, index: int, cuda_graphs: bool
) -> ort.InferenceSession:
    # TF32 keeps about three decimal digits. With TF32 off, a voice sounds as it does on the CPU.
    chosen = {"device_id": str(index), "use_tf32": "0", "enable_cuda_graph": str(int(cuda_graphs))}
    try:
        return create_session(model, options, [(CUDA, chosen), CPU])
    except Exception as error:
        if cuda_graphs and "graph capture feature" in str(error):
            reason = "a part of it runs only on the CPU, or it has branches or loops"
            raise ProviderError(
                f"{model!s:.300}: cannot be captured as CUDA graphs: {reason}; load the voice without cuda_graphs"
            ) from None
        raise


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Load CUDA's libraries from their wheels, and suppress what onnxruntime prints meanwhile."""
    ort.set_default_logger_severity(4)
    try:
        sink = io.StringIO()
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink), contextlib.suppress(Exception):
            ort.preload_dlls()
        yield
    finally:
        ort.set_default_logger_severity(_ORT_DEFAULT_SEVERITY)
