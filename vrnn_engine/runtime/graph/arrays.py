"""Types of what goes into a graph: arrays by name, and the memories in which onnxruntime keeps them."""

from collections.abc import Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]
"""float32 arrays by name."""
Location = tuple[str, int]
"""A memory as onnxruntime names it: the kind of device, and its index."""

HOST: Location = ("cpu", 0)
"""The memory that numpy can see."""
