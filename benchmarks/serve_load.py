"""Measure how many listeners `vrnn-engine serve` serves in real time, beside a server with one thread for each.

    python benchmarks/serve_load.py [--voice blizzard] [--listeners 100] [--seconds 300] [--ramp 10] [--rows 128]
                                    [--threads 1] [--precision fp32] [--share 0.6] [--other-seconds 60]
                                    [--no-threads] [--json FILE]

The server runs in one process and all listeners in another (`serve_listeners.py`), on the same machine: both need
processor time.  Then the same listeners play from `serve_threads.py`, which reads each stream in a thread of its own.
For each server, a line says: listeners that were admitted, refused and failed; how many of them had more than 100 ms of
underrun, and the largest one; the time to the first audio; the processor time of the server and of the listeners, as a
share of one core; and for `vrnn-engine serve`, the 99th percentile of a tick, from the histogram of
/metrics, beside the time that its frames last.
"""

import argparse
import collections
import contextlib
import json
import math
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil
from serve_listeners import add_options

from vrnn_engine import Voice
from vrnn_engine.diagnostics.machine import measure_machine
from vrnn_engine.serve.sessions.pacing import Pace

HERE = Path(__file__).parent
LARGEST_UNDERRUN = 100.0
"""Milliseconds of underrun that a listener may have."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--voice", default="blizzard", help="name, folder or .zip of a voice")
    parser.add_argument("--rows", type=int, default=128, help="largest batch of the server")
    parser.add_argument("--threads", type=int, default=1, help="threads that compute a step of the server")
    parser.add_argument("--precision", default=None, help="precision of the weights of the server")
    parser.add_argument("--share", type=float, default=None, help="as --share of the server")
    parser.add_argument(
        "--other-seconds", type=float, metavar="S", help="time that each plays from the other server; as --seconds"
    )
    parser.add_argument("--no-threads", action="store_true", help="leave out the server with one thread a listener")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything that was measured")
    args = parser.parse_args()
    found: dict[str, Any] = {"machine": msgspec.to_builtins(measure_machine({})), "arguments": _plain(args)}
    found["serve"] = measure_server(args)
    if not args.no_threads:
        found["threads"] = measure_threads(args)
    for name in ("serve", "threads"):
        if name in found:
            print(f"{name:8} {describe(found[name])}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


def measure_server(args: argparse.Namespace) -> dict[str, Any]:
    """Play from `vrnn-engine serve`."""
    command = [sys.executable, "-m", "vrnn_engine", "serve", args.voice, "--port", "0", "--rows", str(args.rows)]
    command += ["--threads", str(args.threads), "--device", "cpu", "--open-rate", "1000"]
    command += ["--sessions-per-address", "100000"]
    command += ["--precision", args.precision] if args.precision else []
    command += ["--share", str(args.share)] if args.share is not None else []
    with running(command) as (address, process):
        heard = play(args, address, args.seconds, process)
        with urllib.request.urlopen(f"{address}metrics") as answer:
            metrics = answer.read().decode()
    manifest = Voice.open(args.voice).manifest
    pace = Pace.of(manifest.frames_per_second, manifest.modality == "pen")
    return heard | {"tick_p99_ms": tick_quantile(metrics, 0.99), "tick_budget_ms": 1e3 * pace.period}


def measure_threads(args: argparse.Namespace) -> dict[str, Any]:
    """Play from a server with one thread for each listener."""
    seconds = args.seconds if args.other_seconds is None else args.other_seconds
    with running([sys.executable, str(HERE / "serve_threads.py"), args.voice]) as (address, process):
        return play(args, address, seconds, process)


@contextlib.contextmanager
def running(command: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Start a server; yield its address, which it says on stderr, and the id of its process."""
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        said = ""
        for line in server.stderr or ():
            said += line
            if address := re.search(r"http://\S+/", line):
                # A server that logs would else wait once the pipe is full.
                threading.Thread(target=collections.deque, args=(server.stderr, 0), daemon=True).start()
                yield address[0], server.pid
                return
        raise SystemExit(f"this server did not start: {' '.join(command)}\n{said}")
    finally:
        server.terminate()
        server.wait()


def play(args: argparse.Namespace, address: str, seconds: float, server: int) -> dict[str, Any]:
    """Run the listeners in a process of their own; return what they got, and summaries."""
    url = address.replace("http:", "ws:") + Voice.open(args.voice).name
    command = [sys.executable, str(HERE / "serve_listeners.py"), url]
    command += ["--seconds", str(seconds)]
    for name in ("listeners", "ramp", "window", "prebuffer", "tokens", "text"):
        command += [f"--{name}", str(getattr(args, name))]
    before = processor_seconds(server)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    heard: dict[str, Any] = json.loads(done.stdout)
    heard["server_cpu_seconds"] = processor_seconds(server) - before
    first = sorted(heard["first_audio_ms"])
    return heard | {
        "played": len(heard["frames"]),
        "with_underrun": sum(one > LARGEST_UNDERRUN for one in heard["underrun_ms"]),
        "largest_underrun_ms": max(heard["underrun_ms"], default=math.nan),
        "first_audio_p50_ms": quantile(first, 0.5),
        "first_audio_p99_ms": quantile(first, 0.99),
        "server_cpu_share": heard["server_cpu_seconds"] / heard["seconds"],
        "listeners_cpu_share": heard["cpu_seconds"] / heard["seconds"],
    }


def processor_seconds(process: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    times = psutil.Process(process).cpu_times()
    return times.user + times.system


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values: the smallest one that as large a share of them does not exceed."""
    return values[max(0, math.ceil(share * len(values)) - 1)] if values else math.nan


def tick_quantile(metrics: str, share: float) -> float:
    """Return a quantile of the ticks in milliseconds, interpolated in the histogram of Prometheus."""
    buckets = [
        (float(bound), float(count))
        for bound, count in re.findall(r'vrnn_engine_tick_seconds_bucket\{le="([^"]+)"[^}]*\} (\S+)', metrics)
    ]
    total = buckets[-1][1] if buckets else 0.0
    lower, before = 0.0, 0.0
    for bound, count in buckets:
        if total and count >= share * total:
            width = 0.0 if math.isinf(bound) else (bound - lower) * (share * total - before) / max(count - before, 1)
            return 1e3 * (lower + width)
        lower, before = bound, count
    return math.nan


def describe(found: dict[str, Any]) -> str:
    """Return what was measured as a line."""
    line = (
        f"{found['played']} played, {found['refused']} refused, {len(found['failed'])} failed; "
        f"underrun over {LARGEST_UNDERRUN:g} ms: {found['with_underrun']}, "
        f"largest {found['largest_underrun_ms']:.0f} ms; "
        f"first audio p50 {found['first_audio_p50_ms']:.0f} ms, p99 {found['first_audio_p99_ms']:.0f} ms; "
        f"share of a core: server {found['server_cpu_share']:.2f}, listeners {found['listeners_cpu_share']:.2f}"
    )
    if "tick_p99_ms" in found:
        line += f"; tick p99 {found['tick_p99_ms']:.1f} ms of {found['tick_budget_ms']:.1f}"
    return line


def _plain(args: argparse.Namespace) -> dict[str, Any]:
    return {
        name: value if isinstance(value, int | float | str | None) else str(value) for name, value in vars(args).items()
    }


if __name__ == "__main__":
    main()
