"""Run the command line without a network and with an empty home; report what it writes anywhere, and whom it calls.

The process sees the file system through an overlay in which all that it writes is found afterwards, and nothing of it
stays. It has a network without routes, in which the kernel counts what finds no route.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from support.command import ROOT

_SCRIPT = """
set -e
layer=$1 out=$2 work=$3; shift 3
mount -t tmpfs tmpfs "$layer"
mkdir "$layer/written" "$layer/scratch" "$layer/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/written,workdir=$layer/scratch" "$layer/root"
for one in proc dev sys; do mount --rbind /$one "$layer/root/$one"; done
touch "$out/ready"
code=0
chroot "$layer/root" sh -c 'cd "$1"; shift; exec "$@"' sh "$work" "$@" || code=$?
find "$layer/written" -mindepth 1 -printf '%y /%P\\n' > "$out/written"
grep ^Ip: /proc/net/snmp > "$out/network"
exit $code
"""


@dataclass(frozen=True)
class Isolated:
    """Result of an isolated process.

    Attributes
    ----------
    done : CompletedProcess
        Its exit code and output.
    written : set of Path
        Files and folders that it created, changed or removed.
    calls : int
        Attempts to reach another machine.
    """

    done: subprocess.CompletedProcess[str]
    written: set[Path]
    calls: int

    def outside(self, allowed: Iterable[Path]) -> set[Path]:
        """Return what was written outside these files and folders."""
        folders = [path.resolve() for path in allowed]
        around = {parent for folder in folders for parent in folder.parents}
        return {path for path in self.written - around if not any(path.is_relative_to(one) for one in folders)}


def missing(tmp_path: Path) -> str:
    """Return why a process cannot be isolated here; empty if it can."""
    device = Path("/").stat().st_dev
    for path in (tmp_path, ROOT, Path(sys.prefix)):
        if path.stat().st_dev != device:
            return f"{path} is on another file system than /, which the overlay does not show"
    try:
        done = run_isolated(["-c", ""], tmp_path / "probe")
    except OSError as error:
        return f"cannot isolate a process here: {error}"
    return "" if done is not None else "cannot isolate a process here: it needs root, unshare and overlayfs"


def run_isolated(python: list[str], folder: Path, **env: str) -> Isolated | None:
    """Run Python in isolation; None if the system does not allow it.

    Parameters
    ----------
    python : list of str
        Arguments of the interpreter.
    folder : Path
        Its sub-folder `work`, which may exist and have files, is the current folder; `home` is the home.
    **env : str
        The only environment variables besides those that a login would set.
    """
    for name in ("layer", "out", "work", "home", "session"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "out" / "ready").unlink(missing_ok=True)
    given = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    given |= {"PYTHONDONTWRITEBYTECODE": "1", "XDG_RUNTIME_DIR": str(folder / "session"), **env}
    places = [str(folder / name) for name in ("layer", "out", "work")]
    command = ["unshare", "--net", "--mount", "sh", "-c", _SCRIPT, "sh", *places, sys.executable, *python]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=300)
    if not (folder / "out" / "ready").exists():
        return None
    entries = [line.split(" ", 1) for line in (folder / "out" / "written").read_text().splitlines()]
    # The overlay also has the folders above a file that was written, as copies of those that were there.
    written = {Path(name) for kind, name in entries if kind != "d" or not Path(name).is_dir()}
    names, values = ((folder / "out" / "network").read_text().splitlines())[:2]
    counts = dict(zip(names.split()[1:], map(int, values.split()[1:]), strict=True))
    return Isolated(done, written, counts["OutNoRoutes"] + counts["OutRequests"])


def own_folders(home: Path) -> list[Path]:
    """Return the folders of this program in a home."""
    return [home / part / "vrnn-engine" for part in (".cache", ".config", ".local/share")]


def session_of_sound(folder: Path) -> Path:
    """Return the folder in which PulseAudio's client looks for its server; it is in memory, and ends with the login."""
    return folder / "session" / "pulse"
