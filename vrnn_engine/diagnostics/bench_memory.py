"""Measures the memory of streaming processes."""

from typing import NamedTuple

from vrnn_engine.diagnostics.processes import run_python

IMPORTS = "import numpy, onnxruntime\n"
"""Code of the process that others are compared with: it imports what every stream needs."""
FEW, MANY = 16, 64
"""Numbers of streams of two processes whose difference in memory is that of `MANY - FEW` streams."""

_ONE_STREAM = """
import sys
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.runtime.player import Player
engine = Engine.load(sys.argv[1], sys.argv[2], precision=sys.argv[3], threads=int(sys.argv[4]))
player = Player(engine.stream(0), to="null", seconds=2)
with player:
    player.wait()
"""
_STREAMS = """
import sys
from vrnn_engine.diagnostics.process_memory import resident_memory
from vrnn_engine.runtime.engine import Engine
engine = Engine.load(sys.argv[1], sys.argv[2], int(sys.argv[5]), sys.argv[3], int(sys.argv[4]))
streams = [engine.stream() for _ in range(engine.rows)]
engine.read(8)
print(resident_memory())
"""
_PRINT_PEAK = """
from vrnn_engine.diagnostics.process_memory import peak_memory
print(peak_memory() or "")
"""


class Setup(NamedTuple):
    """How a process loads the voice that is measured.

    Attributes
    ----------
    voice : str
        Folder of the voice.
    device : str
        `auto`, `cpu`, `cuda` or `cuda:N`.
    precision : str
        Precision of the step graph.
    threads : int
        Threads that compute one step.
    """

    voice: str
    device: str
    precision: str
    threads: int

    def arguments(self) -> tuple[str, str, str, str]:
        """Return the setup as arguments of a process."""
        return self.voice, self.device, self.precision, str(self.threads)


def memory_of_streaming(setup: Setup) -> int | None:
    """Return by how many bytes the peak memory of a process that streams exceeds that of one that only imports.

    Parameters
    ----------
    setup : Setup
        How the process loads the voice.

    Returns
    -------
    int or None
        None where the system does not tell the peak memory of a process.

    Raises
    ------
    VRNNEngineError
        A process failed.
    """
    streaming = run_python(_ONE_STREAM + _PRINT_PEAK, *setup.arguments()).strip()
    importing = run_python(IMPORTS + _PRINT_PEAK).strip()
    return int(streaming) - int(importing) if streaming and importing else None


def memory_per_stream(setup: Setup) -> int:
    """Return the bytes that each further stream of a batch takes.

    Two processes are compared, one with `FEW` streams and one with `MANY`.  In a single process that grows, the
    allocator may or may not reuse what the smaller batch has freed.

    Parameters
    ----------
    setup : Setup
        How the processes load the voice.

    Raises
    ------
    VRNNEngineError
        A process failed.
    """
    few, many = (int(run_python(_STREAMS, *setup.arguments(), str(rows))) for rows in (FEW, MANY))
    return (many - few) // (MANY - FEW)
