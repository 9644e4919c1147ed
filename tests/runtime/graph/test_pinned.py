"""Pinned memory: the calls to the CUDA runtime. test_cuda.py tests their effect on a GPU."""

import ctypes
import gc
from collections.abc import Callable

import numpy as np
import pytest

from vrnn_engine.runtime.graph import pinned


class Runtime:
    """Stands for the CUDA runtime and records its calls, because most machines that run these tests have no GPU."""

    def __init__(self, **fails: int) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._fails = fails

    def __getattr__(self, name: str) -> Callable[..., int]:
        def call(*given: object) -> int:
            plain = (value.value if isinstance(value, ctypes.c_void_p | ctypes.c_size_t) else value for value in given)
            self.calls.append((name, *plain))
            return self._fails.get(name, 0)

        return call


def array() -> np.ndarray:
    return np.zeros((100, 300), np.float32)


def test_array_is_pinned_until_it_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, large = Runtime(), array()
    monkeypatch.setattr(pinned, "cuda_runtime", lambda: runtime)
    start = large.ctypes.data
    assert pinned.pin(large, 2)
    assert runtime.calls == [("cudaSetDevice", 2), ("cudaHostRegister", start, 120_000, 1)]
    del large
    gc.collect()
    assert runtime.calls[2:] == [("cudaHostUnregister", start)]


@pytest.mark.parametrize("function", ["cudaSetDevice", "cudaHostRegister"])
def test_failed_pinning_clears_the_error_and_leaves_the_array(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    runtime, large = Runtime(**{function: 100}), array()
    monkeypatch.setattr(pinned, "cuda_runtime", lambda: runtime)
    assert not pinned.pin(large, 0)
    assert runtime.calls[-1] == ("cudaGetLastError",)
    count = len(runtime.calls)
    del large
    gc.collect()
    assert len(runtime.calls) == count


def test_small_arrays_and_machines_without_cuda_are_not_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime()
    monkeypatch.setattr(pinned, "cuda_runtime", lambda: runtime)
    assert not pinned.pin(np.zeros(1 << 14, np.float32), 0)
    monkeypatch.setattr(pinned, "cuda_runtime", lambda: None)
    assert not pinned.pin(array(), 0)
    assert runtime.calls == []
