"""Measures the time of a step, and compares it with its deadline and with the lower limit that the machine sets.

The lower limit (`floor`) is the longer of two times, both computed from the speed of numpy on one core in the same run:
the time to read the weights once, and the time to compute the matrix products.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from vrnn_engine.base.atomic.scratch import ScratchFolder
from vrnn_engine.diagnostics.machine import Machine
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.runtime.graph.provider import CPU
from vrnn_engine.runtime.graph.session import load_graph, onnxruntime_options
from vrnn_engine.runtime.voice.manifest import Graph
from vrnn_engine.runtime.voice.voice import Voice

WARM_UP = 0.2
"""Duration, in seconds, of the unmeasured steps before the measurement."""


class StepTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Times of steps on one device, in one precision, with one number of streams.

    Attributes
    ----------
    device, provider, precision : str
        Requested device, provider that ran, and precision of the step graph.
    rows : int
        Number of streams in the batch.
    frames : int
        Number of measured steps; each was a call of `Engine.read` for one frame.
    deadline : float
        Duration of a frame in milliseconds.
    mean, p50, p95, p99, max : float
        Mean, percentiles and maximum of the step times in milliseconds.
    misses : int
        Number of steps that took longer than the deadline.
    weights : int
        Size of the weights in bytes, as the processor holds them.
    floor : float or None
        Lower limit of the step time in milliseconds, for this processor, these weights and this number of rows.  None
        on a GPU.
    gain : float or None
        Frames per second of all streams together, relative to the frames per second of a single stream.  None if a
        single stream was not measured.
    in_parts : bool
        Whether some reads compute many frames, and the others none, as of a voice that reads a text.  The percentiles
        are then no times of a step, but the mean is.
    """

    device: str
    provider: str
    precision: str
    rows: int
    frames: int
    deadline: float
    mean: float
    p50: float
    p95: float
    p99: float
    max: float
    misses: int
    weights: int
    floor: float | None
    gain: float | None = None
    in_parts: bool = False

    @property
    def over_floor(self) -> float | None:
        """Time of a step relative to its lower limit: of the median, or of the mean if frames are computed in parts."""
        return None if self.floor is None else (self.mean if self.in_parts else self.p50) / self.floor

    @property
    def real_time(self) -> float:
        """Speed of each stream relative to real time."""
        return self.deadline / self.mean

    @property
    def keeps_up(self) -> bool:
        """Whether 99 % of the steps meet the deadline; with `in_parts`, whether the mean does."""
        return (self.mean if self.in_parts else self.p99) < self.deadline


def measure_steps(
    voice: Voice,
    device: str,
    precision: str,
    rows: int,
    seconds: float,
    weights: Mapping[str, int],
    machine: Machine,
    threads: int = 1,
) -> StepTimes:
    """Measure the steps of one configuration.

    Parameters
    ----------
    voice : Voice
        The voice.
    device, precision : str
        Device and precision, as for `Engine.load`.
    rows : int
        Number of streams in the batch.
    seconds : float
        Duration of the measurement.
    weights : mapping of str to int
        Precision -> size of the weights in bytes (see `weight_bytes`).
    machine : Machine
        Speed of one core, from which the floor is computed.
    threads : int
        Threads that compute one step.

    Returns
    -------
    StepTimes
        The times, without `gain`.

    Raises
    ------
    VoiceError, ProviderError, StreamError
        In the same cases as for `Engine.load`.
    """
    engine = Engine.load(voice, device, rows, precision, threads)
    streams = [engine.stream(seed) for seed in range(rows)]
    deadline = 1000 / voice.manifest.frames_per_second
    _time_steps(engine, WARM_UP)
    times = np.array(_time_steps(engine, seconds)) * 1000
    floor = None
    if engine.provider == CPU:
        operations = 2 * rows * max(weights.values()) / 4  # one multiply-add per weight, in any precision
        floor = 1000 * max(weights[precision] / machine.bandwidth[precision], operations / machine.rate)
    p50, p95, p99 = np.percentile(times, [50, 95, 99]).tolist()
    del streams  # the engine steps only streams that still exist
    return StepTimes(
        device=device,
        provider=engine.provider,
        precision=precision,
        rows=rows,
        frames=len(times),
        deadline=deadline,
        mean=float(times.mean()),
        p50=p50,
        p95=p95,
        p99=p99,
        max=float(times.max()),
        misses=int((times > deadline).sum()),
        weights=weights[precision],
        floor=floor,
        in_parts=voice.manifest.text is not None,
    )


def weight_bytes(voice: Voice, graph: Graph) -> int:
    """Return the size in bytes of a graph's weights as the processor holds them, with constants folded.

    This is the size of the optimised graph, which onnxruntime writes to a temporary folder.

    Parameters
    ----------
    voice : Voice
        The voice.
    graph : Graph
        One of its graphs.

    Raises
    ------
    VoiceError
        onnxruntime cannot load the graph.
    """
    with ScratchFolder() as folder:
        options = onnxruntime_options()
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights")
        options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
        load_graph(str(voice.path / graph.file), options, "cpu")
        return sum(path.stat().st_size for path in Path(folder).iterdir())


def with_gain(times: StepTimes, all_times: Sequence[StepTimes]) -> StepTimes:
    """Return step times with their `gain`.

    Parameters
    ----------
    times : StepTimes
        Step times of any number of streams.
    all_times : sequence of StepTimes
        All step times.  If they do not include those of a single stream, `gain` stays None.
    """
    for alone in all_times:
        if (alone.device, alone.precision, alone.rows) == (times.device, times.precision, 1):
            return msgspec.structs.replace(times, gain=times.rows * alone.mean / times.mean)
    return times


def recommend(all_times: Sequence[StepTimes]) -> dict[str, str]:
    """Return `device`, `precision` and `rows` of the largest batch that keeps up; empty if none does.

    Parameters
    ----------
    all_times : sequence of StepTimes
        All step times.
    """
    able = [times for times in all_times if times.keeps_up]
    if not able:
        return {}
    best = max(able, key=lambda times: (times.rows, times.real_time))
    return {"device": best.device, "precision": best.precision, "rows": str(best.rows)}


def _time_steps(engine: Engine, seconds: float) -> list[float]:
    """Return the durations in seconds of single steps of all open streams; at least one."""
    durations: list[float] = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end or not durations:
        engine.read(1)
        durations.append(time.perf_counter() - began)
    return durations
