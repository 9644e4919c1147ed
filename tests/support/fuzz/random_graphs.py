"""Random graphs of ONNX's operators that a voice may use, with odd attributes and shapes, and rows at any axis."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, defs, helper, numpy_helper
from onnx.defs import OpSchema

from vrnn_engine.runtime.voice.graph_file.rules.operators import LISTED
from vrnn_engine.runtime.voice.graph_file.tensors import NUMPY

INPUTS: dict[str, tuple[int, ...]] = {"a": (), "b": (4,), "c": (3, 4), "d": (2, 3, 4), "e": (1, 1), "f": (0,)}
"""Name of an input of a graph -> the shape of a row."""
BATCH = 5
"""Rows of a batch.  Some constants have as many elements, so that they fit no other batch."""
VERSIONS = (13, 17, 18, 20, 22, 25)
"""Versions of the operators."""
TRIES = 100
"""How often a node is made anew until it is accepted."""

_TYPES = {f"tensor({TensorProto.DataType.Name(number).lower()})": number for number in NUMPY}
_SHAPES = [
    *((), (0,), (1,), (2,), (3,), (4,), (BATCH,), (BATCH, 4), (1, 4), (4, 1), (3, 4), (4, 4), (2, 3), (4, 0)),
    *((2, 3, 4), (3, 1, 4)),
]
_FITTING: dict[str, dict[str, list[tuple[int, ...]]]] = {
    "Conv": {"W": [(2, 4, 1), (2, 3, 1), (1, 3, 2), (3, 1, 1), (2, 3, 1, 1), (2, 2, 2, 3)]},
    "ConvTranspose": {"W": [(4, 2, 1), (3, 2, 1), (3, 1, 2), (3, 2, 1, 1), (2, 2, 2, 3)]},
    "RNN": {"W": [(1, 2, 4)], "R": [(1, 2, 2)], "B": [(1, 4)]},
    "GRU": {"W": [(1, 6, 4), (2, 6, 4)], "R": [(1, 6, 2), (2, 6, 2)], "B": [(1, 12)]},
    "LSTM": {"W": [(1, 8, 4)], "R": [(1, 8, 2)], "B": [(1, 16)], "P": [(1, 6)]},
}
"""Operator -> shapes of weights that fit one another; random ones seldom do."""
_WHOLE = {
    *("axes", "axis", "delta", "depth", "dft_length", "ends", "indices", "k", "K", "limit", "pads", "repeats"),
    *("sequence_lens", "shape", "split", "start", "starts", "steps"),
}
"""Names of inputs that are small whole numbers."""
_TEXTS = {
    "approximate": ["none", "tanh"],
    "auto_pad": ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"],
    "direction": ["forward", "reverse", "bidirectional", "LEFT", "RIGHT"],
    "mode": ["constant", "reflect", "edge", "wrap"],
    "reduction": ["none", "add", "mul", "max", "min"],
}
_ODD = [3, 4, -2, -3, 8, 16, 255, 257, 2**16 + 1, 2**31 - 1, -(2**31), 2**32 + 1]


class RandomGraph:
    """A graph to which random nodes are added.

    Parameters
    ----------
    rng : Random
        Generator of random numbers.
    version : int
        Version of the operators.
    """

    def __init__(self, rng: Random, version: int) -> None:
        self._rng, self._version = rng, version
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[np.ndarray] = []
        self._results: list[str] = []

    def model(self) -> onnx.ModelProto:
        """Return the graph as a file; its outputs are the results that no node reads."""
        read = {name for node in self._nodes for name in node.input}
        made = [name for node in self._nodes for name in node.output]
        tensors = [numpy_helper.from_array(value, f"k{at}") for at, value in enumerate(self._constants)]
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", *row])
            for name, row in INPUTS.items()
            if name in read
        ]
        outputs = [onnx.ValueInfoProto(name=name) for name in made if name not in read]
        graph = helper.make_graph(self._nodes, "g", inputs, outputs, tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self._version)], ir_version=10)

    def add(self, operator: str, accepted: Callable[[onnx.ModelProto], bool]) -> bool:
        """Add a node, and nodes that make its inputs; return False if none of `TRIES` ones is accepted."""
        schema = defs.get_schema(operator, self._version)
        for _ in range(TRIES):
            before = len(self._nodes), len(self._constants)
            results = self._node(operator, schema)
            if accepted(self.model()):
                self._results += results
                return True
            del self._nodes[before[0] :], self._constants[before[1] :]
        return False

    def _node(self, operator: str, schema: OpSchema) -> list[str]:
        """Add a node, and return the names of its results."""
        types: dict[str, int] = {}
        names: list[str] = []
        for formal in schema.inputs:
            kind = self._type(schema, formal.type_str, types)
            several = formal.option == OpSchema.FormalParameterOption.Variadic
            missing = formal.option == OpSchema.FormalParameterOption.Optional and self._chance(0.5)
            count = self._rng.choice([1, 2, 2, 3]) if several else 1
            names += [""] if missing else [self._operand(operator, formal.name, kind) for _ in range(count)]
        while names and not names[-1]:
            names.pop()
        drawn = {name: self._attribute(name, one) for name, one in schema.attributes.items()}
        given = {name: value for name, value in drawn.items() if value is not None}
        most = 3 if operator == "Split" else len(schema.outputs)
        return self._made(operator, names, self._rng.randint(1, most), **given)

    def _made(self, operator: str, names: list[str], count: int = 1, **attributes: Any) -> list[str]:
        results = [f"v{len(self._nodes)}_{at}" for at in range(count)]
        self._nodes.append(helper.make_node(operator, names, results, **attributes))
        return results

    def _chance(self, probability: float) -> bool:
        return self._rng.random() < probability

    def _type(self, schema: OpSchema, name: str, chosen: dict[str, int]) -> int:
        """Return the type of an input; all inputs whose types have the same name have the same one."""
        if name not in chosen:
            allowed = {one.type_param_str: one.allowed_type_strs for one in schema.type_constraints}.get(name, [name])
            known = [number for text, number in _TYPES.items() if text in allowed]
            floating = TensorProto.FLOAT in known and self._chance(0.6)
            chosen[name] = TensorProto.FLOAT if floating else self._rng.choice(known)
        return chosen[name]

    def _operand(self, operator: str, formal: str, kind: int) -> str:
        """Return the name of a constant, an input of the graph, a result of a node, or the number of rows."""
        fitting = _FITTING.get(operator, {}).get(formal)
        if fitting and self._chance(0.9):
            return self._constant([-1, 0, 0.5, 2], self._rng.choice(fitting), kind)
        if formal in _WHOLE and self._chance(0.8):
            shape = self._rng.choice([(), (1,), (1,), (2,), (3,), (4,), (BATCH,), (6,), (0,), (BATCH, 1)])
            return self._constant([0, 0, 1, 1, 2, 3, 4, 5, -1, -1, -2], shape, kind)
        if self._chance(0.3):
            return self._constant([-2, -1, -0.5, 0, 0.5, 1, 2, 3], self._rng.choice(_SHAPES), kind)
        name = self._number_of_rows() if self._chance(0.1) else self._value()
        return name if kind == TensorProto.FLOAT else self._cast(name, kind)

    def _cast(self, name: str, kind: int) -> str:
        """Return a value in another type; onnxruntime may cast what does not fit otherwise at each place of a row."""
        (missing,) = self._made("IsNaN", [name])
        (number,) = self._made("Where", [missing, self._kept(np.float32(0)), name])
        least = 0 if np.dtype(NUMPY[kind]).kind == "u" else -100
        (fitting,) = self._made("Clip", [number, self._kept(np.float32(least)), self._kept(np.float32(100))])
        return self._made("Cast", [fitting], to=kind)[0]

    def _constant(self, among: list[float], shape: tuple[int, ...], kind: int) -> str:
        values = np.array([self._rng.choice(among) for _ in range(int(np.prod(shape)))], np.float64).reshape(shape)
        whole = np.dtype(NUMPY[kind]).kind in "iu"
        return self._kept((values.astype(np.int64) if whole else values).astype(NUMPY[kind]))

    def _kept(self, value: np.ndarray | np.float32) -> str:
        self._constants.append(np.asarray(value))
        return f"k{len(self._constants) - 1}"

    def _number_of_rows(self) -> str:
        (shape,) = self._made("Shape", [self._rng.choice(list(INPUTS))])
        (count,) = self._made("Gather", [shape, self._constant([0], self._rng.choice([(), (1,)]), TensorProto.INT64)])
        return self._made("Cast", [count], to=TensorProto.FLOAT)[0]

    def _value(self) -> str:
        """Return the name of a result of a node, or of an input whose axes may be in another order."""
        if self._results and self._chance(0.7):
            return self._made("Cast", [self._rng.choice(self._results)], to=TensorProto.FLOAT)[0]
        name = self._rng.choice(list(INPUTS))
        axes = range(1 + len(INPUTS[name]))
        if len(axes) < 2 or self._chance(0.7):
            return name
        return self._made("Transpose", [name], perm=self._rng.sample(axes, len(axes)))[0]

    def _attribute(self, name: str, attribute: OpSchema.Attribute) -> Any:
        """Return a value of an attribute, or None for its default."""
        kinds, choice = OpSchema.AttrType, self._rng.choice
        if name == "hidden_size":
            return 2
        if name in ("to", "dtype"):
            return choice(list(NUMPY))
        if not attribute.required and self._chance(0.5):
            return None
        if name == "perm":
            return self._rng.sample(range(3), 3)
        if attribute.type == kinds.INT:
            return choice(_ODD) if self._chance(0.15) else choice([0, 1, 1, 2, -1])
        if attribute.type == kinds.INTS:
            return [choice([0, 1, 1, 1, 2, 3, -1]) for _ in range(choice([1, 1, 2, 2, 3, 4, 6]))]
        if attribute.type == kinds.FLOAT:
            return choice([0.0, 0.5, 1.0, -1.0, 1e30])
        if attribute.type == kinds.TENSOR:
            return numpy_helper.from_array(np.ones(1, choice([np.float32, np.int64])))
        return choice(_TEXTS[name]) if name in _TEXTS else None


def random_graph(rng: Random, length: int, accepted: Callable[[onnx.ModelProto], bool]) -> onnx.ModelProto | None:
    """Return a graph of some operators, and of nodes that make their inputs.

    Parameters
    ----------
    rng : Random
        Generator of random numbers.
    length : int
        Number of operators.
    accepted : callable
        Whether a graph passes the checks; a node with which it does not is made anew.

    Returns
    -------
    ModelProto or None
        The graph; None if an operator was not accepted in `TRIES` tries, or is not part of the version.
    """
    graph = RandomGraph(rng, rng.choice(VERSIONS))
    names = [name for name in LISTED[""] if name != "Constant"]
    for _ in range(length):
        try:
            if not graph.add(rng.choice(names), accepted):
                return None
        except defs.SchemaError:
            return None
    return graph.model()
