"""Which processor a voice runs on: what was asked for, and what is true.

onnxruntime lists CUDA even where it cannot load and then falls back in silence.  Here `cuda` that
cannot run is an error that names what is missing, and only `auto` may fall back, with one line on
the logger `vrnn_engine`.
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
from typing import Any

import onnxruntime as ort

from vrnn_engine.base.extras import install_command
from vrnn_engine.errors import ProviderError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

_log = logging.getLogger("vrnn_engine")
_ORT_DEFAULT_SEVERITY = 2  # warnings; onnxruntime has no way to read it back


@dataclass(frozen=True)
class Device:
    """A device string, understood."""

    kind: str
    """`auto`, `cpu` or `cuda`."""
    index: int = 0
    """Which GPU."""


def parse_device(device: str) -> Device:
    """Understand `auto`, `cpu`, `cuda` or `cuda:N`; raise `ProviderError` for anything else."""
    match = re.fullmatch(r"(auto|cpu|cuda)(?::(\d{1,3}))?", device) if isinstance(device, str) else None
    if match is None or (match[2] and match[1] != "cuda"):
        raise ProviderError(f"unknown device {device!r}; use auto, cpu, cuda or cuda:N")
    return Device(match[1], int(match[2] or 0))


def open_session(
    model: str, options: ort.SessionOptions, device: str, cuda_graphs: bool = False
) -> ort.InferenceSession:
    """Make an onnxruntime session on a device.

    Raises
    ------
    ProviderError
        `cuda` was asked for and cannot run here; the message names the library or GPU missing, or CUDA's error.  Or
        `cuda_graphs` were, and the device is the CPU, or a part of the graph runs only there.
    """
    wanted = parse_device(device)
    if wanted.kind == "cpu":
        if cuda_graphs:
            raise ProviderError(f"cuda_graphs are not for device {device!r}; use cuda or auto, or no cuda_graphs")
        return _session(model, options, [CPU])
    obstacle = cuda_obstacle(wanted.index)
    # onnxruntime chats on the console about a CUDA that does not load, past every session option.
    if obstacle is None:
        try:
            with _quiet():
                session = _cuda_session(model, options, wanted.index, cuda_graphs)
        except ProviderError:
            raise
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors share no other base class
            _session(model, options, [CPU])  # raises where it is not CUDA that is to blame, but the graph or its file
            obstacle = Obstacle(reason_of(error), driver=True)
        else:
            if session.get_providers()[0] == CUDA:
                return session
            # Only now: loading the provider by hand first would bind it to no host, and crash later.
            obstacle = Obstacle(_provider_trouble(), driver=True)
    if wanted.kind == "cuda":
        raise ProviderError(f"device {device!r} cannot run here: {obstacle.reason}; use --device cpu or auto")
    level = logging.WARNING if obstacle.driver else logging.DEBUG  # where none was to be expected, nothing is lost
    _log.log(level, "running on the CPU: %s", obstacle.reason)
    return _session(model, options, [CPU])


def suited(provider: str, precisions: Sequence[str]) -> str:
    """Return which of a voice's precisions a provider steps in, unless told: the first, or fp16 on CUDA.

    The CPU casts fp16 up, and gains nothing.
    """
    return "fp16" if provider == CUDA and "fp16" in precisions else precisions[0]


def of_onnxruntime(error: Exception) -> bool:
    """Whether an error is onnxruntime's: some are of its classes, which share no base, the others plain ones of C++."""
    return type(error) is RuntimeError or type(error).__module__.startswith("onnxruntime")


def reason_of(error: Exception) -> str:
    """Return what an error of onnxruntime says, in one line: of CUDA's, what lies between C++ and the host's name."""
    said = " ".join(str(error).split())
    found = re.search(r"\b[A-Z]+ failure \d+: [^;]*[^; ]", said)
    return found[0] if found else said[:300]


@dataclass(frozen=True)
class Obstacle:
    """Why CUDA cannot run."""

    reason: str
    driver: bool
    """Whether an NVIDIA driver is there all the same, so that CUDA was to be expected."""


def cuda_obstacle(index: int = 0) -> Obstacle | None:
    """Return what stands in the way of CUDA as far as it can be told without a session, or None."""
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
        return Obstacle(f"there is no GPU {index}, only {found.value} of them, counted from 0", driver=True)
    if CUDA not in ort.get_available_providers():
        return Obstacle("this onnxruntime is built without CUDA: install onnxruntime-gpu instead of it", driver=True)
    return None


def _provider_trouble() -> str:
    """Return which library kept onnxruntime's CUDA provider from loading."""
    folder = Path(ort.__file__).parent / "capi"
    name = "onnxruntime_providers_cuda.dll" if sys.platform == "win32" else "libonnxruntime_providers_cuda.so"
    hint = f"{install_command('cuda')} brings CUDA's libraries"
    try:
        ctypes.CDLL(str(folder / name))
    except OSError as error:
        return f"{' '.join(str(error).split())} ({hint})"
    return f"onnxruntime could not start its CUDA provider ({hint})"


def _cuda_session(model: str, options: ort.SessionOptions, index: int, cuda_graphs: bool) -> ort.InferenceSession:
    # Without TF32, whose products have three digits: a voice is to sound as it does on the CPU.
    chosen = {"device_id": str(index), "use_tf32": "0", "enable_cuda_graph": str(int(cuda_graphs))}
    try:
        return _session(model, options, [(CUDA, chosen), CPU])
    except Exception as error:
        if cuda_graphs and "graph capture feature" in str(error):
            reason = "a part of it runs only on the CPU, or it has branches or loops"
            raise ProviderError(f"{model}: not for CUDA graphs: {reason}; load the voice without cuda_graphs") from None
        raise


def _session(model: str, options: ort.SessionOptions, providers: list[Any]) -> ort.InferenceSession:
    # Without fallback: onnxruntime's prints to stdout, where our data goes, and hides the truth.
    session = ort.InferenceSession(model, options, providers=providers, enable_fallback=0)
    session.disable_fallback()
    return session


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Load CUDA's libraries from their wheels, and keep onnxruntime's chat about it off the console."""
    ort.set_default_logger_severity(4)
    try:
        sink = io.StringIO()
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink), contextlib.suppress(Exception):
            ort.preload_dlls()
        yield
    finally:
        ort.set_default_logger_severity(_ORT_DEFAULT_SEVERITY)
