"""Binds a step graph once to buffers of a fixed number of rows, so that a step allocates nothing and copies no state.

The state has two buffers. A step reads one and writes the other; then they swap roles.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from vrnn_engine.base.process_exit import native_call
from vrnn_engine.runtime.graph.arrays import HOST, Arrays, Location
from vrnn_engine.runtime.graph.denormals import flush_denormals
from vrnn_engine.runtime.graph.ort import ort
from vrnn_engine.runtime.graph.pinned import pin
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.voice.text import ATTENTION, POSITION

PRIOR = ("prior.mean", "prior.std")
"""Outputs of a step graph that describe the distribution of the latent."""


class StepBatch:
    """Buffers for a fixed number of rows, bound to a step graph. Do not use a batch from two threads at once.

    Parameters
    ----------
    graph : GraphSession
        A step graph.
    rows : int
        Number of streams that are stepped together.
    output_location : Location
        Memory into which a step writes the frame and the latent.

    Attributes
    ----------
    rows : int
    noise, controls : dict of str to float32 array [rows, ...]
        Inputs by name without prefix. Write to `noise` before a step; `load_controls` writes to `controls`.
    tables : list of object
        The table from which the controls of each row were last copied.
    characters : float32 array [rows, W]
        Input of a voice that reads a text: indices of the characters in the window, 0 for none. Write to it before a
        step. W is 0 for other voices.
    frame : float32 array [rows, F]
        Output of the last step. The next step overwrites it.
    position : float32 array [rows]
    attention : float32 array [rows, W]
        Outputs of the last step of a voice that reads a text, as `frame`.
    """

    def __init__(self, graph: GraphSession, rows: int, output_location: Location = HOST) -> None:
        self.rows = rows
        self._zero = graph.zero_state()
        self._session = graph.session
        self._outputs = graph.outputs
        # If the graph reads an input outside host memory, onnxruntime copies it there once, when it is bound.
        self._locations = graph.input_locations
        self.noise = {name: np.zeros((rows, *shape), np.float32) for name, shape in graph.noise.items()}
        self.controls = {name: np.zeros((rows, *shape), np.float32) for name, shape in graph.controls.items()}
        self.tables: list[object] = [None] * rows
        self.characters = np.zeros((rows, graph.window), np.float32)
        self.position = np.zeros(rows, np.float32)
        self.attention = np.zeros((rows, graph.window), np.float32)
        self.frame = np.zeros((rows, *graph.frame_shape), np.float32)
        noise, self._noise_to_send = self._values("noise", self.noise)
        controls, self._controls_to_send = self._values("control", self.controls)
        text, text_to_send = self._values("text", {"characters": self.characters} if graph.window else {})
        self._noise_to_send += text_to_send
        if graph.location != HOST:
            sent = [array for _, array in self._noise_to_send + self._controls_to_send]
            for array in [*sent, self.frame] if output_location == HOST else sent:
                pin(array, graph.location[1])
        self._arrays = (graph.zero_state(rows), graph.zero_state(rows))
        here, there = (self._values("state", arrays)[0] for arrays in self._arrays)
        written = {"frame": self.frame}
        if graph.window:
            written |= {POSITION: self.position, ATTENTION: self.attention}
        self._written = {
            name: (ort.OrtValue.ortvalue_from_numpy(array, *output_location), array) for name, array in written.items()
        }
        self._latent_shape = graph.latent_shape
        latent = np.zeros((rows, *graph.latent_shape), np.float32)
        where = output_location if latent.size else HOST
        self._latent = ort.OrtValue.ortvalue_from_numpy(latent, *where)
        self._prior = {
            name: ort.OrtValue.ortvalue_from_numpy(np.zeros_like(latent), *where)
            for name in PRIOR
            if name in self._outputs
        }
        self._states = (here, there)
        self._bindings = tuple(
            self._bind({"state": old, "noise": noise, "control": controls, "text": text}, new)
            for old, new in ((here, there), (there, here))
        )
        self._options: tuple[ort.RunOptions | None, ort.RunOptions | None] = (None, None)
        self._now = 0  # index of the buffer that holds the current state
        self._returned: list[Arrays] = []  # what `states` returned for the current state; read-only

    def load_states(self, states: Sequence[Arrays]) -> None:
        """Load the state [1, ...] of each row; rows without a state get zeros, and their outputs are not used.

        No copy is made of states that `states` returned after the last step.
        """
        if self._has(states):
            return
        self._returned = []  # first: if a copy below fails, they are no longer the current state
        all_rows = [*states, *[self._zero] * (self.rows - len(states))]
        for name, value in self._states[self._now].items():
            value.update_inplace(_joined([state[name] for state in all_rows]))

    def _has(self, states: Sequence[Arrays]) -> bool:
        """Return whether `states` returned these objects for the first rows, and no step was taken since."""
        return len(states) <= len(self._returned) and all(a is b for a, b in zip(states, self._returned, strict=False))

    def states(self) -> list[Arrays]:
        """Return each row's state, [1, ...]: views of one copy of all rows."""
        whole = {name: values.copy() for name, values in self._current().items()}
        self._returned = [RowView(whole, row) for row in range(self.rows)]
        return list(self._returned)

    def latents(self) -> np.ndarray:
        """Return a copy of the latents of the last step, [rows, Z]; Z is 0 where the graph has none."""
        return np.array(self._latent.numpy())

    def priors(self) -> np.ndarray:
        """Return mean and standard deviation of the last step's prior, [rows, 2, Z]; [rows, 0, Z] if not told."""
        # Not np.stack: its Python code, which a step has driven out of the cache, takes longer than the copy.
        values = np.array([value.numpy() for value in self._prior.values()], np.float32)
        return values.reshape(len(self._prior), self.rows, *self._latent_shape).swapaxes(0, 1)

    def row_states(self, rows: Sequence[int]) -> list[Arrays]:
        """Return copies of the states of some rows, [1, ...]."""
        now = self._current()
        return [{name: values[row : row + 1].copy() for name, values in now.items()} for row in rows]

    def _current(self) -> dict[str, np.ndarray]:
        """Return the current states [rows, ...], by name, which later steps overwrite."""
        return {
            name: self._arrays[self._now][name] if self._is_on_host(name) else value.numpy()
            for name, value in self._states[self._now].items()
        }

    def load_rows(self, states: Mapping[int, Arrays]) -> None:
        """Load the states [1, ...] of some rows, by their numbers; the other rows keep theirs."""
        for name in self._states[self._now]:
            with self._edited(name) as values:
                for row, state in states.items():
                    values[row] = state[name][0]

    def subtract(self, name: str, row: int, number: float) -> None:
        """Subtract a number from a state of one row.

        Parameters
        ----------
        name : str
            Name of the state.
        row : int
        number : float
        """
        with self._edited(name) as values:
            values[row] -= number

    def load_controls(self, tables: Iterable[tuple[int, Arrays]]) -> None:
        """Load the controls of rows.

        Parameters
        ----------
        tables : iterable of (int, mapping of str to float32 array [1, ...])
            The number of a row, and its table, which is a new object if a value has changed.
        """
        changed = False
        for row, table in tables:
            if table is not self.tables[row]:
                for name, values in self.controls.items():
                    values[row] = table[name][0]
                self.tables[row], changed = table, True
        if changed:
            self.send_controls()

    def send_controls(self) -> None:
        """Copy the controls to the memory from which the graph reads them; they take effect in the next step."""
        for value, array in self._controls_to_send:
            value.update_inplace(array)

    def step(self) -> None:
        """Take one step of all rows."""
        self._send_noise()
        self._returned = []
        with native_call(), flush_denormals():
            self._session.run_with_iobinding(self._bindings[self._now], self._options[self._now])
        self._now ^= 1

    def _send_noise(self) -> None:
        for value, array in self._noise_to_send:
            value.update_inplace(array)

    def _is_on_host(self, name: str) -> bool:
        """Return whether a state shares its bytes with an array of `_arrays`."""
        return self._locations[f"state.{name}"] == HOST

    @contextmanager
    def _edited(self, name: str) -> Iterator[np.ndarray]:
        """Yield the current values of a state, [rows, ...]; what is written to them is loaded."""
        self._returned = []
        array = self._arrays[self._now][name]
        if self._is_on_host(name):
            yield array
        else:
            value = self._states[self._now][name]
            np.copyto(array, value.numpy())
            yield array
            value.update_inplace(array)

    def _values(
        self, prefix: str, arrays: Arrays
    ) -> tuple[dict[str, ort.OrtValue], list[tuple[ort.OrtValue, np.ndarray]]]:
        """Make graph inputs from arrays, in the memory that the graph reads; also return the inputs that are copies."""
        values, to_send = {}, []
        for name, array in arrays.items():
            location = self._locations[f"{prefix}.{name}"]
            values[name] = ort.OrtValue.ortvalue_from_numpy(array, *location)
            if location != HOST:  # in host memory, the value and the array share their bytes
                to_send.append((values[name], array))
        return values, to_send

    def _bind(self, inputs: Mapping[str, Mapping[str, ort.OrtValue]], new: Mapping[str, ort.OrtValue]) -> ort.IOBinding:
        binding = self._session.io_binding()
        for prefix, values in inputs.items():
            for name, value in values.items():
                binding.bind_ortvalue_input(f"{prefix}.{name}", value)
        # If an output is bound to other memory than the graph writes, onnxruntime copies it after each step.
        for name, value in new.items():
            binding.bind_ortvalue_output(f"next.{name}", value)
        for name, (value, _) in self._written.items():
            binding.bind_ortvalue_output(name, value)
        if "latent" in self._outputs:
            binding.bind_ortvalue_output("latent", self._latent)
        for name, value in self._prior.items():
            binding.bind_ortvalue_output(name, value)
        return binding


class RowView(Mapping[str, np.ndarray]):
    """One row of named arrays [rows, ...], as views [1, ...] that are made on access.

    A view keeps all rows in memory. Copy a row that should outlive the others.
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
