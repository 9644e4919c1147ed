"""Computes from shapes how much memory and work a step of a graph takes, before the graph runs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vrnn_engine.runtime.voice.graph_file.literals import literal
from vrnn_engine.runtime.voice.graph_file.model import Axes, GraphFile, ModelFile
from vrnn_engine.runtime.voice.graph_file.rules.attributes import check_attributes
from vrnn_engine.runtime.voice.graph_file.rules.mixing import MixedRowsError, check_rows_apart, counts_rows
from vrnn_engine.runtime.voice.graph_file.rules.operators import LISTED
from vrnn_engine.runtime.voice.graph_file.tensors import MAX_AXES, MAX_SIZE
from vrnn_engine.runtime.voice.graph_file.values import (
    ROWS,
    Call,
    Known,
    Origin,
    Shape,
    UnknownShapeError,
    elements,
    size,
)


@dataclass
class Sizes:
    """Sizes and work of a step of a graph, added up over all nodes.

    Attributes
    ----------
    elements : int
        Elements of all inputs and results of a step, without the results that depend on constants alone.
    constants : int
        Elements of the results that depend on constants alone; onnxruntime computes them once.
    work : int
        Multiplications of all nodes.

    Notes
    -----
    The digits of `elements` and `work` in base `ROWS` are what does not depend on the rows, what each row takes, and
    what grows faster than the rows.
    """

    elements: int = 0
    constants: int = 0
    work: int = 0


class SizeError(Exception):
    """The sizes of a graph cannot be computed; the message says why."""


def measure(model: ModelFile) -> Sizes:
    """Return what a step of a graph takes.

    Results of operators that are not on the list have unknown shapes, and count nothing.

    Parameters
    ----------
    model : ModelFile
        The file.

    Raises
    ------
    SizeError
        An input has no shape, or a shape depends on values that only a step computes, does not fit its node, or is
        declared otherwise.
    """
    total = Sizes(elements=sum(size(shape) for shape in _inputs(model.graph).values()))
    for results, work in infer(model):
        made = sum(size(one.shape) for one in results if one.shape is not None)
        total.work += made + work
        if results and results[0].origin is Origin.CONSTANT:
            total.constants += made
        else:
            total.elements += made
    return total


def infer(model: ModelFile) -> Iterator[tuple[list[Known], int]]:
    """Yield what is known of the results of each node, and its multiplications besides one for each element.

    Parameters
    ----------
    model : ModelFile
        The file.

    Raises
    ------
    SizeError
        A shape depends on values that only a step computes, does not fit its node, or is declared otherwise; or a node
        mixes the rows of a batch, or computes with their number.
    """
    version = model.versions.get("", 0)
    known: dict[str, Known | None] = {"": None, **_given(model.graph)}
    for node in model.graph.nodes:
        try:
            results, work = _results(Call(node, tuple(known[name] for name in node.inputs), version))
        except UnknownShapeError:
            raise SizeError(
                f"the size of {node.label} depends on values that only a step computes, or on arithmetic with the "
                "number of rows; make it constant, or use -1 in a Reshape"
            ) from None
        except MixedRowsError as error:
            raise SizeError(f"{node.label} {error}") from None
        except KeyError as error:
            raise SizeError(f"{node.label} reads {str(error)[:80]}, which no node before it computes") from None
        except (ValueError, IndexError, TypeError, ZeroDivisionError, OverflowError, StopIteration) as error:
            reason = str(error).replace(str(ROWS), "B")
            raise SizeError(f"{node.label} does not fit its inputs: {reason[:120]}") from None
        known |= ((name, one) for name, one in zip(node.outputs, results, strict=False) if name)
        yield results, work
    for name in model.graph.outputs:
        if (value := known.get(name)) and value.counts_rows:
            raise SizeError(f"the output {name[:80]} is computed from the number of rows in a batch")
    for name, axes in model.graph.declared:
        if (value := known.get(name)) and value.shape is not None and not _fits(axes, value.shape):
            raise SizeError(
                f"{name[:80]} is declared with the shape {_readable(axes)}, and has {_readable(value.shape)}; "
                "onnxruntime would compute with the former"
            )


def _fits(axes: Axes, shape: Shape) -> bool:
    """Return whether each size that a file states of a value is the one that was computed."""
    return len(axes) == len(shape) and all(n is None or n == size for n, size in zip(axes, shape, strict=True))


def _given(graph: GraphFile) -> dict[str, Known]:
    """Return what is known of constants and inputs."""
    inputs = {name: Known(shape, Origin.INPUT) for name, shape in _inputs(graph).items()}
    return inputs | {one.name: Known(one.shape, Origin.CONSTANT, one.values) for one in graph.constants}


def _inputs(graph: GraphFile) -> dict[str, Shape]:
    """Return the shapes of the inputs that a step needs; raise `SizeError` if one has no shape."""
    constants = {one.name for one in graph.constants}
    needed = {name: axes for name, axes in graph.inputs.items() if name not in constants}
    found = {name: tuple(ROWS if n is None else n for n in axes) for name, axes in needed.items() if axes is not None}
    if missing := needed.keys() - found.keys():
        raise SizeError(f"the input {min(missing)[:80]} has no shape")
    for name, shape in found.items():
        try:
            _check_size(shape)
        except ValueError as error:
            raise SizeError(f"the input {name[:80]}: {error}") from None
    return found


def _results(call: Call) -> tuple[list[Known], int]:
    """Return what is known of the results of a node, and its work."""
    node = call.node
    given = [one for one in call.inputs if one is not None]
    origin = max((one.origin for one in given), default=Origin.CONSTANT)
    operator = LISTED.get(node.domain, {}).get(node.operator)
    if operator is None or any(one.shape is None for one in given):
        return [Known(None, Origin.INPUT)] * len(node.outputs), 0
    if operator.never_empty and any(0 in one.shape for one in given if one.shape is not None):
        raise ValueError("it reads an empty value")
    check_attributes(node)
    shapes, work = operator.rule(call)
    if (most := max(map(len, shapes))) > MAX_AXES:
        raise ValueError(f"a result has {most} axes, more than {MAX_AXES}")
    if any(n < 0 or (n >= ROWS and n % ROWS) for shape in shapes for n in shape):
        raise ValueError(f"shape {[_readable(shape) for shape in shapes]} is negative, or has parts of a batch")
    for shape in shapes:
        _check_size(shape)
    check_rows_apart(call, operator.rows, shapes)
    found = None
    if node.operator in ("Shape", "Size"):
        origin = min(origin, Origin.ROWS)
    if node.operator == "Shape":
        part = call.part_of_shape()
        known = max(part, default=0) < 2**63  # an axis of several rows has no number here
        found = np.array(part, np.int64) if known else None
    elif node.operator == "Constant":
        found = literal(node).elements
    elif len(shapes) == 1:
        found = elements(call, origin, shapes[0])
    if origin is Origin.ROWS and found is not None and (found < ROWS).all():
        origin = Origin.CONSTANT  # sizes of other axes
    counted = counts_rows(call, operator.sizes, origin, found)
    return [Known(shape, origin, found, counted) for shape in shapes], work


def _check_size(shape: Shape) -> None:
    """Raise `ValueError` if a value has more than `MAX_SIZE` elements, or more for each row; a size 0 counts as 1."""
    if math.prod(max(1, n // ROWS if n >= ROWS else n) for n in shape) > MAX_SIZE:
        raise ValueError(f"a value of the shape {_readable(shape)} has more than {MAX_SIZE:,} elements")


def _readable(shape: Axes) -> str:
    return "[" + ", ".join("B" if n in (ROWS, None) else str(n) for n in shape) + "]"
