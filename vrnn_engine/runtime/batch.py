"""A step graph bound once to buffers of a fixed number of rows: a step allocates nothing and copies no state.

The state has two places.  A step reads it from the one and writes it into the other; then they swap roles.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from vrnn_engine.runtime.denormals import flush_denormals

if TYPE_CHECKING:
    from vrnn_engine.runtime.session import GraphSession

Arrays = Mapping[str, np.ndarray]


class Batch:
    """Buffers of so many rows, and the bindings that step them.  Not for use from two threads at once.

    Attributes
    ----------
    rows : int
    noise, controls : dict of str to float32 array [rows, ...]
        By name without prefix; written to before a step.  After controls were written, call `steer`.
    frame : float32 array [rows, F]
        What the last step made; the next one writes over it.
    latent : float32 array [rows, Z]
        The same of its latent; Z is 0 where the graph has none.
    """

    def __init__(self, graph: "GraphSession", rows: int) -> None:
        self.rows = rows
        self._session = graph.session
        self._place = graph.place
        self.noise = {name: np.zeros((rows, *shape), np.float32) for name, shape in graph.noise.items()}
        self.controls = {name: np.zeros((rows, *shape), np.float32) for name, shape in graph.controls.items()}
        self.frame = np.zeros((rows, *graph.frame_shape), np.float32)
        self.latent = np.zeros((rows, *graph.latent_shape), np.float32)
        self._noise = {name: self._on_device(array) for name, array in self.noise.items()}
        self._controls = {name: self._on_device(array) for name, array in self.controls.items()}
        zeros = graph.zero_state(rows)
        here, there = ({name: self._on_device(array.copy()) for name, array in zeros.items()} for _ in range(2))
        made = {"frame": ort.OrtValue.ortvalue_from_numpy(self.frame)}
        if self.latent.size:
            made["latent"] = ort.OrtValue.ortvalue_from_numpy(self.latent)
        self._states = (here, there)
        self._bindings = (self._bind(here, there, made), self._bind(there, here, made))
        self._now = 0

    def load(self, states: list[Arrays]) -> None:
        """Take in the state [1, ...] of each row."""
        for name, value in self._states[self._now].items():
            value.update_inplace(_joined([state[name] for state in states]))

    def states(self) -> list[dict[str, np.ndarray]]:
        """Return copies of each row's state, [1, ...]."""
        whole = {name: value.numpy() for name, value in self._states[self._now].items()}
        return [{name: value[row : row + 1].copy() for name, value in whole.items()} for row in range(self.rows)]

    def steer(self) -> None:
        """Let the controls, as they are now, be heard from the next step on."""
        self._push(self._controls, self.controls)

    def step(self) -> None:
        """Take one step of all rows."""
        self._push(self._noise, self.noise)
        with flush_denormals():
            self._session.run_with_iobinding(self._bindings[self._now])
        self._now ^= 1

    def _push(self, values: Mapping[str, ort.OrtValue], arrays: Arrays) -> None:
        if self._place != CPU:  # there, both are the same memory
            for name, value in values.items():
                value.update_inplace(arrays[name])

    def _on_device(self, array: np.ndarray) -> ort.OrtValue:
        return ort.OrtValue.ortvalue_from_numpy(array, *self._place)

    def _bind(
        self, old: Mapping[str, ort.OrtValue], new: Mapping[str, ort.OrtValue], made: Mapping[str, ort.OrtValue]
    ) -> ort.IOBinding:
        binding = self._session.io_binding()
        for prefix, values in (("state", old), ("noise", self._noise), ("control", self._controls)):
            for name, value in values.items():
                binding.bind_ortvalue_input(f"{prefix}.{name}", value)
        for name, value in new.items():
            binding.bind_ortvalue_output(f"next.{name}", value)
        for name, value in made.items():
            binding.bind_ortvalue_output(name, value)
        return binding


CPU = ("cpu", 0)
"""Where onnxruntime keeps what numpy can see."""


def _joined(rows: list[np.ndarray]) -> np.ndarray:
    return rows[0] if len(rows) == 1 else np.concatenate(rows)
