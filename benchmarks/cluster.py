"""Counts the sessions that one node and two nodes of a Ray cluster serve in real time.

    python benchmarks/cluster.py [--voice blizzard] [--cores 0 1] [--share 1] [--rate 5] [--refusals 20] [--most 400]
                                 [--hold 60] [--json FILE]

Each node has one replica, which is pinned to a core of its own: the first of `--cores` for one node, both for two.  All
else runs on the remaining cores: Ray's processes, HAProxy, and the clients in one process.  If there are no remaining
cores, all else shares those of the replicas, and the script says so.  Smaller nodes leave time for it: with `--share
0.3`, Linux (a cgroup, as root) lets a replica run for 1.5 ms of each 5 ms.

Clients come at `--rate` a second until the server has refused `--refusals` of them, because its measured steps leave no
room, or `--most` are open.  Then all sessions play for `--hold` seconds.  A client begins to play with its first
message; its underrun is the time for which it then had to wait in all.  The last columns are processor time for each
message with sound or ink; that of the replica includes its steps.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support import ray_cluster

from vrnn_engine.diagnostics.machine import measure_machine
from vrnn_engine.runtime.voice.manifest import Manifest
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.serve.codec import encode, unpack_frames
from vrnn_engine.serve.protocol import MAX_CREDIT, Open

WORST = 0.1
"""Longest underrun of a session that is served in real time, in seconds."""
PERIOD = 5_000
"""Microseconds in which a replica may use its share of a core."""


@dataclass
class Found:
    """Counts of the clients' frames and reconnects."""

    refused: int = 0
    failed: int = 0
    underruns: list[float] = field(default_factory=list)
    """Of each session that played to the end, in seconds."""
    frames: int = 0
    """Frames that arrived while all sessions played."""
    seconds: float = 0.0
    """Time for which all sessions played."""
    messages: int = 0
    """Messages with sound or ink, of the whole run."""


class Clients:
    """Opens sessions until no more are admitted, and plays them.

    Parameters
    ----------
    url : str
        WebSocket address of the voice.
    manifest : Manifest
    """

    def __init__(self, url: str, manifest: Manifest) -> None:
        self.found = Found()
        self._url, self._per_second = url, manifest.frames_per_second
        self._frame_bytes = manifest.frame_size * (4 if manifest.modality == "pen" else 2)
        self._holding = self._ending = False

    async def run(self, rate: float, refusals: int, most: int, hold: float) -> Found:
        """Open sessions at a rate, play all of them for `hold` seconds, and return what was seen."""
        sessions = []
        while len(sessions) < most and self.found.refused < refusals and not self.found.failed:
            sessions.append(asyncio.create_task(self._play(len(sessions))))
            await asyncio.sleep(1 / rate)
        await asyncio.sleep(2)  # the last sessions begin
        began, self._holding = time.monotonic(), True
        await asyncio.sleep(hold)
        self.found.seconds = time.monotonic() - began
        self._ending = True
        await asyncio.gather(*sessions)
        return self.found

    async def _play(self, seed: int) -> None:
        try:
            async with connect(self._url, compression=None, open_timeout=30) as socket:
                await socket.send(encode(Open(seed=seed, credit=MAX_CREDIT)))
                begun = waited = 0.0
                frames = 0
                while not self._ending:
                    message = await socket.recv()
                    if isinstance(message, str):
                        continue
                    now = time.monotonic()
                    begun = begun or now
                    waited = max(waited, now - begun - frames / self._per_second)
                    count = len(unpack_frames(message).samples) // self._frame_bytes
                    frames += count
                    self.found.frames += count * self._holding
                    self.found.messages += 1
                self.found.underruns.append(waited)
        except InvalidStatus as error:
            self.found.refused += error.response.status_code == 503
            self.found.failed += error.response.status_code != 503
        except (ConnectionClosed, OSError, TimeoutError):
            self.found.failed += 1


def measure(nodes: int, options: argparse.Namespace) -> dict[str, Any]:
    """Start a cluster, let a process of clients use it, and return what they have seen."""
    voice, folder = Voice.open(options.voice), Path(tempfile.mkdtemp(prefix="ray"))
    cores = options.cores[:nodes]
    settings = [f"voices={options.voice}", f"rows={options.rows}"]
    with contextlib.ExitStack() as after_the_cluster:
        after_the_cluster.callback(shutil.rmtree, folder, ignore_errors=True)
        with ray_cluster.start(folder, *settings, nodes=nodes, haproxy=not options.python_proxy) as cluster:
            for replica in cluster.pin(cores):
                if options.share < 1:
                    after_the_cluster.callback(slow_down(replica, options.share).rmdir)
            url = f"ws{cluster.url.removeprefix('http')}/{voice.name}"
            words = ["--clients", url, "--voice", options.voice, "--rate", options.rate, "--hold", options.hold]
            words += ["--refusals", options.refusals, "--most", options.most]
            command = [sys.executable, __file__, *map(str, words)]
            before = cluster.processor_seconds()
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            after = cluster.processor_seconds()
    found = Found(**json.loads(done.stdout))
    return {
        "nodes": nodes,
        "cores": cores,
        "sessions": len(found.underruns),
        "refused": found.refused,
        "failed": found.failed,
        "late": sum(underrun > WORST for underrun in found.underruns),
        "worst_underrun": max(found.underruns, default=0.0),
        "microseconds": {kind: 1e6 * (after[kind] - before[kind]) / max(1, found.messages) for kind in after},
        "in_real_time": found.frames / found.seconds / voice.manifest.frames_per_second,
    }


def slow_down(process: int, share: float) -> Path:
    """Let a process run for at most a share of the time of one core; return the folder of this limit (a cgroup)."""
    quota = round(PERIOD * share)
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():  # version 2 of cgroups
        root, limits = Path("/sys/fs/cgroup"), {"cpu.max": f"{quota} {PERIOD}"}
    else:
        root, limits = Path("/sys/fs/cgroup/cpu"), {"cpu.cfs_period_us": f"{PERIOD}", "cpu.cfs_quota_us": f"{quota}"}
    group = root / f"vrnn-engine-{process}"
    group.mkdir()
    for name, value in (limits | {"cgroup.procs": f"{process}"}).items():
        (group / name).write_text(value)
    return group


def main() -> None:
    """Measure one node and two nodes, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voice", default="blizzard")
    parser.add_argument("--cores", type=int, nargs=2, default=[0, 1])
    parser.add_argument("--share", type=float, default=1.0, help="share of its core that a replica may use")
    parser.add_argument("--rows", type=int, default=256, help="largest batch of a replica")
    parser.add_argument("--rate", type=float, default=5.0)
    parser.add_argument("--refusals", type=int, default=20)
    parser.add_argument("--most", type=int, default=400)
    parser.add_argument("--hold", type=float, default=60.0)
    parser.add_argument("--python-proxy", action="store_true", help="use Ray's own proxy instead of HAProxy")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--clients", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.clients:
        clients = Clients(options.clients, Voice.open(options.voice).manifest)
        print(json.dumps(asdict(asyncio.run(clients.run(options.rate, options.refusals, options.most, options.hold)))))
        return
    machine = measure_machine({})
    others = sorted(os.sched_getaffinity(0) - set(options.cores))
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}; onnxruntime {machine.onnxruntime}")
    part = "" if options.share == 1 else f" for {options.share:.0%} of the time"
    rest = others or "of the replicas: there are no others"
    print(f"replicas on cores {options.cores}{part}, all else on cores {rest}")
    if others:
        os.sched_setaffinity(0, others)  # Ray, HAProxy and the clients inherit it
    print("nodes  sessions  refused  failed  late  worst underrun  played in real time  proxy, replica per message")
    rows = []
    for nodes in (1, 2):
        rows.append(row := measure(nodes, options))
        print(
            f"{nodes:5}  {row['sessions']:8}  {row['refused']:7}  {row['failed']:6}  {row['late']:4}  "
            f"{1000 * row['worst_underrun']:11.0f} ms  {row['in_real_time']:19.1f}  "
            f"{row['microseconds']['proxies']:13.0f} us {row['microseconds']['replicas']:6.0f} us",
            flush=True,
        )
    print(f"two nodes play {rows[1]['in_real_time'] / rows[0]['in_real_time']:.2f} times as much as one")
    if options.json:
        options.json.write_text(
            json.dumps({"machine": msgspec.to_builtins(machine), "others": others, "rows": rows}, indent=2)
        )


if __name__ == "__main__":
    main()
