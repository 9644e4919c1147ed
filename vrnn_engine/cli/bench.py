"""`vrnn-engine bench`: prints how fast a voice runs on this machine, and the limits of the machine."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from vrnn_engine.cli import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from vrnn_engine.diagnostics.bench import Report
    from vrnn_engine.diagnostics.bench_memory import Setup
    from vrnn_engine.diagnostics.step_times import StepTimes

_COLUMNS: "dict[str, Callable[[StepTimes], str]]" = {
    "device": lambda times: times.device,
    "weights": lambda times: times.precision,
    "MiB": lambda times: f"{times.weights / 2**20:.1f}",
    "streams": lambda times: str(times.rows),
    "p50": lambda times: f"{times.p50:.3f}",
    "p95": lambda times: f"{times.p95:.3f}",
    "p99": lambda times: f"{times.p99:.3f}",
    "max ms": lambda times: f"{times.max:.3f}",
    "misses": lambda times: f"{times.misses} of {times.frames}",
    "x real time": lambda times: f"{times.real_time:.1f}",
    "in all": lambda times: f"{times.rows * times.real_time:.1f}",
    "over 1 stream": lambda times: "" if times.gain is None else f"{times.gain:.1f}",
    "floor ms": lambda times: "" if times.floor is None else f"{times.floor:.3f}",
    "over floor": lambda times: "" if times.over_floor is None else f"{times.over_floor:.2f}",
}
"""The columns of the table: head, and the cell for one device, precision and number of streams."""


def bench(
    voice: Annotated[
        str, typer.Option("--voice", "-v", metavar="VOICE", help="Name, folder or .zip of a voice.")
    ] = "blizzard",
    device: Annotated[
        str, typer.Option(metavar="NAME", help="auto (every processor that works here), cpu, cuda or cuda:N.")
    ] = "auto",
    rows: Annotated[
        list[int] | None,
        typer.Option(metavar="N", min=1, help="Streams per batch; repeatable.  Default: 1, 4, 16 and 64."),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", "-s", metavar="S", min=0.01, help="Length of each measurement.")
    ] = 3.0,
    precision: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Precision that the voice contains; repeatable.  Default: all."),
    ] = None,
    threads: Annotated[
        int, typer.Option(metavar="N", min=1, help="Threads that compute one step.  The floor is always for one core.")
    ] = 1,
    json: report.AsJson = False,
) -> None:
    """Measure how fast a voice runs on this machine.

    Prints the time per frame, its deadline and its lower limit (the floor), the start-up time and the memory.
    """
    import msgspec

    from vrnn_engine.diagnostics.bench import ROWS
    from vrnn_engine.diagnostics.bench import bench as measure

    report.show_log()
    found = measure(voice, device, tuple(rows or ROWS), seconds, threads, precision, stream_command)
    if json:
        report.print_json(msgspec.to_builtins(found))
    else:
        _print(found)


def stream_command(setup: "Setup") -> list[str]:
    """Return the command whose start-up time is measured: it streams one second to stdout."""
    command = [sys.executable, "-m", "vrnn_engine", "stream", "--to", "-", "--seconds", "1", "--voice", setup.voice]
    return [*command, "--device", setup.device, "--precision", setup.precision, "--threads", str(setup.threads)]


def _print(found: "Report") -> None:
    here = found.machine
    report.answer(
        f"{here.processor}, {here.cores} cores, {here.system}; "
        f"Python {here.python}, numpy {here.numpy}, onnxruntime {here.onnxruntime}"
    )
    reads = ", ".join(f"{speed / 1e9:.1f} GB/s ({precision})" for precision, speed in here.bandwidth.items())
    report.answer(
        f"one core reads an array of the size of the weights at {reads}, "
        f"and multiplies matrices at {here.rate / 1e9:.0f} Gflop/s"
    )
    report.answer(f"{found.voice}, threads {found.threads}\n")
    report.print_table(tuple(_COLUMNS), [tuple(cell(times) for cell in _COLUMNS.values()) for times in found.paces])
    for line in _explain(found.paces[0]):
        report.answer(line)
    if found.left_out:
        report.answer(f"left out: {found.left_out}")
    _print_late(found)
    if found.first_sample is not None:
        report.answer(
            f"\nfirst sample {found.first_sample:.2f} s after the start of the process, "
            f"{found.first_sample / found.imports:.2f} times the time of import numpy, onnxruntime"
        )
    if found.memory is not None:
        report.answer(f"memory in addition to these imports: {found.memory / 2**20:.0f} MiB, including the weights")
    if found.memory_per_stream is not None:
        report.answer(f"memory per additional stream of a batch: {found.memory_per_stream / 2**10:.0f} KiB")
    if found.recommended:
        report.answer("recommended: " + ", ".join(f"{name} {value}" for name, value in found.recommended.items()))
    else:
        report.answer("no number of streams keeps up in real time here")


def _explain(times: "StepTimes") -> list[str]:
    """Return what the columns of the table mean."""
    step = "the mean time" if times.in_parts else "p50"
    lines = [
        f"p50 to max: time of a frame; a frame that takes more than the {times.deadline:g} ms it lasts is a miss",
        "in all: seconds that all streams together compute in a second; over 1 stream: that, divided by one stream's",
        f"floor: lower limit, the time to read the weights and to multiply; over floor: {step} relative to it",
    ]
    if times.in_parts:
        lines.append("This voice computes a whole word or stroke with its first frame; the others then take no time.")
    return lines


def _print_late(found: "Report") -> None:
    """Print the numbers of streams that do not keep up, in one line per device and precision."""
    late: dict[str, list[str]] = {}
    for times in found.paces:
        if not times.keeps_up:
            late.setdefault(f"{times.device}, {times.precision}", []).append(str(times.rows))
    for configuration, rows in late.items():
        frames = "the mean frame" if found.paces[0].in_parts else "1 frame in 100 or more"
        report.answer(
            f"{configuration}: not in real time with {', '.join(rows)} in a batch; "
            f"{frames} takes longer than the {found.paces[0].deadline:g} ms it lasts"
        )
