"""Opens a graph's file, and checks that each of its tensors has its bytes, in a file with a checksum."""

import os
from pathlib import Path, PurePosixPath

from vrnn_engine.base.file_errors import read_error
from vrnn_engine.base.reading.decoding import one_line
from vrnn_engine.base.reading.limits import read_file
from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.graph_file.model import ModelFile, read_model
from vrnn_engine.runtime.voice.graph_file.tensors import Place
from vrnn_engine.runtime.voice.manifest import Graph, Manifest, check_listed

MAX_GRAPH = 2 << 30
"""Largest size in bytes of an .onnx file, which is that of a message of protocol buffers."""


UNREADABLE = (ValueError, IndexError, OverflowError, TypeError)
"""What reading a damaged graph raises."""


def unreadable(label: str, error: Exception) -> VoiceError:
    """Return the error of a damaged graph, from its path and one of the errors `UNREADABLE`."""
    return VoiceError(f"{label}: not a readable ONNX graph: {one_line(error)}; get the voice again")


def open_graph(
    folder: Path, graph: Graph, manifest: Manifest, label: str, most_fields: int | None = None
) -> tuple[ModelFile, dict[str, int | None]]:
    """Read a graph, and return it with the files in which it keeps tensors.

    Parameters
    ----------
    folder : Path
        The voice's folder.
    graph : Graph
        The graph's entry in the manifest.
    manifest : Manifest
    label : str
        The graph's path, for error messages.
    most_fields : int, optional
        Largest number of fields of all messages of the file; by default any number.

    Returns
    -------
    model : ModelFile
    files : dict of str to int or None
        Path relative to the voice's folder -> number of bytes from the file's start to the end of the last tensor in
        it; None if a tensor reaches to the end of the file.

    Raises
    ------
    VoiceError
        The graph cannot be read, or a tensor is in a file without a checksum, or has too few bytes.
    TooManyFieldsError
        The file has more fields.
    """
    if not graph.file.endswith(".onnx"):
        raise VoiceError(f"{label}: a graph's name must end in .onnx, so that it is read as one")
    try:
        model = read_model(read_file(folder / graph.file, MAX_GRAPH), most_fields)
        for tensor in model.graph.tensors():
            tensor.check()
        return model, _files(model, folder, graph, manifest, label)
    except OSError as error:
        raise read_error(label, error, VoiceError) from None
    except UNREADABLE as error:
        raise unreadable(label, error) from None


def _files(model: ModelFile, folder: Path, graph: Graph, manifest: Manifest, label: str) -> dict[str, int | None]:
    """Return the files in which a graph keeps tensors, after checking that each has a checksum and is large enough."""
    ends: dict[str, int | None] = {}
    lengths: dict[str, int] = {}
    sizes: dict[str, int] = {}
    parent = PurePosixPath(graph.file).parent.as_posix()
    for tensor in model.graph.tensors():
        if tensor.place is None:
            continue
        name = _file_of(tensor.place, parent)
        if name not in sizes:
            check_listed(name, manifest.files, label)
            sizes[name] = os.stat(folder / name).st_size
        whole = sizes[name]
        length, earlier = tensor.place.length, ends.get(name, 0)
        end = None if length is None else tensor.place.offset + length
        if tensor.place.offset + tensor.needed > whole:
            raise ValueError(f"the tensor {tensor.name[:80]!r} ends after its file {name}")
        lengths[name] = lengths.get(name, 0) + (whole - tensor.place.offset if length is None else length)
        if lengths[name] > 2 * whole:
            raise ValueError(f"its tensors in {name} overlap")
        ends[name] = None if end is None or earlier is None else max(earlier, end)
    return ends


def _file_of(place: Place, parent: str) -> str:
    """Return the path of a file of weights; a graph names it relative to its own folder, `parent`."""
    if "*" in place.location:  # onnxruntime reads an address of the memory from such a name
        raise ValueError(f"it keeps a tensor in {place.location[:80]!r}, which is not a file")
    return place.location if parent == "." else f"{parent}/{place.location}"
