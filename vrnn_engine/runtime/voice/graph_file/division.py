"""Finds divisions of whole numbers that end the process: the least number divided by -1 has no result (SIGFPE)."""

from vrnn_engine.runtime.voice.graph_file.literals import literal
from vrnn_engine.runtime.voice.graph_file.model import GraphFile, Node
from vrnn_engine.runtime.voice.graph_file.rules.operators import LISTED


def risky_division(graph: GraphFile) -> Node | None:
    """Return a node that divides whole numbers by -1, or by a number that is not a constant; None if there is none.

    The inputs of a graph are floating point: a session refuses others.

    Parameters
    ----------
    graph : GraphFile
        The graph; all its operators are on the list.

    Raises
    ------
    ValueError
        A node Constant has no number.
    """
    constants = {one.name: one.values for one in graph.constants}
    floating = graph.inputs.keys() - constants.keys()
    floating |= {one.name for one in graph.constants if one.floating}
    for node in graph.nodes:
        if node.operator in ("Div", "Mod") and node.inputs[:1] and node.inputs[0] not in floating:
            divisor = constants.get(node.inputs[-1])
            if divisor is None or (divisor == -1).any():
                return node
        if node.operator == "Constant":
            constants |= dict.fromkeys(node.outputs, literal(node).elements)
        floating |= set(LISTED[node.domain][node.operator].kind(node, floating))
    return None
