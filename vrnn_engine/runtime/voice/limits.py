"""Checks the rules of a manifest that concern several of its fields, or that JSON Schema cannot express."""

import math
import re
from collections.abc import Iterable, Iterator

from vrnn_engine.base.folders import name_fault
from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.schema import MAX_CONTROL_VALUES, MAX_VALUES, Control, Manifest, Shape

_TENSOR = re.compile(r"[\w.-]+")
"""Names of inputs, outputs and controls, which are shown on terminals and are part of addresses."""


def check_limits(manifest: Manifest, where: str) -> None:
    """Check names, sizes, the ranges of the controls, and that nothing is described twice.

    Parameters
    ----------
    manifest : Manifest
        A manifest whose fields have the right types.
    where : str
        Its file, for the error message.

    Raises
    ------
    VoiceError
        A rule is broken; the message names the first one.
    """
    for fault in _faults(manifest):
        raise VoiceError(f"{where}: {fault}; export the voice again, or correct {where.rpartition('/')[2]}")


def _faults(manifest: Manifest) -> Iterator[str]:
    if (fault := name_fault(manifest.name, "voice")) is not None:
        yield fault
    graphs, controls = manifest.graphs, manifest.controls
    yield from _tensor_names(name for graph in graphs for name in (*graph.inputs, *graph.outputs))
    yield from _tensor_names(control.name for control in controls)
    yield from _twice("control {} is described twice", (control.name for control in controls))
    yield from _twice("graph {} is described twice", (f"{graph.role}/{graph.precision}" for graph in graphs))
    for control in controls:
        yield from _control(control)
    yield from _values("the controls together have", (control.shape for control in controls), MAX_CONTROL_VALUES)
    for graph in graphs:
        yield from _values(f"the inputs of {graph.file} together have", graph.inputs.values(), MAX_VALUES)
        yield from _values(f"the outputs of {graph.file} together have", graph.outputs.values(), MAX_VALUES)
    if manifest.modality == "pen" and manifest.frame_size != 3:
        yield f"frame_size is {manifest.frame_size}, but a frame of a pen has 3 values"
    if manifest.channels > 1 and (manifest.modality == "pen" or manifest.frame_size % manifest.channels):
        yield f"`channels` is {manifest.channels}, which fits only sound whose frame_size is a multiple of it"
    mean, std = manifest.normalisation.mean, manifest.normalisation.std
    if len(mean) != len(std) or min(std) <= 0:
        yield "`normalisation` needs as many values of `std` as of `mean`, all greater than 0"
    if manifest.text is not None:
        yield from _twice("`text.restart` has {} twice", manifest.text.restart)


def _control(control: Control) -> Iterator[str]:
    if not control.shape:
        yield f"control {control.name} has no axis; the shape of one number is [1]"
    if not control.minimum <= control.default <= control.maximum:
        yield (
            f"control {control.name} has the default {control.default:g}, "
            f"which is not between {control.minimum:g} and {control.maximum:g}"
        )


def _values(what: str, shapes: Iterable[Shape], most: int) -> Iterator[str]:
    """Yield a fault if shapes have too many values, because a runtime makes arrays of them before it runs a graph."""
    if sum(math.prod(shape) for shape in shapes) > most:
        yield f"{what} more than {most:,} values for each row"


def _tensor_names(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if not _TENSOR.fullmatch(name):
            yield f"the name {name!r} has characters other than letters, digits, dots, - and _"


def _twice(fault: str, names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield fault.format(name)
        seen.add(name)
