"""A Ray cluster of two nodes on this machine that serves a voice, in a process of its own.

    cd tests; python -m support.ray_cluster FOLDER NAME=VALUE...

Each node has one core and so one replica. The process writes `{"url": ...}` when both serve. On stdin it reads `kill`,
which ends all processes of the last node at once, as if its machine failed, and `pin CORE...`, which lets the replica
of each node run on one core only. It answers with the process IDs of these replicas. At the end of stdin it stops the
cluster. All files of Ray are in FOLDER, whose path must be short.
"""

import contextlib
import csv
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from support.command import ROOT

MARK = "VRNN_ENGINE_TEST_CLUSTER"
"""Environment variable that all processes of a cluster inherit."""
MEMORY = 80 * 2**20
"""Bytes of the object store of a node; nothing large is put there."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def environment(folder: Path, haproxy: bool = True) -> dict[str, str]:
    """Return the environment of the process: Ray uses HAProxy, sends no statistics, and shares no file or port."""
    return os.environ | {
        MARK: str(folder),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": str(folder),  # Ray writes the address of the newest cluster into its sub-folder `ray`
        "RAY_SERVE_ENABLE_HA_PROXY": str(int(haproxy)),
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0.1",  # nothing is left to serve when a test ends
        # Ray ends a proxy that is not ready in time, which a busy machine may not be.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "60",
        "RAY_SERVE_HAPROXY_STARTUP_TIMEOUT_S": "60",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
    }


class RayCluster:
    """A running cluster.

    Parameters
    ----------
    process : subprocess.Popen
        It has said that it serves.
    url : str
        `http://127.0.0.1:PORT`
    mark : str
        Value of MARK in its processes.
    """

    def __init__(self, process: "subprocess.Popen[str]", url: str, mark: str) -> None:
        self._process, self._mark = process, mark
        self.url = url

    def kill_a_node(self) -> list[int]:
        """Kill the last node; return the process IDs of its replicas."""
        return self._ask("kill")

    def pin(self, cores: Sequence[int]) -> list[int]:
        """Let the replica of each node run on one core; return their process IDs."""
        return self._ask(" ".join(["pin", *map(str, cores)]))

    def replicas(self) -> int:
        """Return the number of processes that are replicas."""
        return sum("ServeReplica" in " ".join(one.cmdline()) for one in _processes(self._mark))

    def processor_seconds(self) -> dict[str, float]:
        """Return the processor time that replicas and proxies have used."""
        used = {"replicas": 0.0, "proxies": 0.0}
        for process in _processes(self._mark):
            with contextlib.suppress(psutil.Error):
                words, times = " ".join(process.cmdline()), process.cpu_times()
                if "ServeReplica" in words:
                    used["replicas"] += times.user + times.system
                elif "ProxyActor" in words or "haproxy" in words:
                    used["proxies"] += times.user + times.system
        return used

    def _ask(self, line: str) -> list[int]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        replicas: list[int] = _answer(self._process)["replicas"]
        return replicas


@contextlib.contextmanager
def start(folder: Path, *settings: str, nodes: int = 2, haproxy: bool = True) -> Iterator[RayCluster]:
    """Yield a cluster that serves, and end all its processes afterwards.

    Parameters
    ----------
    folder : Path
        For Ray's files; its path must be short.
    settings : str
        Arguments of `vrnn_engine.serve.cluster.build`, as `NAME=VALUE`.
    nodes : int
        Number of nodes, with a replica on each.
    haproxy : bool
        Whether sessions go through HAProxy instead of Ray's own proxy.
    """
    (folder / "ray").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "support.ray_cluster", str(folder), str(nodes), *settings],
        cwd=ROOT / "tests",
        env=environment(folder, haproxy),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(folder / "stderr").open("w"),
        text=True,
    )
    try:
        yield RayCluster(process, _answer(process)["url"], str(folder))
    finally:
        process.stdin.close()  # type: ignore[union-attr]
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        for left in _processes(str(folder)):
            with contextlib.suppress(psutil.Error):
                left.kill()


def _answer(process: "subprocess.Popen[str]") -> Any:
    """Return what the cluster writes next; libraries write other lines."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise AssertionError(f"the cluster has ended with {process.wait()}; its log is beside its files")


def _processes(mark: str) -> Iterator[psutil.Process]:
    """Yield the processes of a cluster, also those that no longer have a parent."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.pid != os.getpid():
                yield process


def _replicas_of(node: Any) -> list[psutil.Process]:
    (raylet,) = node.all_processes["raylet"]
    children = psutil.Process(raylet.process.pid).children(recursive=True)
    return [child for child in children if "ServeReplica" in " ".join(child.cmdline())]


def _wait_until_haproxy_uses(replicas: int) -> None:
    """Wait until HAProxy hands sessions to all replicas, which it learns some time after they are ready."""
    address = f"http://127.0.0.1:{os.environ['RAY_SERVE_HAPROXY_STATS_PORT']}/stats;csv"
    for _ in range(600):
        time.sleep(0.2)
        with contextlib.suppress(OSError), urllib.request.urlopen(address) as answer:
            servers = csv.DictReader(answer.read().decode().removeprefix("# ").splitlines())
            if sum("vrnn-engine" in one["svname"] and one["status"].startswith("UP") for one in servers) == replicas:
                return
    raise AssertionError(f"HAProxy does not use {replicas} replicas")


def _kill(cluster: Any, node: Any) -> list[int]:
    replicas = _replicas_of(node)
    for replica in replicas:
        replica.kill()
    cluster.remove_node(node, allow_graceful=False)
    return [replica.pid for replica in replicas]


def _pin(nodes: Sequence[Any], cores: Sequence[str]) -> list[int]:
    pinned = []
    for node, core in zip(nodes, cores, strict=True):
        (replica,) = _replicas_of(node)
        for thread in replica.threads():
            os.sched_setaffinity(thread.id, {int(core)})
        pinned.append(replica.pid)
    return pinned


def main(folder: str, nodes: str, *settings: str) -> None:
    """Start the cluster, obey stdin, and stop it."""
    import ray
    from ray import serve
    from ray.cluster_utils import Cluster

    from vrnn_engine.serve.cluster import build

    each = {"num_cpus": 1, "object_store_memory": MEMORY}
    cluster = Cluster(initialize_head=True, head_node_args={**each, "include_dashboard": False, "temp_dir": folder})
    try:
        others = [cluster.add_node(**each) for _ in range(int(nodes) - 1)]
        ray.init(address=cluster.address, log_to_driver=False)
        port = free_port()
        serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
        args = {"min_replicas": nodes, "max_replicas": nodes} | dict(one.split("=", 1) for one in settings)
        serve.run(build(args))
        if os.environ["RAY_SERVE_ENABLE_HA_PROXY"] == "1":
            _wait_until_haproxy_uses(int(args["min_replicas"]))
        print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)
        for line in sys.stdin:
            word, *cores = line.split()
            touched = _kill(cluster, others.pop()) if word == "kill" else _pin([cluster.head_node, *others], cores)
            print(json.dumps({"replicas": touched}), flush=True)
    finally:
        ray.shutdown()
        cluster.shutdown()  # without `serve.shutdown`, which waits for the replicas; `start` kills what is left


if __name__ == "__main__":
    main(*sys.argv[1:])
