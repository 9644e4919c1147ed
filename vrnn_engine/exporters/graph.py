"""Step model -> ONNX files: traced once per role, with one weights file that both graphs share."""

import logging
import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, external_data_helper, helper, numpy_helper
from torch import Tensor, nn

from vrnn_engine.errors import ExportError
from vrnn_engine.exporters.protocol import Named, Shape

OPSET = 20
WEIGHTS_FILE = "weights.bin"
INLINE_BYTES = 256
"""Smaller constants stay in the .onnx file: shape inference reads some of them."""
PAGE = 4096
"""Tensors start on a page, so that the runtime can map the file instead of copying it."""


def trace(function: Callable[[Named], Named], inputs: dict[str, Shape]) -> tuple[onnx.ModelProto, dict[str, Shape]]:
    """Trace a step with a dynamic batch.

    Parameters
    ----------
    function : callable
        `generate` or `observe` of a step model.
    inputs : dict
        Names and shapes, without the batch.

    Returns
    -------
    ModelProto, dict
        The graph, and the names and shapes (without the batch) of its outputs.
    """
    # Not 0 or 1 rows: the tracer would take those for constants.
    example = {name: torch.zeros(2, *shape) for name, shape in inputs.items()}
    outputs = {name: tuple(value.shape[1:]) for name, value in function(example).items()}
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            _Flat(function, list(inputs)),
            tuple(example.values()),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=(tuple({0: batch} for _ in inputs),),
            opset_version=OPSET,
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    if program is None:
        raise ExportError("torch.onnx.export gave no program; is this version of torch supported?")
    model = program.model_proto
    # Traces of where in the source each node came from: paths of the machine that exported.
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.doc_string = ""
    return model, outputs


def save_graphs(graphs: dict[str, onnx.ModelProto], folder: Path) -> None:
    """Write graphs by file name, with equal weights stored once, and in 16 bits where that loses nothing."""
    places: dict[bytes, tuple[int, int]] = {}
    with open(folder / WEIGHTS_FILE, "wb") as weights:
        for model in graphs.values():
            halve(model.graph)
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


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy: saving takes a graph's weights out of it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def halve(graph: onnx.GraphProto) -> None:
    """Store large tensors that half precision holds exactly so, cast back where they are used.

    The runtime does the cast once, when it loads the graph.
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


class _Flat(nn.Module):
    """A function of named tensors as the module of positional ones that the tracer wants."""

    def __init__(self, function: Callable[[Named], Named], names: list[str]):
        super().__init__()
        self.function, self.names = function, names

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.function(dict(zip(self.names, tensors, strict=True))).values())


def _large(tensors: Iterable[TensorProto]) -> Iterable[TensorProto]:
    for tensor in tensors:
        if tensor.HasField("raw_data") and len(tensor.raw_data) >= INLINE_BYTES:
            yield tensor
