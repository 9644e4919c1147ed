"""A step graph bound once to buffers of a fixed number of rows: a step allocates nothing and copies no state.

The state has two places.  A step reads it from the one and writes it into the other; then they swap roles.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from vrnn_engine.runtime.graph.denormals import flush_denormals
from vrnn_engine.runtime.graph.pinned import pin

if TYPE_CHECKING:
    from vrnn_engine.runtime.graph.session import GraphSession

Arrays = Mapping[str, np.ndarray]

CPU = ("cpu", 0)
"""Where onnxruntime keeps what numpy can see."""


class Batch:
    """Buffers of so many rows, and the bindings that step them.  Not for use from two threads at once.

    Parameters
    ----------
    graph : GraphSession
        A step graph.
    rows : int
    frame_place : tuple of str and int
        Where a step leaves the frame and the latent.

    Attributes
    ----------
    rows : int
    noise, controls : dict of str to float32 array [rows, ...]
        By name without prefix; written to before a step.  After controls were written, call `steer`.
    tables : list of object
        What the controls of each row were taken from, for who writes them to remember.
    frame : float32 array [rows, F]
        What the last step made; the next one writes over it.
    """

    def __init__(self, graph: "GraphSession", rows: int, frame_place: tuple[str, int] = CPU) -> None:
        self.rows = rows
        self._session = graph.session
        self._outputs = graph.outputs
        # Where the graph reads each input.  One that lies elsewhere is copied when it is bound, and never again.
        self._places = graph.places
        self.noise = {name: np.zeros((rows, *shape), np.float32) for name, shape in graph.noise.items()}
        self.controls = {name: np.zeros((rows, *shape), np.float32) for name, shape in graph.controls.items()}
        self.tables: list[object] = [None] * rows
        self.frame = np.zeros((rows, *graph.frame_shape), np.float32)
        noise, self._noise_to_send = self._values("noise", self.noise)
        controls, self._controls_to_send = self._values("control", self.controls)
        if graph.place != CPU:
            sent = [array for _, array in self._noise_to_send + self._controls_to_send]
            for array in [*sent, self.frame] if frame_place == CPU else sent:
                pin(array, graph.place[1])
        here, there = (self._values("state", graph.zero_state(rows))[0] for _ in range(2))
        self._frame = ort.OrtValue.ortvalue_from_numpy(self.frame, *frame_place)
        latent = np.zeros((rows, *graph.latent_shape), np.float32)
        self._latent = ort.OrtValue.ortvalue_from_numpy(latent, *(frame_place if latent.size else CPU))
        self._states = (here, there)
        self._bindings = tuple(
            self._bind({"state": old, "noise": noise, "control": controls}, new)
            for old, new in ((here, there), (there, here))
        )
        self._options: tuple[ort.RunOptions | None, ort.RunOptions | None] = (None, None)
        self._now = 0
        self._given: list[Arrays] = []
        """The states of the rows as they are now, if they were asked for; whoever has them writes to none."""

    def load(self, states: list[Arrays]) -> None:
        """Take in the state [1, ...] of each row; nothing is copied if it is there since `states` gave it."""
        if self._has(states):
            return
        self._given = []  # if this fails half way, they are no longer there
        for name, value in self._states[self._now].items():
            value.update_inplace(_joined([state[name] for state in states]))

    def _has(self, states: list[Arrays]) -> bool:
        """Whether these are the states of the first rows since `states` gave them."""
        return len(states) <= len(self._given) and all(a is b for a, b in zip(states, self._given, strict=False))

    def states(self) -> list[Arrays]:
        """Return each row's state, [1, ...]; copies, but of all rows at once."""
        whole = {name: np.array(value.numpy()) for name, value in self._states[self._now].items()}
        self._given = [Row(whole, row) for row in range(self.rows)]
        return list(self._given)

    def latents(self) -> np.ndarray:
        """Return a copy of the latents of the last step, [rows, Z]; Z is 0 where the graph has none."""
        return np.array(self._latent.numpy())

    def steer(self) -> None:
        """Let the controls, as they are now, be heard from the next step on."""
        for value, array in self._controls_to_send:
            value.update_inplace(array)

    def step(self) -> None:
        """Take one step of all rows."""
        self._send_noise()
        self._given = []
        with flush_denormals():
            self._session.run_with_iobinding(self._bindings[self._now], self._options[self._now])
        self._now ^= 1

    def _send_noise(self) -> None:
        for value, array in self._noise_to_send:
            value.update_inplace(array)

    def _values(
        self, prefix: str, arrays: Arrays
    ) -> tuple[dict[str, ort.OrtValue], list[tuple[ort.OrtValue, np.ndarray]]]:
        """Make inputs of arrays, where the graph reads them; also those that lie apart from their array."""
        values, to_send = {}, []
        for name, array in arrays.items():
            place = self._places[f"{prefix}.{name}"]
            values[name] = ort.OrtValue.ortvalue_from_numpy(array, *place)
            if place != CPU:  # there, both are the same memory
                to_send.append((values[name], array))
        return values, to_send

    def _bind(self, inputs: Mapping[str, Mapping[str, ort.OrtValue]], new: Mapping[str, ort.OrtValue]) -> ort.IOBinding:
        binding = self._session.io_binding()
        for prefix, values in inputs.items():
            for name, value in values.items():
                binding.bind_ortvalue_input(f"{prefix}.{name}", value)
        # An output that lies elsewhere than it is computed is copied there after each step.
        for name, value in new.items():
            binding.bind_ortvalue_output(f"next.{name}", value)
        binding.bind_ortvalue_output("frame", self._frame)
        if "latent" in self._outputs:
            binding.bind_ortvalue_output("latent", self._latent)
        return binding


class Row(Mapping[str, np.ndarray]):
    """One row of arrays [rows, ...] by name, as [1, ...]: cut out where it is asked for, so that many cost little.

    It keeps all rows alive: whoever has it for long should copy what it is.
    """

    __slots__ = ("_row", "_whole")

    def __init__(self, whole: Arrays, row: int) -> None:
        self._whole = whole
        self._row = row

    def __getitem__(self, name: str) -> np.ndarray:
        return self._whole[name][self._row : self._row + 1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


def _joined(rows: list[np.ndarray]) -> np.ndarray:
    return rows[0] if len(rows) == 1 else np.concatenate(rows)
