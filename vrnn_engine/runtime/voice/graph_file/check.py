"""Checks what the graphs of a voice may do, before a session is made of them: operators, memory and work."""

from collections.abc import Collection
from pathlib import Path

from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.graph_file.model import GraphFile, ModelFile
from vrnn_engine.runtime.voice.graph_file.operators import RULES
from vrnn_engine.runtime.voice.graph_file.protobuf import TooManyFieldsError
from vrnn_engine.runtime.voice.graph_file.sizes import SizeError, measure
from vrnn_engine.runtime.voice.graph_file.values import ROWS
from vrnn_engine.runtime.voice.graph_file.weights import UNREADABLE, open_graph, unreadable
from vrnn_engine.runtime.voice.manifest import Graph, Manifest
from vrnn_engine.runtime.voice.trust import OPERATORS, SIZE

MAX_NODES = 10_000
MAX_FIELDS = 300_000
"""Most fields of all messages of a graph's file; they are counted before any node is made."""
MAX_ROW_ELEMENTS = 1 << 24
"""Most elements of all results of a step for each row, 64 MiB in fp32."""
MAX_FIXED_ELEMENTS = 1 << 26
"""Most elements of all results of a step that do not grow with the rows, 256 MiB in fp32."""
MAX_WORK = 1 << 32
"""Most multiplications of a step for each row; the paper's own model has 10**8."""
SPARE_CONSTANTS = 1 << 22
CONSTANT_FACTOR = 4
"""Results that depend on constants alone have up to this many elements for each stored one, and the spare ones."""
VERSIONS = range(13, 26)
"""Versions of the operators of ONNX."""


def check_graphs(folder: Path, manifest: Manifest, trust: Collection[str] = (), shown: Path | None = None) -> None:
    """Check the graphs of a voice.

    Parameters
    ----------
    folder : Path
        The voice's folder.
    manifest : Manifest
        Its manifest.
    trust : collection of str
        The limits that are lifted; see `trust.py`.
    shown : Path, optional
        Path that errors name in place of the folder.

    Raises
    ------
    VoiceError
        A graph cannot be read, uses a file without a checksum, or exceeds a limit.
    """
    for graph in manifest.graphs:
        label = str((shown or folder) / graph.file)
        try:
            faults = _faults(folder, graph, manifest, label, SIZE in trust)
        except UNREADABLE as error:
            raise unreadable(label, error) from None
        for limit, fault in faults.items():
            if fault and limit not in trust:
                raise VoiceError(
                    f"{label}: {fault}; if you trust the author of the voice, set trust to {limit!r}", ("trust",)
                )


def _faults(folder: Path, graph: Graph, manifest: Manifest, label: str, any_size: bool) -> dict[str, str]:
    """Return what each limit forbids of a graph, or an empty string."""
    try:
        model, _ = open_graph(folder, graph, manifest, label, None if any_size else MAX_FIELDS)
    except TooManyFieldsError as error:
        return {SIZE: str(error)}
    stored = sum(tensor.size for tensor in model.graph.tensors())
    return {OPERATORS: _operator_fault(model), SIZE: "" if any_size else _size_fault(model, stored)}


def _operator_fault(model: ModelFile) -> str:
    """Return what the limit on operators forbids, or an empty string."""
    if model.functions:
        return "it has functions, or a training part"
    for domain, version in model.versions.items():
        if domain in ("", "ai.onnx") and version not in VERSIONS:
            return f"its operators are of version {version}, not {VERSIONS[0]} to {VERSIONS[-1]}"
    return _graph_fault(model.graph)


def _graph_fault(graph: GraphFile) -> str:
    if graph.sparse:
        return "it has sparse constants"
    for node in graph.nodes:
        if node.operator not in RULES.get(node.domain, ()):
            where = f" of the domain {node.domain[:80]!r}" if node.domain else ""
            return f"the operator {node.operator[:80]!r}{where} is not one that a voice may use"
        for attribute in node.attributes.values():
            if attribute.graphs or attribute.sparse:
                return f"the operator {node.operator!r} has a graph or a sparse constant inside"
        if node.operator == "BatchNormalization" and node.number("training_mode", 0):
            return "a BatchNormalization is in training mode"
    return ""


def _size_fault(model: ModelFile, stored: int) -> str:
    """Return what the limit on sizes forbids, or an empty string."""
    if len(model.graph.nodes) > MAX_NODES:
        return f"it has {len(model.graph.nodes):,} nodes, more than {MAX_NODES:,}"
    try:
        found = measure(model)
    except SizeError as error:
        return str(error)
    if found.constants > CONSTANT_FACTOR * stored + SPARE_CONSTANTS:
        return f"it makes {_count(found.constants)} values of {_count(stored)} stored constants"
    growing, fixed = divmod(found.elements, ROWS)
    if growing >= ROWS or found.work >= ROWS * ROWS:
        return "its memory or work grows faster than the number of rows"
    if growing > MAX_ROW_ELEMENTS or fixed > MAX_FIXED_ELEMENTS:
        return (
            f"a step makes {_count(growing)} values for each row, and {_count(fixed)} for all; up to "
            f"{_count(MAX_ROW_ELEMENTS)} and {_count(MAX_FIXED_ELEMENTS)} are allowed"
        )
    if (work := sum(divmod(found.work, ROWS))) > MAX_WORK:
        return f"a step takes {_count(work)} multiplications for each row; up to {_count(MAX_WORK)} are allowed"
    return ""


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"{float(min(number, 10**300)):.0e}"
