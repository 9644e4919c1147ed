"""One graph of a voice, ready to step: an onnxruntime session that is what the manifest says.

It knows no model.  It pairs `state.NAME` inputs with `next.NAME` outputs, and passes the rest by
name, so that whatever follows the graph contract runs.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from vrnn_engine.errors import ProviderError, VoiceError, VRNNEngineError
from vrnn_engine.runtime.graph import memory
from vrnn_engine.runtime.graph.binding import CPU
from vrnn_engine.runtime.graph.denormals import flush_denormals
from vrnn_engine.runtime.graph.provider import CPU as CPU_PROVIDER
from vrnn_engine.runtime.graph.provider import open_session, parse_device, reason_of
from vrnn_engine.runtime.voice.manifest import Control, Graph

Arrays = Mapping[str, np.ndarray]

MOST_THREADS = 256
"""What a typing error is told apart by: onnxruntime starts as many as it is told to, or ends the process."""


@dataclass(frozen=True)
class Options:
    """What a session takes of its host.  The defaults are those of a guest.

    Raises
    ------
    ProviderError
        `threads` is no whole number from 1 to `MOST_THREADS`.
    """

    threads: int = 1
    """Threads that share a step, the caller's among them.  On the CPU they change no bit of it."""
    spinning: bool = False
    """Whether threads that wait for a step's next part keep their cores busy: faster, and at the cost of all others."""
    cuda_graphs: bool = False
    """Whether a step on a GPU is to be launched as one CUDA graph."""

    def __post_init__(self) -> None:
        whole = isinstance(self.threads, int) and not isinstance(self.threads, bool)
        if not whole or not 1 <= self.threads <= MOST_THREADS:
            raise ProviderError(f"threads={self.threads!r}: give a whole number from 1 to {MOST_THREADS}")


GUEST = Options()


class GraphSession:
    """A step or observe graph on a device.

    Parameters
    ----------
    folder : Path
        The voice's folder.
    graph : Graph
        What the manifest says of the graph.
    controls : sequence of Control
        What the manifest says of the controls.
    device : str
        `auto`, `cpu`, `cuda` or `cuda:N`.
    options : Options

    Attributes
    ----------
    state, noise, controls : dict of str to tuple of int
        Shapes without the batch axis, by name without prefix.
    provider : str
        What it really runs on, e.g. `CPUExecutionProvider`.

    Raises
    ------
    VoiceError
        The graph cannot be loaded, or is not what the manifest declares.
    ProviderError
        The device cannot run here.
    """

    def __init__(
        self, folder: Path, graph: Graph, controls: Sequence[Control], device: str, options: Options = GUEST
    ) -> None:
        self.where = str(folder / graph.file)
        self._options = options
        self.session = load_graph(self.where, onnxruntime_options(options), device, options.cuda_graphs)
        self.provider: str = self.session.get_providers()[0]
        self.place = CPU if self.provider == CPU_PROVIDER else ("cuda", parse_device(device).index)
        """Where it computes, as onnxruntime names memory."""
        infos = zip(self.session.get_inputs(), self.session.get_input_memory_infos(), strict=True)
        self.places = {value.name: CPU if info.name == "Cpu" else self.place for value, info in infos}
        """Where each input is read: on a GPU too, the processor reads those of a node that only it has."""
        self._check("input", self.session.get_inputs(), graph.inputs)
        self._check("output", self.session.get_outputs(), graph.outputs)

        self.state = _under("state.", graph.inputs)
        self.noise = _under("noise.", graph.inputs)
        self.controls = _under("control.", graph.inputs)
        self.takes_frame = "frame" in graph.inputs
        self._check_roles(graph, {spec.name: tuple(spec.shape) for spec in controls})

        others = [name for name in graph.outputs if not name.startswith("next.")]
        self._fetch = [f"next.{name}" for name in self.state] + others
        self.frame_shape = tuple(graph.outputs.get("frame", ()))
        self.latent_shape = tuple(graph.outputs.get("latent", (0,)))
        self.outputs: tuple[str, ...] = tuple(others)
        """All but the next state."""

    def row_bytes(self, rows: int) -> int:
        """Return about how many bytes a row takes to step a batch of so many, apart from its streams.

        Counted are the two places of the state, the noise, the controls and the frame, which are known, and on
        the CPU what onnxruntime computes on the way, which is asked for if there are many rows.  Not counted
        are the memory of a GPU and what does not grow with the rows.
        """
        widths = [math.prod(shape) for given in (self.state, self.noise, self.controls) for shape in given.values()]
        places = sum(widths) + sum(map(math.prod, self.state.values())) + math.prod(self.frame_shape)
        return 4 * places + (self._intermediates if rows >= memory.MANY and self.place == CPU else 0)

    @functools.cached_property
    def _intermediates(self) -> int:
        return memory.intermediates(self.where, onnxruntime_options(self._options))

    def zero_state(self, rows: int = 1) -> dict[str, np.ndarray]:
        """Return the state every stream starts from: name -> zeros [rows, ...]."""
        return {name: np.zeros((rows, *shape), np.float32) for name, shape in self.state.items()}

    def run(
        self, state: Arrays, noise: Arrays, controls: Arrays, frame: np.ndarray | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Take one step of a batch.

        Parameters
        ----------
        state, noise, controls : mapping of str to float32 array [B, ...]
            By name without prefix.  They may hold more than this graph takes.  None is written to.
        frame : float32 array [B, F], optional
            What an observe graph observes.

        Returns
        -------
        next_state : dict of str to float32 array [B, ...]
        outputs : dict of str to float32 array
            Every other output of the graph.  All arrays are new: nothing aliases an input or an
            earlier step.
        """
        feed = {f"state.{name}": state[name] for name in self.state}
        for name in self.noise:
            feed[f"noise.{name}"] = noise[name]
        for name in self.controls:
            feed[f"control.{name}"] = controls[name]
        if self.takes_frame and frame is not None:
            feed["frame"] = frame
        with flush_denormals():
            values = self.session.run(self._fetch, feed)
        split = len(self.state)
        return dict(zip(self.state, values, strict=False)), dict(zip(self.outputs, values[split:], strict=True))

    def _check(self, what: str, found: Sequence[Any], declared: Mapping[str, tuple[int, ...]]) -> None:
        """Raise unless the graph has exactly what the manifest declares."""
        shapes = {value.name: value.shape for value in found}
        missing, extra = sorted(declared.keys() - shapes.keys()), sorted(shapes.keys() - declared.keys())
        if missing:
            raise VoiceError(f"{self.where}: the graph has no {what} {', '.join(missing)}, which the manifest declares")
        if extra:
            raise VoiceError(f"{self.where}: the graph has {what} {', '.join(extra)}, which the manifest lacks")
        for value in found:
            if value.type != "tensor(float)":
                raise VoiceError(f"{self.where}: {what} {value.name} is a {value.type}, not a tensor(float)")
            if not value.shape or isinstance(value.shape[0], int):
                raise VoiceError(f"{self.where}: {what} {value.name} has shape {value.shape}: no dynamic batch first")
            if tuple(value.shape[1:]) != tuple(declared[value.name]):
                raise VoiceError(
                    f"{self.where}: {what} {value.name} has shape {value.shape[1:]} a row, "
                    f"the manifest says {list(declared[value.name])}"
                )

    def _check_roles(self, graph: Graph, controls: Mapping[str, tuple[int, ...]]) -> None:
        """Raise unless the names follow the graph contract."""
        following = _under("next.", graph.outputs)
        if following != self.state:
            odd = min(name for name, _ in following.items() ^ self.state.items())
            raise VoiceError(f"{self.where}: state.{odd} and next.{odd} are no pair of equal shapes")
        known = {*(f"state.{n}" for n in self.state), *(f"noise.{n}" for n in self.noise), "frame"}
        strange = sorted(n for n in graph.inputs if n not in known and not n.startswith("control."))
        if strange or self.takes_frame != (graph.role == "observe"):
            odd = strange[0] if strange else "frame"
            raise VoiceError(f"{self.where}: input {odd} does not belong in a {graph.role} graph")
        needed: tuple[str, ...] = ("frame",) if graph.role == "step" else ("log_likelihood",)
        if graph.role == "observe" and not set(OF_LATENTS).isdisjoint(graph.outputs):
            needed += OF_LATENTS
        for name in needed:
            if name not in graph.outputs:
                raise VoiceError(f"{self.where}: a {graph.role} graph must have an output {name}")
        for name, shape in self.noise.items():
            if len(shape) != 1:
                raise VoiceError(f"{self.where}: noise.{name} must be a vector a row, not of shape {list(shape)}")
        for name, shape in self.controls.items():
            if controls.get(name) != tuple(shape):
                raise VoiceError(f"{self.where}: the manifest has no control {name} of shape {list(shape)}")


OF_LATENTS = ("latent", "posterior.mean", "posterior.std", "kl")
"""Outputs of an observe graph of a voice that has latents, beside `log_likelihood`."""


def _under(prefix: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {name.removeprefix(prefix): tuple(shape) for name, shape in shapes.items() if name.startswith(prefix)}


def load_graph(model: str, options: ort.SessionOptions, device: str, cuda_graphs: bool = False) -> ort.InferenceSession:
    """Return `open_session`; what onnxruntime finds wrong with the graph is a `VoiceError`."""
    try:
        with flush_denormals():
            return open_session(model, options, device, cuda_graphs)
    except VRNNEngineError:
        raise
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors share no other base class
        reason = "not enough memory" if memory.exhausted(error) else reason_of(error)
        raise VoiceError(f"{model}: onnxruntime cannot load this graph: {reason}") from None


def onnxruntime_options(chosen: Options = GUEST) -> ort.SessionOptions:
    """Say to onnxruntime what was chosen, and that it shall not chat."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = chosen.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    # onnxruntime ignores misspelt keys in silence: these two are read by it, checked in its binary.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if chosen.spinning else "0")
    # Its own threads, if it starts any, keep to it; those that call it see `denormals.py`.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options
