"""Loads the graphs of a voice on a device, in the precision that suits the device."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import ParamSpec, Protocol, TypeVar

from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.graph.arrays import HOST
from vrnn_engine.runtime.graph.provider import CPU, default_precision
from vrnn_engine.runtime.graph.session import DEFAULT_OPTIONS, EngineOptions, GraphSession
from vrnn_engine.runtime.voice.manifest import OWN, OWN_FRAME, Graph, Role
from vrnn_engine.runtime.voice.voice import Voice

P = ParamSpec("P")
R = TypeVar("R")


class Caller(Protocol):
    """Calls a function in the thread that may use the graphs, and returns its result."""

    def __call__(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function and wait for its result."""
        ...


def call_here(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in this thread."""
    return function(*args, **kwargs)


class VoiceGraphs:
    """The step graph of a voice, and its other graphs once they are needed.

    Parameters
    ----------
    voice : Voice
    device : str
        `auto`, `cpu`, `cuda` or `cuda:N`.
    precision : str, optional
        A precision that the voice has. By default fp16 on CUDA if the voice has it, and otherwise the first precision
        that the manifest lists.
    options : EngineOptions

    Attributes
    ----------
    device : str
    options : EngineOptions
        As they were given.
    step : GraphSession
    precision : str
        Precision of the step graph, for example `fp32`.
    captured : bool
        Whether steps are captured as CUDA graphs.
    call : Caller
        Runs a function in the thread that may use the graphs: the thread for CUDA graphs, or the caller's own.

    Raises
    ------
    VoiceError
        A graph cannot be loaded or does not fit the manifest, or the voice does not have the precision.
    ProviderError
        The device cannot run here, or the voice cannot run with CUDA graphs.
    """

    def __init__(
        self,
        voice: Voice,
        device: str = "auto",
        precision: str | None = None,
        options: EngineOptions = DEFAULT_OPTIONS,
    ) -> None:
        self._voice = voice
        self.device = device
        self.options = options
        self._others: dict[Role, GraphSession] = {}
        self._loading = threading.Lock()
        graph = voice.graph("step", precision)
        if voice.needs_trial:
            from vrnn_engine.runtime.graph.trial.process import require_trial  # other voices start without it

            require_trial(voice)
        self.call: Caller = call_here
        if options.cuda_graphs:
            from vrnn_engine.runtime.graph.cuda_graphs import in_one_thread, release_in_one_thread

            self.call, release = in_one_thread, release_in_one_thread(self)
        self.step = self._load(graph, device, options)
        # The best precision depends on the provider, which is known only after loading.
        precisions = [one.precision for one in voice.manifest.graphs if one.role == "step"]
        self.precision = default_precision(self.step.provider, precisions) if precision is None else precision
        if self.precision != graph.precision:
            self.step = self._load(voice.graph("step", self.precision), device, options)
        if precision is None and default_precision(self.step.provider, precisions) != self.precision:
            # CUDA could load the first graph but not the second, so `auto` fell back to the CPU.
            self.precision = default_precision(self.step.provider, precisions)
            plain = replace(options, cuda_graphs=False)
            self.step = self._load(voice.graph("step", self.precision), "cpu", plain)
        if self.step.frame_shape != (voice.manifest.frame_size,):
            raise VoiceError(
                f"{self.step.path}: the size of a frame differs from the manifest's frame_size, "
                f"{voice.manifest.frame_size}; export the voice again"
            )
        self.captured = options.cuda_graphs and self.step.location != HOST
        if options.cuda_graphs and not self.captured:
            self.call = call_here
            release.detach()

    @property
    def observe(self) -> GraphSession:
        """The observe graph, loaded at its first use; `VoiceError` if it is missing or does not fit the step graph."""
        return self._other("observe")

    @property
    def resynthesise(self) -> GraphSession:
        """The graph that observes and generates, loaded at its first use; `VoiceError` as for `observe`."""
        return self._other("resynthesise")

    def _load(self, graph: Graph, device: str, options: EngineOptions) -> GraphSession:
        voice = self._voice
        return self.call(GraphSession, voice.path, graph, voice.manifest.controls, device, options)

    def _other(self, role: Role) -> GraphSession:
        with self._loading:  # no read takes this lock, because loading may wait for a read
            if role not in self._others:
                self._others[role] = self._load_other(role)
            return self._others[role]

    def _load_other(self, role: Role) -> GraphSession:
        # It uses the provider of the step graph, which was chosen and reported when that graph was loaded.
        device = "cpu" if self.step.provider == CPU else self.device
        graph, size = self._voice.graph(role), self._voice.manifest.frame_size
        found = self._load(graph, device, replace(self.options, cuda_graphs=False))
        check_fits(found, graph, self.step, size)
        return found


def check_fits(found: GraphSession, graph: Graph, step: GraphSession, frame_size: int) -> None:
    """Raise `VoiceError` unless a stream can use a graph in turn with the step graph.

    Parameters
    ----------
    found : GraphSession
        An observe or resynthesis graph.
    graph : Graph
        Its entry in the manifest.
    step : GraphSession
        The step graph.
    frame_size : int
        That of the manifest.
    """
    own = {name: shape for name, shape in found.state.items() if name.startswith(OWN) and graph.role == "resynthesise"}
    shared = {name: shape for name, shape in found.state.items() if name not in own}
    ours = {name.removeprefix(OWN): shape for name, shape in own.items()}
    if shared != step.state or not ours.items() <= shared.items():
        raise VoiceError(f"{found.path}: its state differs from that of the step graph; export the voice again")
    size = (frame_size,)
    if graph.inputs["frame"] != size or graph.outputs.get(OWN_FRAME, size) != size:
        raise VoiceError(
            f"{found.path}: the size of a frame differs from the manifest's frame_size, {frame_size}; "
            "export the voice again"
        )
    if not found.noise.items() <= step.noise.items():
        raise VoiceError(f"{found.path}: it has noise that the step graph lacks; export the voice again")
