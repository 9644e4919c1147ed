"""Measures the memory of streaming processes."""

from typing import NamedTuple

from vrnn_engine.diagnostics.processes import run_python

IMPORTS = "import numpy, onnxruntime\n"
"""Code of the reference process: it imports the libraries that every stream needs."""
FEW, MANY = 16, 64
"""Numbers of streams in two processes.  Their difference in memory is the memory of `MANY - FEW` streams."""

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
    """Parameters with which a process loads the measured voice.

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
        """Return the setup as command-line arguments."""
        return self.voice, self.device, self.precision, str(self.threads)


def memory_of_streaming(setup: Setup) -> int | None:
    """Return the peak memory of a process that streams minus that of a process that only imports, in bytes.

    Parameters
    ----------
    setup : Setup
        How the process loads the voice.

    Returns
    -------
    int or None
        None if the system does not report the peak memory of a process.

    Raises
    ------
    VRNNEngineError
        A process failed.
    """
    streaming = run_python(_ONE_STREAM + _PRINT_PEAK, *setup.arguments()).strip()
    importing = run_python(IMPORTS + _PRINT_PEAK).strip()
    return int(streaming) - int(importing) if streaming and importing else None


def memory_per_stream(setup: Setup) -> int:
    """Return the memory of each additional stream of a batch, in bytes.

    The function compares two processes, one with `FEW` streams and one with `MANY`.  A single process would not do,
    because its allocator may or may not reuse the memory that the smaller batch has freed.

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
