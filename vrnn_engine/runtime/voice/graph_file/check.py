"""Checks what the graphs of a voice may do, before a session is made of them: operators, memory and work."""

from collections.abc import Collection
from pathlib import Path

from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.graph_file.division import risky_division
from vrnn_engine.runtime.voice.graph_file.model import GraphFile, ModelFile
from vrnn_engine.runtime.voice.graph_file.protobuf import TooManyFieldsError
from vrnn_engine.runtime.voice.graph_file.rules.operators import LISTED
from vrnn_engine.runtime.voice.graph_file.sizes import SizeError, Sizes, measure
from vrnn_engine.runtime.voice.graph_file.values import ROWS
from vrnn_engine.runtime.voice.graph_file.weights import UNREADABLE, open_graph, unreadable
from vrnn_engine.runtime.voice.manifest import Graph, Manifest
from vrnn_engine.runtime.voice.trust import OPERATORS, SIZE

MAX_NODES = 10_000
MAX_FIELDS = 300_000
"""Most fields of all messages of a graph's file; they are counted before any node is made."""
MAX_ROW_ELEMENTS = 1 << 24
"""Most elements of all inputs and results of a step for each row, 64 MiB in fp32."""
MAX_FIXED_ELEMENTS = 1 << 26
"""Most elements of all inputs and results of a step that do not grow with the rows, 256 MiB in fp32."""
MAX_WORK = 1 << 32
"""Most multiplications of a step for each row; the paper's own model has 10**8."""
SPARE_CONSTANTS = 1 << 22
CONSTANT_FACTOR = 4
"""Results that depend on constants alone have up to this many elements for each stored one, and the spare ones."""
SMALL_NODES, SMALL_NAMES, SMALL_CONSTANTS = 1000, 10_000, 2000
"""A small graph has up to this many nodes, names of inputs and outputs of nodes, and constants."""
SMALL_ELEMENTS, SMALL_WORK = 1 << 23, 1 << 29
"""Most elements and multiplications of a step of a small graph, for one row."""
VERSIONS = range(13, 26)
"""Versions of the operators of ONNX."""


def check_graphs(folder: Path, manifest: Manifest, trust: Collection[str] = (), shown: Path | None = None) -> bool:
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

    Returns
    -------
    bool
        Whether all graphs are small: they load in seconds, whatever onnxruntime tries to simplify in them.

    Raises
    ------
    VoiceError
        A graph cannot be read, uses a file without a checksum, or exceeds a limit.
    """
    small = True
    for graph in manifest.graphs:
        label = str((shown or folder) / graph.file)
        try:
            faults, is_small = _faults(folder, graph, manifest, label, SIZE in trust)
        except UNREADABLE as error:
            raise unreadable(label, error) from None
        for limit, fault in faults.items():
            if fault and limit not in trust:
                raise VoiceError(
                    f"{label}: {fault}; if you trust the author of the voice, set trust to {limit!r}", ("trust",)
                )
        small = small and is_small
    return small


def _faults(folder: Path, graph: Graph, manifest: Manifest, label: str, any_size: bool) -> tuple[dict[str, str], bool]:
    """Return what each limit forbids of a graph, or an empty string, and whether the graph is small."""
    try:
        model, _ = open_graph(folder, graph, manifest, label, None if any_size else MAX_FIELDS)
    except TooManyFieldsError as error:
        return {SIZE: str(error)}, False
    return find_faults(model, any_size)


def find_faults(model: ModelFile, any_size: bool = False) -> tuple[dict[str, str], bool]:
    """Return what each limit forbids of a graph, or an empty string, and whether the graph is small.

    Parameters
    ----------
    model : ModelFile
        The graph's file.
    any_size : bool
        Whether to omit what the limit on sizes forbids.
    """
    fault = _operator_fault(model)
    if any_size:
        return {OPERATORS: fault}, False
    if len(model.graph.nodes) > MAX_NODES:
        return {OPERATORS: fault, SIZE: f"it has {len(model.graph.nodes):,} nodes, more than {MAX_NODES:,}"}, False
    try:
        found = measure(model)
    except SizeError as error:
        return {OPERATORS: fault, SIZE: str(error)}, False
    stored = sum(tensor.size for tensor in model.graph.tensors())
    # The results of operators that are not listed count as nothing, so the graph may be larger than was found.
    return {OPERATORS: fault, SIZE: _size_fault(found, stored)}, not fault and _is_small(model.graph, found)


def _operator_fault(model: ModelFile) -> str:
    """Return what the limit on operators forbids, or an empty string."""
    if model.functions:
        return "it has functions, or a training part"
    if (version := model.versions.get("")) not in VERSIONS:
        found = "no version" if version is None else f"version {version}"
        return f"its operators are of {found}, not {VERSIONS[0]} to {VERSIONS[-1]}"
    return _graph_fault(model.graph)


def _graph_fault(graph: GraphFile) -> str:
    if graph.sparse:
        return "it has sparse constants"
    for node in graph.nodes:
        if node.operator not in LISTED.get(node.domain, ()):
            where = f" of the domain {node.domain[:80]!r}" if node.domain else ""
            return f"the operator {node.operator[:80]!r}{where} is not one that a voice may use"
        for attribute in node.attributes.values():
            if attribute.graphs or attribute.sparse:
                return f"the operator {node.operator!r} has a graph or a sparse constant inside"
        if node.operator == "BatchNormalization" and node.number("training_mode", 0):
            return "a BatchNormalization is in training mode"
    if (risky := risky_division(graph)) is not None:
        return f"{risky.label} divides whole numbers, by -1 or by no constant, which can end the process"
    return ""


def _is_small(graph: GraphFile, found: Sizes) -> bool:
    names = sum(len(node.inputs) + len(node.outputs) for node in graph.nodes)
    return (
        (len(graph.nodes) <= SMALL_NODES and names <= SMALL_NAMES and len(graph.constants) <= SMALL_CONSTANTS)
        and sum(divmod(found.elements, ROWS)) + found.constants <= SMALL_ELEMENTS
        and sum(divmod(found.work, ROWS)) <= SMALL_WORK
    )


def _size_fault(found: Sizes, stored: int) -> str:
    """Return what the limit on sizes forbids, or an empty string."""
    if found.constants > CONSTANT_FACTOR * stored + SPARE_CONSTANTS:
        return f"it makes {_count(found.constants)} values of {_count(stored)} stored constants"
    growing, fixed = divmod(found.elements, ROWS)
    if growing >= ROWS or found.work >= ROWS * ROWS:
        return "its memory or work grows faster than the number of rows"
    if growing > MAX_ROW_ELEMENTS or fixed > MAX_FIXED_ELEMENTS:
        return (
            f"a step has {_count(growing)} values for each row, and {_count(fixed)} for all; up to "
            f"{_count(MAX_ROW_ELEMENTS)} and {_count(MAX_FIXED_ELEMENTS)} are allowed"
        )
    if (work := sum(divmod(found.work, ROWS))) > MAX_WORK:
        return f"a step takes {_count(work)} multiplications for each row; up to {_count(MAX_WORK)} are allowed"
    return ""


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"{float(min(number, 10**300)):.0e}"
