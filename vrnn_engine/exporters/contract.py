"""Checks the names and shapes of a step model against the graph contract (docs/voice-format.md) before it is traced."""

from collections.abc import Mapping

import torch
from torch import Tensor

from vrnn_engine.errors import ExportError
from vrnn_engine.exporters.protocol import Function, Shape, StepModel, functions_of, text_of
from vrnn_engine.runtime.voice.manifest import OWN_FRAME, REQUIRED, Role
from vrnn_engine.runtime.voice.text import ATTENTION, POSITION

EXAMPLE_ROWS = 2
NAMES: dict[Role, str] = {"step": "generate", "observe": "observe", "resynthesise": "resynthesise"}
"""Name of the function that becomes the graph of a role."""


def check_contract(model: StepModel) -> None:
    """Call each function of a model once, and check the names and shapes of its outputs.

    Parameters
    ----------
    model : StepModel
        The model to export.

    Raises
    ------
    ExportError
        A function reads an input that is not declared, or an output is missing or has the wrong shape; the message
        names the function and the output.
    """
    text = text_of(model)
    read: dict[str, Shape] = {POSITION: (), ATTENTION: (text.window,)} if text else {}
    frame = (model.frame_size,)
    shapes: dict[str, Shape] = {"frame": frame, OWN_FRAME: frame, "log_likelihood": (), "kl": ()}
    for role, (function, inputs) in functions_of(model).items():
        required = {name: shapes.get(name) for name in REQUIRED[role]}
        _check_function(NAMES[role], function, inputs, required | read)


def _check_function(
    name: str, function: Function, inputs: Mapping[str, Shape], required: Mapping[str, Shape | None]
) -> None:
    """Raise `ExportError` unless a function returns the next states and what is required; None stands for any shape."""
    example = {given: torch.zeros(EXAMPLE_ROWS, *shape) for given, shape in inputs.items()}
    try:
        outputs = function(example)
    except KeyError as error:
        raise ExportError(
            f"{name}: reads {error.args[0]}, which is not among its inputs ({', '.join(inputs)}); declare "
            "it, or do not read it"
        ) from None
    states = {
        given.replace("state.", "next.", 1): shape for given, shape in inputs.items() if given.startswith("state.")
    }
    for wanted, shape in (states | dict(required)).items():
        if wanted not in outputs:
            why = f"the next value of {wanted.replace('next.', 'state.', 1)}" if wanted in states else "which it must"
            raise ExportError(f"{name}: does not return {wanted}, {why}; it returns {', '.join(outputs)}")
        if shape is not None:
            _check_shape(name, wanted, outputs[wanted], shape)
    for found, value in outputs.items():
        if found.startswith("next.") and found not in states:
            raise ExportError(f"{name}: returns {found}, but has no input {found.replace('next.', 'state.', 1)}")
        if value.shape[:1] != (EXAMPLE_ROWS,):
            raise ExportError(
                f"{name}: {found} has shape {list(value.shape)} for {EXAMPLE_ROWS} rows; its first axis must be the "
                "batch"
            )


def _check_shape(name: str, output: str, value: Tensor, shape: Shape) -> None:
    if tuple(value.shape) != (EXAMPLE_ROWS, *shape):
        raise ExportError(
            f"{name}: {output} has shape {list(value.shape)} for {EXAMPLE_ROWS} rows, and must have "
            f"{[EXAMPLE_ROWS, *shape]}"
        )
