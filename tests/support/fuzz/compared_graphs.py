"""Compares what the checks find of a graph with what onnxruntime computes, in another process."""

import ctypes
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from types import TracebackType
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime as ort

from support.fuzz.random_graphs import BATCH, INPUTS
from vrnn_engine.runtime.graph.session import onnxruntime_options
from vrnn_engine.runtime.voice.graph_file.check import find_faults
from vrnn_engine.runtime.voice.graph_file.model import ModelFile, read_model
from vrnn_engine.runtime.voice.graph_file.sizes import infer
from vrnn_engine.runtime.voice.graph_file.values import ROWS, Shape

Values = dict[str, np.ndarray]
Outputs = list[np.ndarray]
TOLERANCE = 1e-4
"""Largest difference that counts as rounding, absolute or as a fraction of a value."""
MOST_SECONDS = 20
"""Seconds after which loading and running a graph is ended."""
_FILLS = (0x55, 0xAA)
"""Bytes with which the memory is filled that onnxruntime is given; a result that depends on them was not computed."""
_M_PERTURB = -6
"""Parameter of glibc's `mallopt`."""


FAULTS = ("ended", "shape", "memory", "rows")
KINDS = ("equal", "fails", *FAULTS)


class Finding(NamedTuple):
    """The result of a comparison.

    Attributes
    ----------
    kind : str
        `equal`; `fails` (onnxruntime reports an error); `ended` (its process ended, or took `MOST_SECONDS`); `shape` (a
        result has another shape); `memory` (a result is not computed); `rows` (a row depends on the others).
    detail : str
        The result and its values.
    """

    kind: str
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether the checks have accepted what they should not."""
        return self.kind in FAULTS


def accepted(model: onnx.ModelProto) -> bool:
    """Return whether a graph passes the checks."""
    try:
        faults, _ = find_faults(read_model(model.SerializeToString()))
    except ValueError:
        return False
    return not any(faults.values())


class Comparison:
    """A process in which onnxruntime computes graphs; a context manager that ends it."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Comparison":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def compare(self, model: onnx.ModelProto) -> Finding:
        """Run an accepted graph with a batch and with each of its rows alone, and compare."""
        content = model.SerializeToString()
        batch = _batch([one.name for one in model.graph.input])
        parts = [{name: value[at : at + 1] for name, value in batch.items()} for at in range(BATCH)] if batch else []
        try:
            first, second = (self._computed(content, [batch, *parts], fill) for fill in _FILLS)
        except BrokenProcessPool:
            self._pool = None
            return Finding("ended")
        if isinstance(first, str) or isinstance(second, str):
            return Finding("fails", str(first))
        shapes = _shapes(read_model(content))
        for at, name in enumerate(one.name for one in model.graph.output):
            found = _compared(shapes[name], *([run and run[at] for run in runs] for runs in (first, second)))
            if found.is_fault:
                return Finding(found.kind, f"{name}: {found.detail}")
        return Finding("equal") if first[0] else Finding("fails")

    def _computed(self, content: bytes, given: Sequence[Values], fill: int) -> list[Outputs | None] | str:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, get_context("spawn"))
        return self._pool.submit(_run, content, given, fill).result()


def _batch(names: list[str]) -> Values:
    """Return inputs with fractions of 0.1, so that few lie where a step or a sign changes."""
    rng = np.random.default_rng(0)
    every = {name: np.round(2 * rng.standard_normal((BATCH, *row)), 1) for name, row in INPUTS.items()}
    return {name: every[name].astype(np.float32) for name in names}


def _shapes(model: ModelFile) -> dict[str, Shape]:
    found = [one.shape or () for results, _ in infer(model) for one in results]
    names = [name for node in model.graph.nodes for name in node.outputs]
    return dict(zip(names, found, strict=True))


def _run(content: bytes, given: Sequence[Values], fill: int) -> list[Outputs | None] | str:
    """Return the outputs for each of the inputs, None where onnxruntime reports an error, or its error in loading."""
    ctypes.CDLL(None).mallopt(_M_PERTURB, fill)
    options = onnxruntime_options()
    options.enable_cpu_mem_arena = False  # each value is new memory
    signal.alarm(MOST_SECONDS)  # its default action ends this process
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return [_outputs(session, inputs) for inputs in given]
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no common class
        return str(error)
    finally:
        signal.alarm(0)


def _outputs(session: ort.InferenceSession, inputs: Values) -> Outputs | None:
    try:
        return session.run(None, inputs)
    except Exception:  # noqa: BLE001
        return None


def _compared(shape: Shape, first: Sequence[np.ndarray | None], second: Sequence[np.ndarray | None]) -> Finding:
    """Compare the values of an output, for a batch and then for each of its rows."""
    for one, other, count in zip(first, second, [BATCH] + [1] * BATCH, strict=False):
        if one is None or other is None:
            continue
        expected = tuple(n // ROWS * count if n >= ROWS else n for n in shape)
        if one.shape != expected:
            return Finding("shape", f"{list(one.shape)} instead of {list(expected)}")
        if one.tobytes() != other.tobytes():
            return Finding("memory", f"{one.ravel()[:6]} and {other.ravel()[:6]}")
    batch, *alone = first
    axis = next((at for at, n in enumerate(shape) if n >= ROWS), None)
    for at, one in enumerate(alone):
        if batch is None:
            return Finding("fails")
        if one is None:
            return Finding("rows", f"row {at} fails alone")
        part = batch if axis is None else np.split(batch, BATCH, axis)[at]
        if not _equal(part, one):
            return Finding("rows", f"row {at}: {part.ravel()[:6]} in a batch, {one.ravel()[:6]} alone")
    return Finding("equal")


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        return np.allclose(one.astype(np.float64), other.astype(np.float64), TOLERANCE, TOLERANCE, equal_nan=True)
