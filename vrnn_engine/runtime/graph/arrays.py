"""Types for the inputs of a graph: named arrays, and the memory (host or GPU) in which onnxruntime keeps them."""

from collections.abc import Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]
"""float32 arrays by name."""
Location = tuple[str, int]
"""The memory of a device, as onnxruntime names it: the kind of device, and its index."""

HOST: Location = ("cpu", 0)
"""Host memory, the only memory that numpy can access."""
