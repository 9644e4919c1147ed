"""The Dockerfile: what can be tried without Docker, which is all but the build of the image.

Its command runs here as in a container: with another root folder that cannot be written, an own network, and a user
that the system does not know.
"""

import json
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import ROOT, environment

SCRIPT = """
set -eu
mount --make-rprivate /
{places}
mount -o remount,bind,ro /
{python} -c '{loopback}'
as_stranger="setpriv --reuid 1234567 --regid 0 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs"
if touch {root}/written 2>/dev/null; then echo "the disk can be written"; exit 3; fi
$as_stranger env {variables} {command} &
server=$!
trap "kill $server 2>/dev/null || true" EXIT
until $as_stranger {health} 2>/dev/null; do
    kill -0 $server
    sleep 0.1
done
$as_stranger {python} -c '{render}'
kill -TERM $server
wait $server
"""
LOOPBACK = """
import fcntl, socket, struct
with socket.socket() as any:
    fcntl.ioctl(any, 0x8914, struct.pack("16sh", b"lo", 1 | 64))
"""
RENDER = """
import urllib.request
address = "http://127.0.0.1:8080/api/voices/handwriting/render?seconds=1"
print(urllib.request.urlopen(address).read()[:4].decode())
"""


def instructions() -> dict[str, str]:
    """Return the instructions of the last stage of the Dockerfile by their names."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    last = text[text.rindex("\nFROM ") :]
    return dict(re.findall(r"^([A-Z]+) +(.+)$", last, re.M))


def readable_places() -> str:
    """Return commands that empty /tmp and the folders that are closed to strangers, and keep Python and the package."""
    kept = sorted({Path(sys.base_prefix), Path(sys.prefix), ROOT})  # a folder comes before those in it
    closed = {place for path in kept for place in path.parents if not place.stat().st_mode & stat.S_IXOTH}
    topmost = [place for place in sorted(closed) if not closed & set(place.parents)]
    lines = ["mount -t tmpfs tmpfs /mnt"]
    for number, path in enumerate(kept):
        lines += [f"mkdir /mnt/{number}", f"mount --bind {shlex.quote(str(path))} /mnt/{number}"]
    lines += ["mount -t tmpfs -o mode=1777 tmpfs /tmp"]
    lines += [f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(place))}" for place in topmost]
    for number, path in enumerate(kept):
        name = shlex.quote(str(path))
        lines += [f"[ -e {name} ] || {{ mkdir -p {name} && mount --bind -o ro /mnt/{number} {name}; }}"]
    return "\n".join(lines)


def test_the_image_runs_as_a_user_that_is_not_root_in_the_group_0() -> None:
    assert re.fullmatch(r"[1-9]\d*:0", instructions()["USER"])


def test_the_files_that_the_build_copies_exist_and_are_not_ignored() -> None:
    text = (ROOT / "Dockerfile").read_text()
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", text, re.M) for name in line.split()}
    kept = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.M))
    assert (
        copied
        == kept
        == {"pyproject.toml", "README.md", "LICENSE", "vrnn_engine", "locks/build.txt", "locks/serve.txt"}
    )
    assert all((ROOT / name).exists() for name in copied)


def test_every_package_that_is_fetched_has_a_checksum() -> None:
    """Only the wheel that was built from this repository is installed without one."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = [line.split() for line in re.findall(r"pip install (.+?)(?: &&|$)", text, re.M)]
    checked = [words for words in installs if "--require-hashes" in words]
    assert [words[-1].removeprefix("/") for words in checked] == ["locks/build.txt", "locks/serve.txt"]
    assert [words[-1] for words in installs if words not in checked] == ["/wheels/*.whl"]
    assert all("--no-deps" in words for words in installs if words not in checked)
    assert "--no-build-isolation" in re.findall(r"pip wheel (.+)", text)[0]


def test_the_command_serves_without_a_disk_to_write_and_as_an_unknown_user() -> None:
    found = instructions()
    command = json.loads(found["ENTRYPOINT"])
    health = json.loads(found["HEALTHCHECK"].partition("CMD ")[2])
    assert command[0] == "vrnn-engine"
    assert health[0] == "python"
    python = shlex.quote(sys.executable)
    script = SCRIPT.format(
        python=python,
        places=readable_places(),
        loopback=LOOPBACK,
        render=RENDER,
        root=shlex.quote(str(ROOT)),
        variables=found["ENV"],
        command=shlex.join([sys.executable, "-m", "vrnn_engine", *command[1:]]),
        health=shlex.join([sys.executable, *health[1:]]),
    )
    tried = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True)
    if tried.returncode != 0:
        pytest.skip("this user may not make a namespace of its own")
    done = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", script],
        capture_output=True,
        text=True,
        env=environment(VRNN_ENGINE_VOICES="/nowhere"),
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "<svg"
    assert "serving blizzard, handwriting" in done.stderr
    assert "Traceback" not in done.stderr
