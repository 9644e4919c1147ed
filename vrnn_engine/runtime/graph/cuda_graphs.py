"""A batch whose step is launched as one CUDA graph instead of a kernel after the other.

What onnxruntime asks of it, and how it is kept:

- It replays a graph in the thread that captured it, and while it captures no other thread may call CUDA: all
  of it, from loading to letting go, happens in one thread of the process, which `in_one_thread` lends.  What else
  uses CUDA in the process must wait while an engine is being loaded.
- A graph is of fixed shapes and addresses: a batch always has all its rows, inputs are written in place, and
  the frame lies on the device too.
- To capture, it runs the step several times.  That does no harm, because no step writes where it reads; but
  the two places of the state need two graphs.
"""

import contextlib
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numpy as np
import onnxruntime as ort

from vrnn_engine.errors import ProviderError
from vrnn_engine.runtime.graph.binding import Arrays, Batch
from vrnn_engine.runtime.graph.denormals import flush_denormals
from vrnn_engine.runtime.graph.provider import reason_of

if TYPE_CHECKING:
    from vrnn_engine.runtime.graph.session import GraphSession

P = ParamSpec("P")
R = TypeVar("R")

_thread = ThreadPoolExecutor(1, thread_name_prefix="vrnn-engine-cuda-graphs")
_numbers = itertools.count(1)


def in_one_thread(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call in the thread where all graphs of this process are captured and replayed; not from that thread itself."""
    return _thread.submit(call, *args, **kwargs).result()


def drop(held: dict[str, object]) -> None:
    """Let go of all that is held in that thread too, for it frees memory of CUDA; does not wait for it."""
    there = list(held.values())
    held.clear()
    with contextlib.suppress(RuntimeError):  # the process is about to end
        # Garbage is collected anywhere, even where this thread has the lock of the other one's queue.
        threading.Thread(target=_clear, args=(there,)).start()


def _clear(there: list[object]) -> None:
    with contextlib.suppress(RuntimeError):
        in_one_thread(there.clear)


class Captured(Batch):
    """A `Batch` that is captured when it is made.

    Raises
    ------
    ProviderError
        The graph cannot be captured, or replayed it does not what its steps do one by one.
    """

    def __init__(self, graph: "GraphSession", rows: int) -> None:
        self._zero = graph.zero_state()
        try:
            super().__init__(graph, rows, graph.place)
            # A number is never used again: onnxruntime would replay the old graph, at its old addresses.
            self._options = (_numbered(next(_numbers)), _numbered(next(_numbers)))
            same = self._compare()
        except Exception as error:
            reason = reason_of(error)
            raise ProviderError(f"{graph.where}: cannot be captured as a CUDA graph: {reason}{ADVICE}") from error
        if not same:
            raise ProviderError(
                f"{graph.where}: replayed as a CUDA graph, it does not compute what its steps do one by one{ADVICE}"
            )

    def load(self, states: list[Arrays]) -> None:
        """Take in the state [1, ...] of each row; what those after the last go on from makes no difference."""
        if not self._has(states):
            super().load(states + [self._zero] * (self.rows - len(states)))

    def step(self) -> None:
        """Take one step of all rows."""
        super().step()
        np.copyto(self.frame, self._frame.numpy())

    def _compare(self) -> bool:
        """Capture, replay, and say whether both give the bits of plain steps."""
        rng = np.random.default_rng(0)
        # Two runs come before it captures, of one call or of three; what it froze shows when it is replayed with
        # other inputs.
        for _ in range(4):
            for self._now in (0, 1):
                for array in (*self.noise.values(), *self.controls.values()):
                    array[...] = rng.random(array.shape)
                self.load([{name: rng.random(row.shape, np.float32) for name, row in self._zero.items()}] * self.rows)
                self.steer()
                self._send_noise()
                # The plain step comes last: a replay that wrote nothing must not find its results.
                replayed, plain = (self._outcome(options) for options in (self._options[self._now], PLAIN))
                if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(replayed, plain, strict=True)):
                    return False
        return True

    def _outcome(self, options: ort.RunOptions) -> list[np.ndarray]:
        """Step, and return copies of all that was written."""
        with flush_denormals():
            self._session.run_with_iobinding(self._bindings[self._now], options)
        return [value.numpy().copy() for value in (self._frame, *self._states[self._now ^ 1].values())]


ADVICE = "; load the voice without cuda_graphs, or with fewer rows if memory is short"


def _numbered(number: int) -> ort.RunOptions:
    options = ort.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(number))
    return options


PLAIN = _numbered(-1)
"""Neither captures nor replays."""
