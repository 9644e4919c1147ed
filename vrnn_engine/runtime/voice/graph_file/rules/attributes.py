"""Refuses attributes of nodes that onnxruntime may read otherwise than the checks do."""

from vrnn_engine.runtime.voice.graph_file.model import Node

_NAMES = """allowzero broadcast ceil_mode count_include_pad detect_negative detect_positive exclusive fmod
    input_forget inverse is_test keepdims largest layout linear_before_reset noop_with_empty_axes onesided
    output_sequence reverse saturate select_last_index sorted spatial storage_order training_mode transA transB upper"""
FLAGS = frozenset(_NAMES.split())
"""Attributes that are 0 or 1.  Parts of onnxruntime read them as `is not 0`, others as `is 1`."""


def check_attributes(node: Node) -> None:
    """Raise `ValueError` if a flag is not 0 or 1, or an integer longer than the 32 bits to which onnxruntime cuts it.

    Parameters
    ----------
    node : Node
        The node.  The value of a Constant is no such integer.
    """
    for name, given in node.attributes.items():
        if name in FLAGS and not set(given.numbers) <= {0, 1}:
            raise ValueError(f"its {name} is neither 0 nor 1")
        if node.operator != "Constant" and not all(-(2**31) <= one < 2**31 for one in given.numbers):
            raise ValueError(f"its {name[:80]} is more than 32 bits long")
