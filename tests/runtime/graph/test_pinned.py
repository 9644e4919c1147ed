"""Pinned memory: what is asked of the CUDA runtime.  What it answers on a GPU is in test_cuda.py."""

import ctypes
import gc
from collections.abc import Callable

import numpy as np
import pytest

from vrnn_engine.runtime.graph import pinned


class Runtime:
    """The four functions, and what they were told: no machine of these tests has a GPU."""

    def __init__(self, **fails: int) -> None:
        self.told: list[tuple[object, ...]] = []
        self._fails = fails

    def __getattr__(self, name: str) -> Callable[..., int]:
        def call(*given: object) -> int:
            plain = (value.value if isinstance(value, ctypes._SimpleCData) else value for value in given)
            self.told.append((name, *plain))
            return self._fails.get(name, 0)

        return call


def array() -> np.ndarray:
    return np.zeros((100, 300), np.float32)


def test_an_array_is_pinned_until_it_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, large = Runtime(), array()
    monkeypatch.setattr(pinned, "cuda_runtime", lambda: runtime)
    start = large.ctypes.data
    assert pinned.pin(large, 2)
    assert runtime.told == [("cudaSetDevice", 2), ("cudaHostRegister", start, 120_000, 1)]
    del large
    gc.collect()
    assert runtime.told[2:] == [("cudaHostUnregister", start)]


@pytest.mark.parametrize("function", ["cudaSetDevice", "cudaHostRegister"])
def test_what_cannot_be_pinned_stays_as_it_is_and_the_error_is_taken_back(
    monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    runtime, large = Runtime(**{function: 100}), array()
    monkeypatch.setattr(pinned, "cuda_runtime", lambda: runtime)
    assert not pinned.pin(large, 0)
    assert runtime.told[-1] == ("cudaGetLastError",)
    count = len(runtime.told)
    del large
    gc.collect()
    assert len(runtime.told) == count


def test_small_arrays_and_machines_without_cuda_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime()
    monkeypatch.setattr(pinned, "cuda_runtime", lambda: runtime)
    assert not pinned.pin(np.zeros(1 << 14, np.float32), 0)
    monkeypatch.setattr(pinned, "cuda_runtime", lambda: None)
    assert not pinned.pin(array(), 0)
    assert runtime.told == []
