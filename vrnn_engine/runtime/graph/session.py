"""An onnxruntime session of one graph of a voice, checked against the manifest.

The session knows nothing of the model. It pairs `state.NAME` inputs with `next.NAME` outputs, and passes the rest by
name, so that every graph that follows the graph contract runs.
"""

import functools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vrnn_engine.base.process_exit import native_call
from vrnn_engine.base.text_files import printable
from vrnn_engine.errors import ProviderError, VoiceError, VRNNEngineError
from vrnn_engine.runtime.graph import memory
from vrnn_engine.runtime.graph.arrays import HOST, Arrays, Location
from vrnn_engine.runtime.graph.denormals import flush_denormals
from vrnn_engine.runtime.graph.ort import ort
from vrnn_engine.runtime.graph.provider import CPU, error_reason, open_session, parse_device
from vrnn_engine.runtime.voice.manifest import LATENT_OUTPUTS, REQUIRED, Control, Graph
from vrnn_engine.runtime.voice.text import CHARACTERS

MAX_THREADS = 256
"""Upper limit on `threads`; catches typos. onnxruntime tries to start any number, and may abort the process."""


@dataclass(frozen=True)
class EngineOptions:
    """How a session uses the processor of its host application. The defaults do not disturb the host's other threads.

    Raises
    ------
    ProviderError
        `threads` is not an integer from 1 to `MAX_THREADS`.
    """

    threads: int = 1
    """Number of threads that compute a step, including the caller's. On the CPU it does not change the result."""
    spinning: bool = False
    """Whether threads that wait for the next part of a step keep their cores busy: a step gets faster, but other
    threads get slower."""
    cuda_graphs: bool = False
    """Whether to launch a step on a GPU as one CUDA graph."""

    def __post_init__(self) -> None:
        whole = isinstance(self.threads, int) and not isinstance(self.threads, bool)
        if not whole or not 1 <= self.threads <= MAX_THREADS:
            raise ProviderError(f"threads={self.threads!r}: give a whole number from 1 to {MAX_THREADS}")


DEFAULT_OPTIONS = EngineOptions()


class GraphSession:
    """A graph on a device.

    Parameters
    ----------
    folder : Path
        The voice's folder.
    graph : Graph
        The graph's entry in the manifest.
    controls : sequence of Control
        The controls in the manifest.
    device : str
        `auto`, `cpu`, `cuda` or `cuda:N`.
    options : EngineOptions

    Attributes
    ----------
    path : str
        The graph's file.
    session : onnxruntime.InferenceSession
    provider : str
        The provider that the graph runs on, for example `CPUExecutionProvider`.
    location : Location
        The memory in which the graph computes.
    input_locations : dict of str to Location
        The memory in which each input is read. On a GPU, inputs of a node that runs only on the CPU are in host memory.
    state, noise, controls : dict of str to tuple of int
        Shapes without the batch axis, by name without prefix.
    frame_shape, latent_shape : tuple of int
        Shapes of the outputs `frame` and `latent` without the batch axis; the latent's is (0,) if the graph has none.
    frame_input_shape : tuple of int
        Shape of the frame that a graph takes, without the batch axis; () if it takes none.
    outputs : tuple of str
        Names of all outputs except the next state.
    takes_frame : bool
        Whether the graph has an input `frame`, as all but step graphs have.
    window : int
        Number of characters that a step reads; 0 if the graph reads no text.

    Raises
    ------
    VoiceError
        The graph cannot be loaded, or does not match the manifest.
    ProviderError
        The device cannot run here.
    """

    def __init__(
        self,
        folder: Path,
        graph: Graph,
        controls: Sequence[Control],
        device: str,
        options: EngineOptions = DEFAULT_OPTIONS,
    ) -> None:
        self.path = str(folder / graph.file)
        self._options = options
        self.session = load_graph(self.path, onnxruntime_options(options), device, options.cuda_graphs)
        self.provider: str = self.session.get_providers()[0]
        self.location: Location = HOST if self.provider == CPU else ("cuda", parse_device(device).index)
        infos = zip(self.session.get_inputs(), self.session.get_input_memory_infos(), strict=True)
        self.input_locations = {value.name: HOST if info.name == "Cpu" else self.location for value, info in infos}
        self._check("input", self.session.get_inputs(), graph.inputs)
        self._check("output", self.session.get_outputs(), graph.outputs)

        self.state = _under("state.", graph.inputs)
        self.noise = _under("noise.", graph.inputs)
        self.controls = _under("control.", graph.inputs)
        self.takes_frame = "frame" in graph.inputs
        self.window = graph.inputs[CHARACTERS][0] if CHARACTERS in graph.inputs else 0
        self._check_roles(graph, {spec.name: tuple(spec.shape) for spec in controls})

        others = [name for name in graph.outputs if not name.startswith("next.")]
        self._fetch = [f"next.{name}" for name in self.state] + others
        self.frame_shape = tuple(graph.outputs.get("frame", ()))
        self.frame_input_shape = tuple(graph.inputs.get("frame", ()))
        self.latent_shape = tuple(graph.outputs.get("latent", (0,)))
        self.outputs: tuple[str, ...] = tuple(others)

    def row_bytes(self, rows: int) -> int:
        """Return the approximate memory of each row of a batch in bytes, without the memory of its stream.

        The sum counts the two buffers of the state, the noise, the controls and the frame. On the CPU it also counts
        onnxruntime's intermediate results if there are many rows. It leaves out GPU memory, and memory that does not
        grow with the rows.

        Parameters
        ----------
        rows : int
            Rows of the batch.
        """
        widths = [math.prod(shape) for given in (self.state, self.noise, self.controls) for shape in given.values()]
        values = sum(widths) + sum(map(math.prod, self.state.values())) + math.prod(self.frame_shape) + self.window
        return 4 * values + (self._intermediates if rows >= memory.MANY and self.location == HOST else 0)

    @functools.cached_property
    def _intermediates(self) -> int:
        return memory.intermediate_bytes(self.path, onnxruntime_options(self._options))

    def zero_state(self, rows: int = 1) -> dict[str, np.ndarray]:
        """Return the state that every stream starts from: name -> zeros [rows, ...]."""
        return {name: np.zeros((rows, *shape), np.float32) for name, shape in self.state.items()}

    def run(
        self,
        state: Arrays,
        noise: Arrays,
        controls: Arrays,
        frame: np.ndarray | None = None,
        characters: np.ndarray | None = None,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Take one step of a batch.

        Parameters
        ----------
        state, noise, controls : mapping of str to float32 array [B, ...]
            Inputs by name without prefix; names that the graph does not have are ignored. No array is written to.
        frame : float32 array [B, F], optional
            Frame that the graph observes, if it reads one.
        characters : float32 array [B, W], optional
            Indices of the characters in the window of a graph that reads a text; none by default.

        Returns
        -------
        next_state : dict of str to float32 array [B, ...]
        outputs : dict of str to float32 array
            Every other output of the graph. All arrays are new: none shares memory with an input or an earlier step.
        """
        feed = {f"state.{name}": state[name] for name in self.state}
        for name in self.noise:
            feed[f"noise.{name}"] = noise[name]
        for name in self.controls:
            feed[f"control.{name}"] = controls[name]
        if self.takes_frame and frame is not None:
            feed["frame"] = frame
        if self.window:
            none = np.zeros((len(next(iter(feed.values()))), self.window), np.float32)
            feed[CHARACTERS] = none if characters is None else characters
        with native_call(), flush_denormals():
            values = self.session.run(self._fetch, feed)
        split = len(self.state)
        return dict(zip(self.state, values, strict=False)), dict(zip(self.outputs, values[split:], strict=True))

    def _check(self, what: str, found: Sequence[Any], declared: Mapping[str, tuple[int, ...]]) -> None:
        """Raise `VoiceError` unless the graph has exactly the inputs or outputs that the manifest declares."""
        shapes = {value.name: value.shape for value in found}
        missing, extra = sorted(declared.keys() - shapes.keys()), sorted(shapes.keys() - declared.keys())
        if missing:
            raise VoiceError(f"{self.path}: the graph has no {what} {', '.join(missing)}, which the manifest declares")
        if extra:
            raise VoiceError(f"{self.path}: the graph has {what} {', '.join(extra)}, which the manifest lacks")
        for value in found:
            if value.type != "tensor(float)":
                raise VoiceError(f"{self.path}: {what} {value.name} is a {value.type}, not a tensor(float)")
            if not value.shape or isinstance(value.shape[0], int):
                raise VoiceError(
                    f"{self.path}: {what} {value.name} has shape {value.shape}: its first axis is not a dynamic batch"
                )
            if tuple(value.shape[1:]) != tuple(declared[value.name]):
                raise VoiceError(
                    f"{self.path}: {what} {value.name} has shape {value.shape[1:]} per row, "
                    f"but the manifest says {list(declared[value.name])}"
                )

    def _check_roles(self, graph: Graph, controls: Mapping[str, tuple[int, ...]]) -> None:
        """Raise `VoiceError` unless names and shapes follow the graph contract."""
        following = _under("next.", graph.outputs)
        if following != self.state:
            odd = min(name for name, _ in following.items() ^ self.state.items())
            raise VoiceError(f"{self.path}: state.{odd} and next.{odd} are not a pair of equal shapes")
        known = {*(f"state.{n}" for n in self.state), *(f"noise.{n}" for n in self.noise), "frame", CHARACTERS}
        strange = sorted(n for n in graph.inputs if n not in known and not n.startswith("control."))
        if strange or self.takes_frame != (graph.role != "step"):
            odd = strange[0] if strange else "frame"
            raise VoiceError(f"{self.path}: input {odd} does not belong in a {graph.role} graph")
        needed = REQUIRED[graph.role]
        if graph.role == "observe" and not set(LATENT_OUTPUTS).isdisjoint(graph.outputs):
            needed += LATENT_OUTPUTS
        for name in needed:
            if name not in graph.outputs:
                raise VoiceError(f"{self.path}: a {graph.role} graph must have an output {name}")
        for name, shape in self.noise.items():
            if len(shape) != 1:
                raise VoiceError(f"{self.path}: noise.{name} must be one vector per row, not of shape {list(shape)}")
        for name, shape in self.controls.items():
            if controls.get(name) != tuple(shape):
                raise VoiceError(f"{self.path}: the manifest has no control {name} of shape {list(shape)}")


def _under(prefix: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {name.removeprefix(prefix): tuple(shape) for name, shape in shapes.items() if name.startswith(prefix)}


def load_graph(model: str, options: ort.SessionOptions, device: str, cuda_graphs: bool = False) -> ort.InferenceSession:
    """Open an onnxruntime session as `open_session` does, and raise `VoiceError` for an error in the graph.

    Parameters
    ----------
    model : str
        The graph's file.
    options : onnxruntime.SessionOptions
    device : str
        `auto`, `cpu`, `cuda` or `cuda:N`.
    cuda_graphs : bool
        Whether steps are to be captured as CUDA graphs.

    Raises
    ------
    VoiceError
        onnxruntime cannot load the graph.
    ProviderError
        The device cannot run here, or cannot run with CUDA graphs.
    """
    if printable(model) != os.fspath(model):
        raise VoiceError(f"{model}: onnxruntime opens only names that are UTF-8; rename the voice's folder")
    try:
        return open_session(model, options, device, cuda_graphs)
    except VRNNEngineError:
        raise
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors share no other base class
        reason = "not enough memory" if memory.is_out_of_memory(error) else error_reason(error)
        raise VoiceError(f"{model}: onnxruntime cannot load this graph: {reason}") from None


def onnxruntime_options(chosen: EngineOptions = DEFAULT_OPTIONS) -> ort.SessionOptions:
    """Return session options of onnxruntime for these options, with its log off."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = chosen.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    # onnxruntime ignores misspelt keys without a warning; these two keys are in its binary.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if chosen.spinning else "0")
    # For the threads that onnxruntime starts; `denormals.py` does the same for the threads that call onnxruntime.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options
