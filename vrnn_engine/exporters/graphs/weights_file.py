"""Write graphs whose large tensors are in one shared file."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, external_data_helper, helper, numpy_helper

WEIGHTS_FILE = "weights.bin"
INLINE_BYTES = 256
"""Tensors with fewer bytes stay in the .onnx file, because shape inference reads the values of some of them."""
PAGE = 4096
"""The offset of each tensor is a multiple of this number of bytes, so that the runtime can map the file into memory
instead of copying it."""


def save_graphs(graphs: dict[str, onnx.ModelProto], folder: Path) -> None:
    """Write graphs and their weights file.

    Equal tensors are stored once, and in 16 bits if that changes no value.  The graphs are modified: their large
    tensors become references to the weights file.

    Parameters
    ----------
    graphs : dict of str to onnx.ModelProto
        Graphs by file name.
    folder : Path
        Folder of the files; it must exist.
    """
    places: dict[bytes, tuple[int, int]] = {}
    with open(folder / WEIGHTS_FILE, "wb") as weights:
        for model in graphs.values():
            store_as_half(model.graph)
            for tensor in _large(model.graph.initializer):
                data = tensor.raw_data
                if data not in places:
                    weights.seek(-weights.tell() % PAGE, os.SEEK_CUR)
                    places[data] = (weights.tell(), len(data))
                    weights.write(data)
                offset, length = places[data]
                external_data_helper.set_external_data(tensor, WEIGHTS_FILE, offset=offset, length=length)
                tensor.ClearField("raw_data")
                tensor.data_location = TensorProto.EXTERNAL
    for name, model in graphs.items():
        (folder / name).write_bytes(model.SerializeToString())
    for name in graphs:
        onnx.checker.check_model(str(folder / name))


def copy_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a graph with its weights."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def store_as_half(graph: onnx.GraphProto) -> None:
    """Store a large float32 tensor as float16, followed by a cast to float32, if float16 represents all its values.

    onnxruntime computes the cast once, when it loads the graph.
    """
    casts = []
    for tensor in _large(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if np.array_equal(half.astype(np.float32), values):
            whole, name = tensor.name, f"{tensor.name}.half"
            tensor.CopyFrom(numpy_helper.from_array(half, name))
            casts.append(helper.make_node("Cast", [name], [whole], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _large(tensors: Iterable[TensorProto]) -> Iterable[TensorProto]:
    for tensor in tensors:
        if tensor.HasField("raw_data") and len(tensor.raw_data) >= INLINE_BYTES:
            yield tensor
