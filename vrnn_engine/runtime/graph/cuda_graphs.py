"""Launches the step of a batch as one CUDA graph instead of one kernel after the other.

Requirements of onnxruntime, and how this module meets them:

- onnxruntime replays a graph only in the thread that captured it, and no other thread may call CUDA during a capture.
  So everything, from loading to release, happens in one thread of the process: see `in_one_thread`. Other code that
  uses CUDA in the same process must wait while an engine is loaded.
- A graph has fixed shapes and addresses. So a batch always steps all its rows, inputs are written in place, and the
  frame is on the GPU as well.
- A capture runs the step several times. This changes no state, because a step never writes where it reads; but each of
  the two buffers of the state needs a graph of its own.
"""

import contextlib
import itertools
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numpy as np

from vrnn_engine.errors import ProviderError
from vrnn_engine.runtime.graph.binding import StepBatch
from vrnn_engine.runtime.graph.denormals import flush_denormals
from vrnn_engine.runtime.graph.ort import ort
from vrnn_engine.runtime.graph.provider import error_reason

if TYPE_CHECKING:
    from vrnn_engine.runtime.graph.session import GraphSession

P = ParamSpec("P")
R = TypeVar("R")

_thread = ThreadPoolExecutor(1, thread_name_prefix="vrnn-engine-cuda-graphs")
_graph_ids = itertools.count(1)


def in_one_thread(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in the process's thread for CUDA graphs and wait for it. Do not call this in that thread."""
    return _thread.submit(function, *args, **kwargs).result()


def release_in_one_thread(owner: object) -> "weakref.finalize[..., object]":
    """Release the attributes of an object in the thread for CUDA graphs, once it is collected; this frees GPU memory.

    Parameters
    ----------
    owner : object
        Any object with a `__dict__`.

    Returns
    -------
    weakref.finalize
        Its `detach` cancels the release.
    """
    finalizer = weakref.finalize(owner, _release, vars(owner))
    finalizer.atexit = False
    return finalizer


def _release(attributes: dict[str, object]) -> None:
    """Clear attributes in the thread for CUDA graphs, without waiting for it."""
    held = list(attributes.values())
    attributes.clear()
    with contextlib.suppress(RuntimeError):  # the process is about to end
        # A new thread, as garbage collection may run in any thread, even in one that holds the executor's queue lock.
        threading.Thread(target=_clear, args=(held,)).start()


def _clear(held: list[object]) -> None:
    with contextlib.suppress(RuntimeError):
        in_one_thread(held.clear)


class CapturedBatch(StepBatch):
    """A `StepBatch` whose step is captured when it is made.

    Parameters
    ----------
    graph : GraphSession
        A step graph that runs on a GPU.
    rows : int

    Raises
    ------
    ProviderError
        The graph cannot be captured, or its replay gives other results than its plain steps.
    """

    def __init__(self, graph: "GraphSession", rows: int) -> None:
        try:
            super().__init__(graph, rows, graph.location)
            # Each id is used once: for a known id, onnxruntime would replay the old graph at its old addresses.
            self._options = (_graph_options(next(_graph_ids)), _graph_options(next(_graph_ids)))
            same = self._replay_equals_plain_step()
            self.characters[...] = 0
        except Exception as error:
            reason = error_reason(error)
            raise ProviderError(f"{graph.path}: cannot be captured as a CUDA graph: {reason}{ADVICE}") from error
        if not same:
            raise ProviderError(
                f"{graph.path}: the replay of its CUDA graph gives other results than its plain steps{ADVICE}"
            )

    def step(self) -> None:
        """Take one step of all rows."""
        super().step()
        for value, array in self._written.values():
            np.copyto(array, value.numpy())

    def _replay_equals_plain_step(self) -> bool:
        """Capture and replay; return whether the results equal those of plain steps bit for bit."""
        rng = np.random.default_rng(0)
        # onnxruntime runs a graph twice before it captures, in one call or in three. Inputs change in each round, so
        # that a later replay reveals a value that the capture froze.
        for _ in range(4):
            for self._now in (0, 1):
                for array in (*self.noise.values(), *self.controls.values()):
                    array[...] = rng.random(array.shape)
                self.characters[...] = rng.integers(0, 3, self.characters.shape)  # indices that every alphabet has
                state = {name: rng.random(row.shape, np.float32) for name, row in self._zero.items()}
                self.load_states([state] * self.rows)
                self.send_controls()
                self._send_noise()
                # The plain step comes last, so that a replay that writes nothing does not pass with its results.
                replayed, plain = (self._outcome(options) for options in (self._options[self._now], PLAIN))
                if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(replayed, plain, strict=True)):
                    return False
        return True

    def _outcome(self, options: ort.RunOptions) -> list[np.ndarray]:
        """Take a step, and return copies of the arrays that it wrote."""
        with flush_denormals():
            self._session.run_with_iobinding(self._bindings[self._now], options)
        written = [value for value, _ in self._written.values()]
        return [value.numpy().copy() for value in (*written, *self._states[self._now ^ 1].values())]


ADVICE = "; load the voice without cuda_graphs, or with fewer rows if memory is short"


def _graph_options(number: int) -> ort.RunOptions:
    options = ort.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(number))
    return options


PLAIN = _graph_options(-1)
"""Run options that neither capture nor replay."""
