"""Trace a step function of PyTorch to an ONNX graph with a dynamic batch."""

import logging
import warnings
from collections.abc import Callable

import onnx
import torch
from torch import Tensor, nn

from vrnn_engine.errors import ExportError
from vrnn_engine.exporters.graphs.simplify import simplify
from vrnn_engine.exporters.graphs.vector_width import repeat_for_vectors
from vrnn_engine.exporters.protocol import Named, Shape

OPSET = 20
"""Version of the ONNX operators."""


def trace(function: Callable[[Named], Named], inputs: dict[str, Shape]) -> tuple[onnx.ModelProto, dict[str, Shape]]:
    """Trace `generate` or `observe` of a step model.

    Parameters
    ----------
    function : callable
        Takes and returns tensors by name.
    inputs : dict of str to tuple of int
        Names and shapes, without the batch, of the inputs of the function.

    Returns
    -------
    onnx.ModelProto, dict of str to tuple of int
        The graph with its weights; and the names and shapes, without the batch, of its outputs.

    Raises
    ------
    ExportError
        torch's exporter returned no graph.
    """
    # Two rows: the tracer would take a batch of 0 or 1 for a constant.
    example = {name: torch.zeros(2, *shape) for name, shape in inputs.items()}
    outputs = {name: tuple(value.shape[1:]) for name, value in function(example).items()}
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            _PositionalArguments(function, list(inputs)),
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
        raise ExportError("torch.onnx.export returned no graph; check that this version of torch is supported")
    model = program.model_proto
    simplify(model)
    repeat_for_vectors(model)
    _remove_metadata(model)
    return model, outputs


def _remove_metadata(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes on the source of each node, which contain paths of this machine."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.doc_string = ""


class _PositionalArguments(nn.Module):
    """Wraps a function of named tensors in a module with positional arguments, as the tracer needs."""

    def __init__(self, function: Callable[[Named], Named], names: list[str]):
        super().__init__()
        self.function, self.names = function, names

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.function(dict(zip(self.names, tensors, strict=True))).values())
