"""A stream and a text use no network: neither Python nor the libraries try to reach anything.

test_nothing_leaves.py asks this of each verb, and of onnxruntime's telemetry; it needs root.
"""

import json
import shutil
import subprocess
import sys

import pytest
from support.command import environment

WATCHED = """
import json, socket, sys
tried = []
CALLS = {"connect", "getaddrinfo", "gethostbyname", "gethostbyaddr", "sendto", "sendmsg"}

def watch(event, arguments):
    if event.removeprefix("socket.") in CALLS:
        tried.append(f"{event} {arguments[1:]}")

sys.addaudithook(watch)
"""
PLAYED = """
import vrnn_engine
sound = vrnn_engine.Engine.load("blizzard", device="cpu").stream(seed=7).read(80)
ink = vrnn_engine.Engine.load("handwriting", device="cpu").stream(seed=4, text="Dear Anna,").read_text()
assert len(sound) == 16000 and len(ink) > 100
"""
CALLED = """
try:
    socket.create_connection(("203.0.113.1", 80), timeout=1)
except OSError:
    pass
"""
COUNTED = """
with open("/proc/self/net/snmp") as file:
    names, values = (line.split()[1:] for line in file if line.startswith("Ip:"))
counts = dict(zip(names, map(int, values)))
print(json.dumps([tried, counts["OutNoRoutes"] + counts["OutRequests"]]))
"""


def without_network(code: str) -> tuple[list[str], int]:
    """Run Python in a network namespace of its own; return what Python tried to reach, and what the kernel counted."""
    unshare = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("no network namespace of its own is permitted here")
    command = [*unshare, sys.executable, "-c", WATCHED + code + COUNTED]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    tried, counted = json.loads(done.stdout)
    return tried, counted


def test_a_stream_and_a_text_call_nobody() -> None:
    assert without_network(PLAYED) == ([], 0)


def test_a_call_is_seen_by_python_and_by_the_kernel() -> None:
    """Otherwise the test above could not fail."""
    tried, counted = without_network(CALLED)
    assert any("203.0.113.1" in call for call in tried)
    assert counted > 0
