"""How fast a voice is on this machine, beside what the machine could do.

The floor of a step is the time to read its weights once, at the bandwidth with which numpy reads as many bytes, or the
time of its products, at the rate of numpy's own: whichever is longer.  Both are measured in the same run, on one core.
"""

import itertools
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from vrnn_engine.diagnostics.machine import ONE_THREAD, Machine, child, measure_machine
from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.runtime.graph.provider import CPU
from vrnn_engine.runtime.graph.session import load_graph, onnxruntime_options
from vrnn_engine.runtime.voice.manifest import Graph
from vrnn_engine.runtime.voice.voice import Voice

ROWS = (1, 4, 16, 64)
WARM_UP = 0.2
"""Seconds of steps that do not count."""
ROUNDS = 5
"""Starts of a process of which the median counts."""
FEW, MANY = 16, 64
"""Streams of two processes whose memory is compared."""

_IMPORTS = "import numpy, onnxruntime"
_STREAM = """
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
from vrnn_engine.runtime.engine import Engine
engine = Engine.load(sys.argv[1], sys.argv[2], int(sys.argv[5]), sys.argv[3], int(sys.argv[4]))
streams = [engine.stream() for _ in range(engine.rows)]
engine.read(8)
with open("/proc/self/status") as file:
    print(next(line.split()[1] for line in file if line.startswith("VmRSS")))
"""
# Not getrusage, whose maximum a process takes over from the one that started it.
_PEAK = """
with open("/proc/self/status") as file:
    print(next((line.split()[1] for line in file if line.startswith("VmHWM")), ""))
"""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Steps of one device and one number of streams, in milliseconds."""

    device: str
    provider: str
    precision: str
    rows: int
    frames: int
    """How many were timed, each in a read of its own."""
    deadline: float
    """Time that a frame lasts."""
    mean: float
    p50: float
    p95: float
    p99: float
    max: float
    misses: int
    """Frames that took longer than they last."""
    weights: int
    """Bytes of the step graph in memory, as the processor holds it."""
    floor: float | None
    """Milliseconds, of this machine's processor for these weights and rows; see the module.  None on a GPU."""
    gain: float | None = None
    """Frames a second of all streams together, over those of one alone; None where one alone was not measured."""

    @property
    def real_time(self) -> float:
        """How many times faster than real time each stream is."""
        return self.deadline / self.mean

    @property
    def keeps_up(self) -> bool:
        """Whether 99 of 100 frames are in time."""
        return self.p99 < self.deadline


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that `vrnn-engine bench` says."""

    voice: str
    threads: int
    """That share a step."""
    machine: Machine
    paces: tuple[Pace, ...]
    left_out: str
    """Why `auto` did not measure CUDA, or not all of it; empty if it did, or was not asked to."""
    first_sample: float
    """Seconds from the start of a process to the first byte it streams, median."""
    imports: float
    """The same for a process that imports numpy and onnxruntime, and ends."""
    memory: int | None
    """Bytes at most that a process that streams has more than one that only imports these; None where unknown."""
    memory_per_stream: int | None
    """Bytes that each stream of a batch takes, between FEW and MANY; None where unknown, or only one was asked for."""
    recommended: dict[str, str]


def bench(
    where: str | Path,
    device: str = "auto",
    rows: Sequence[int] = ROWS,
    seconds: float = 3.0,
    threads: int = 1,
    precisions: Sequence[str] | None = None,
) -> Report:
    """Measure a voice.

    Parameters
    ----------
    where : str or path
        Name of a voice, a folder, or a .zip.
    device : str
        `cpu`, `cuda` or `cuda:N`; `auto` measures every one that runs here.
    rows : sequence of int
        Numbers of streams to step as one batch; each is measured once.
    seconds : float
        How long to measure each; finite.
    threads : int
        As `Engine.load`.
    precisions : sequence of str, optional
        Which of the voice's; all if not given.  The first is that of which the start and the memory are measured.

    Raises
    ------
    VoiceError, ProviderError, StreamError
        As `Engine.load`.
    VRNNEngineError
        It cannot measure for so many seconds.
    """
    if not 0 <= seconds < math.inf:
        raise VRNNEngineError(f"seconds={seconds}: give the finite number of seconds to measure each")
    voice = Voice.open(where)
    # Each once; raises before minutes of work.
    measured = list(dict.fromkeys(voice.graph("step", one).precision for one in precisions or ()))
    weights: dict[str, int] = {
        graph.precision: weight_bytes(voice, graph) for graph in voice.manifest.graphs if graph.role == "step"
    }
    machine = measure_machine(weights)
    devices = ["cpu", "cuda"] if device == "auto" else [device]
    paces: list[Pace] = []
    left_out = ""
    for one in devices:
        try:
            for precision, count in itertools.product(measured or weights, dict.fromkeys(rows)):
                paces.append(_pace(voice, one, precision, count, seconds, weights, machine, threads))
        except VRNNEngineError as error:  # what was measured until then is worth showing
            if device != "auto" or one == "cpu":
                raise
            left_out = str(error)
    how = (str(voice.path), devices[0], next(iter(measured or weights)), str(threads))
    starts = [(_until_first_byte(*how), _until_end()) for _ in range(ROUNDS)]
    first, imports = (statistics.median(column) for column in zip(*starts, strict=True))
    return Report(
        voice=voice.name,
        threads=threads,
        machine=machine,
        paces=tuple(_with_gain(pace, paces) for pace in paces),
        left_out=left_out,
        first_sample=first,
        imports=imports,
        memory=_memory(*how),
        memory_per_stream=_memory_per_stream(*how) if max(rows) > 1 else None,
        recommended=_recommend(paces),
    )


def _pace(
    voice: Voice,
    device: str,
    precision: str,
    rows: int,
    seconds: float,
    weights: Mapping[str, int],
    machine: Machine,
    threads: int = 1,
) -> Pace:
    engine = Engine.load(voice, device, rows, precision, threads)
    streams = [engine.stream(seed) for seed in range(rows)]
    deadline = 1000 / voice.manifest.frames_per_second
    _time(engine, WARM_UP)
    taken = np.array(_time(engine, seconds)) * 1000
    floor = None
    if engine.provider == CPU:
        operations = 2 * rows * max(weights.values()) / 4  # as many in fewer bits
        floor = 1000 * max(weights[precision] / machine.bandwidth[precision], operations / machine.rate)
    p50, p95, p99 = np.percentile(taken, [50, 95, 99]).tolist()
    del streams
    return Pace(
        device=device,
        provider=engine.provider,
        precision=precision,
        rows=rows,
        frames=len(taken),
        deadline=deadline,
        mean=float(taken.mean()),
        p50=p50,
        p95=p95,
        p99=p99,
        max=float(taken.max()),
        misses=int((taken > deadline).sum()),
        weights=weights[precision],
        floor=floor,
    )


def _time(engine: Engine, seconds: float) -> list[float]:
    """Time single frames of all open streams."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end or not taken:
        engine.read(1)
        taken.append(time.perf_counter() - began)
    return taken


def weight_bytes(voice: Voice, graph: Graph) -> int:
    """Bytes of a graph as the processor holds it, constants folded: those of the files that onnxruntime writes of it.

    Raises
    ------
    VoiceError
        onnxruntime cannot load it.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime_options()
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights")
        options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
        load_graph(str(voice.path / graph.file), options, "cpu")
        return sum(path.stat().st_size for path in Path(folder).iterdir())


def _memory(*how: str) -> int | None:
    if sys.platform != "linux":
        return None
    stream = child(_STREAM + _PEAK, *how).strip()
    imports = child(_IMPORTS + _PEAK).strip()
    return 1024 * (int(stream) - int(imports)) if stream and imports else None


def _memory_per_stream(*how: str) -> int | None:
    # Of two processes: one that grows keeps, at random, what its first batch left behind.
    if sys.platform != "linux":
        return None
    few, many = (int(child(_STREAMS, *how, str(rows))) for rows in (FEW, MANY))
    return 1024 * (many - few) // (MANY - FEW)


def _with_gain(pace: Pace, paces: Sequence[Pace]) -> Pace:
    alone = [one for one in paces if (one.device, one.precision, one.rows) == (pace.device, pace.precision, 1)]
    return msgspec.structs.replace(pace, gain=pace.rows * alone[0].mean / pace.mean) if alone else pace


def _recommend(paces: Sequence[Pace]) -> dict[str, str]:
    """Device and precision of the most streams that keep up, and how many that are."""
    able = [pace for pace in paces if pace.keeps_up]
    if not able:
        return {}
    best = max(able, key=lambda pace: (pace.rows, pace.real_time))
    return {"device": best.device, "precision": best.precision, "rows": str(best.rows)}


def _until_first_byte(voice: str, device: str, precision: str, threads: str) -> float:
    words = ["stream", "--voice", voice, "--device", device, "--precision", precision, "--threads", threads]
    words += ["--to", "-", "--seconds", "1"]
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "vrnn_engine", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **ONE_THREAD},
    ) as process:
        byte = process.stdout.read(1) if process.stdout else b""
        seconds = time.perf_counter() - began
        said = process.communicate()[1]
    if not byte or process.returncode:
        raise VRNNEngineError(f"a process that was to be measured failed: {said.decode().strip()[-300:]}")
    return seconds


def _until_end() -> float:
    began = time.perf_counter()
    child(_IMPORTS)
    return time.perf_counter() - began
