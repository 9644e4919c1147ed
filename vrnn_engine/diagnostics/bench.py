"""Measures how fast a voice runs on this machine: step times, start-up time and memory."""

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from vrnn_engine.diagnostics.bench_memory import IMPORTS, Setup, memory_of_streaming, memory_per_stream
from vrnn_engine.diagnostics.machine import Machine, measure_machine
from vrnn_engine.diagnostics.processes import seconds_to_first_byte, seconds_to_run
from vrnn_engine.diagnostics.step_times import StepTimes, measure_steps, recommend, weight_bytes, with_gain
from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.runtime.voice.voice import Voice

ROWS = (1, 4, 16, 64)
"""Numbers of streams that are measured by default."""
ROUNDS = 5
"""Number of times that a process is started to measure its start-up time; the median is reported."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `bench`; its JSON is what `vrnn-engine bench --json` prints.

    Attributes
    ----------
    voice : str
        Name of the voice.
    threads : int
        Threads that compute one step.
    machine : Machine
        The machine, and the speed of one of its cores.
    paces : tuple of StepTimes
        Step times for each device, precision and number of streams.
    left_out : str
        Reason why `auto` did not complete the measurements on CUDA; empty if it did, or for another device.
    first_sample : float or None
        Seconds from the start of a process to the first byte that it streams (median).  None if no command was given.
    imports : float
        Seconds that a process takes to import numpy and onnxruntime and to exit (median).
    memory : int or None
        Peak memory, in bytes, of a process that streams, minus that of a process that only imports these two.  None if
        the system does not report it.
    memory_per_stream : int or None
        Memory, in bytes, of each additional stream of a batch.  None if only single streams were measured.
    recommended : dict of str to str
        Device, precision and number of streams of the largest batch that keeps up; empty if none does.
    """

    voice: str
    threads: int
    machine: Machine
    paces: tuple[StepTimes, ...]
    left_out: str
    first_sample: float | None
    imports: float
    memory: int | None
    memory_per_stream: int | None
    recommended: dict[str, str]


def bench(
    where: str | Path,
    device: str = "auto",
    rows: Sequence[int] = ROWS,
    seconds: float = 3.0,
    threads: int = 1,
    precisions: Sequence[str] | None = None,
    stream_command: Callable[[Setup], Sequence[str]] | None = None,
) -> Report:
    """Measure a voice.

    Parameters
    ----------
    where : str or path
        Name of a voice, a folder, or a .zip.
    device : str
        `cpu`, `cuda` or `cuda:N`; `auto` measures every device that works here.
    rows : sequence of int
        Numbers of streams to step as one batch; each number is measured once.
    seconds : float
        Duration of each measurement.
    threads : int
        Threads that compute one step.
    precisions : sequence of str, optional
        Precisions to measure; by default all precisions of the voice.  Start-up time and memory are measured in the
        first one.
    stream_command : callable, optional
        Returns the program and arguments of a process that streams the voice of a `Setup` to its standard output.  The
        start-up time of this process is measured.

    Returns
    -------
    Report
        All results.

    Raises
    ------
    VoiceError, ProviderError, StreamError
        In the same cases as for `Engine.load`.
    VRNNEngineError
        `seconds` is negative or not finite, or a measured process failed.
    """
    if not 0 <= seconds < math.inf:
        raise VRNNEngineError(f"seconds={seconds}: give the finite number of seconds to measure each")
    voice = Voice.open(where)
    # Each precision once.  Looking up the graphs here raises an error before minutes of work.
    chosen = list(dict.fromkeys(voice.graph("step", one).precision for one in precisions or ()))
    weights: dict[str, int] = {
        graph.precision: weight_bytes(voice, graph) for graph in voice.manifest.graphs if graph.role == "step"
    }
    machine = measure_machine(weights)
    devices = ("cpu", "cuda") if device == "auto" else (device,)
    measured: list[str] = [*(chosen or weights)]
    times: list[StepTimes] = []
    left_out = ""
    for one in devices:
        try:
            for precision, count in itertools.product(measured, dict.fromkeys(rows)):
                times.append(measure_steps(voice, one, precision, count, seconds, weights, machine, threads))
        except VRNNEngineError as error:  # earlier measurements are still reported
            if device != "auto" or one == "cpu":
                raise
            left_out = str(error)
    setup = Setup(str(voice.path), devices[0], measured[0], threads)
    first_sample, imports = _start_up_times(setup, stream_command)
    return Report(
        voice=voice.name,
        threads=threads,
        machine=machine,
        paces=tuple(with_gain(one, times) for one in times),
        left_out=left_out,
        first_sample=first_sample,
        imports=imports,
        memory=memory_of_streaming(setup),
        memory_per_stream=memory_per_stream(setup) if max(rows) > 1 else None,
        recommended=recommend(times),
    )


def _start_up_times(
    setup: Setup, stream_command: Callable[[Setup], Sequence[str]] | None
) -> tuple[float | None, float]:
    """Return the median time to the first byte of a stream and that of the imports, in seconds, measured in turn."""
    first_samples, imports = [], []
    for _ in range(ROUNDS + 1):
        if stream_command is not None:
            first_samples.append(seconds_to_first_byte(stream_command(setup)))
        imports.append(seconds_to_run(IMPORTS))
    # The first process is not counted: it may compile modules, and it reads all files from the disk.
    return statistics.median(first_samples[1:]) if first_samples else None, statistics.median(imports[1:])
