"""Finds the files in which an ONNX graph keeps its large tensors, without the package onnx.

A graph is a message of protocol buffers, and only these fields of it are read (onnx.proto of ONNX; the encoding is at
https://protobuf.dev/programming-guides/encoding/).
"""

from collections.abc import Iterator

from vrnn_engine.base.file_errors import read_error
from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.manifest import MANIFEST_FILE, Graph
from vrnn_engine.runtime.voice.voice import Voice

_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_ATTRIBUTE = 5
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = (5, 10), (6, 11)
_TENSOR_EXTERNAL_DATA = 13
_ENTRY_KEY, _ENTRY_VALUE = 1, 2


def external_files(model: bytes) -> dict[str, int | None]:
    """Return the files that hold tensors of a graph.

    Parameters
    ----------
    model : bytes
        Content of the .onnx file.

    Returns
    -------
    dict of str to int or None
        File name, as in the graph -> number of bytes from the file's start to the end of the last tensor in it; None
        if a tensor reaches to the end of the file.

    Raises
    ------
    ValueError
        The content is not a message of protocol buffers, or a place is not a number.
    """
    ends: dict[str, int | None] = {}
    for graph in _inner(memoryview(model), _MODEL_GRAPH):
        for tensor in _tensors(graph):
            place = {
                _text(entry, _ENTRY_KEY): _text(entry, _ENTRY_VALUE) for entry in _inner(tensor, _TENSOR_EXTERNAL_DATA)
            }
            if not place:
                continue
            name = place.get("location", "")
            end = int(place.get("offset", 0)) + int(place["length"]) if "length" in place else None
            earlier = ends.get(name, 0)
            ends[name] = None if end is None or earlier is None else max(earlier, end)
    return ends


def weights_of(voice: Voice, graph: Graph) -> dict[str, int | None]:
    """Return the files in which a graph of a voice keeps its tensors.

    Parameters
    ----------
    voice : Voice
    graph : Graph
        One of its graphs.

    Returns
    -------
    dict of str to int or None
        As `external_files` returns it; the names are also relative to the voice's folder.

    Raises
    ------
    VoiceError
        The graph cannot be read, or reads a file that the manifest does not list.
    """
    path = voice.path / graph.file
    try:
        ends = external_files(path.read_bytes())
    except OSError as error:
        raise read_error(path, error, VoiceError) from None
    except ValueError as error:
        raise VoiceError(f"{path}: not a readable ONNX graph: {error}") from None
    if unknown := ends.keys() - voice.manifest.files.keys():
        raise VoiceError(f"{path}: reads {min(unknown)!r}, which {MANIFEST_FILE} does not list")
    return ends


def _tensors(graph: memoryview) -> Iterator[memoryview]:
    """Yield the tensors of a graph and of the graphs in its nodes."""
    yield from _inner(graph, _GRAPH_INITIALIZER)
    for node in _inner(graph, _GRAPH_NODE):
        for attribute in _inner(node, _NODE_ATTRIBUTE):
            yield from _inner(attribute, *_ATTRIBUTE_TENSORS)
            for inner in _inner(attribute, *_ATTRIBUTE_GRAPHS):
                yield from _tensors(inner)


def _text(message: memoryview, number: int) -> str:
    return b"".join(map(bytes, _inner(message, number))).decode()


def _inner(message: memoryview, *numbers: int) -> Iterator[memoryview]:
    """Yield the fields of a message that have one of these numbers and hold bytes: a message or a string."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 5:
                at += 4
            case 2:
                size, at = _varint(message, at)
                if at + size > len(message):
                    raise ValueError("a field is longer than its message")
                if key >> 3 in numbers:
                    yield message[at : at + size]
                at += size
            case kind:
                raise ValueError(f"a field of unknown wire type {kind}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the number at a position, seven bits a byte from the low ones on, and the position after it."""
    value = shift = 0
    while at < len(message):
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("a number is longer than its message")
