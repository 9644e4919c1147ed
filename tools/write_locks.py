"""Writes the lists of versions in locks/ from pyproject.toml and constraints.txt, with uv (`make locks`)."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, BUILD = "pyproject.toml", "tools/build.in"
PINNED = ["--constraint", "constraints.txt"]
LISTS = {  # name -> what is in it
    "runtime": [PACKAGE, BUILD, *PINNED],
    "dev": [PACKAGE, BUILD, *PINNED, "--extra", "train", "--extra", "dev"],
    "docs": [PACKAGE, BUILD, *PINNED, "--extra", "docs"],
    "build": [BUILD, *PINNED],
    "atheris": ["tools/atheris.in", *PINNED],
    "serve": [PACKAGE, *PINNED, "--extra", "serve"],
    "oldest": [PACKAGE, "--extra", "train", "--extra", "dev", "--resolution", "lowest-direct"],
}
PYTHON = "3.11.5"
"""The oldest Python that each of these versions supports."""
PYTORCH = re.compile(r"torch|triton|(cuda|nvidia)-.*")
"""Left out: a registry may offer another build of PyTorch, for example one for CPUs, which needs other packages."""
USABLE = re.compile(r"-(any|.*manylinux.*_(x86_64|aarch64)|macosx.*|win_(amd64|arm64))\.whl")
"""Ends of the names of wheels for the systems on which onnxruntime runs.  Checksums of others are left out."""
NO_CHECKSUMS = "oldest"
HEADER = "# Written by `make locks`: do not edit.  tools/write_locks.py says what is in it.\n"


def entries(lock: dict[str, Any], checksums: bool) -> str:
    """Return the packages of a pylock.toml as pip's requirements, without PyTorch and what only its GPU builds need.

    Parameters
    ----------
    lock : dict
        The content of the file.
    checksums : bool
        Whether to give the SHA-256 of each file that can be used.
    """
    lines = []
    for package in lock["packages"]:
        if PYTORCH.fullmatch(package["name"]):
            continue
        files = [one for one in package.get("wheels", []) if USABLE.search(one["url"])]
        files += [package["sdist"]] if "sdist" in package else []
        marker = f" ; {package['marker']}" if "marker" in package else ""
        hashes = sorted(f" \\\n --hash=sha256:{one['hashes']['sha256']}" for one in files) if checksums else []
        lines.append(f"{package['name']}=={package['version']}{marker}{''.join(hashes)}\n")
    return "".join(lines)


def main() -> None:
    """Resolve each list for all platforms and Pythons, and write it."""
    uv = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", PYTHON, "--quiet"]
    uv += ["--format", "pylock.toml"]
    for name, words in LISTS.items():
        done = subprocess.run([*uv, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"error: uv cannot write locks/{name}.txt; its message is above")
        found = entries(tomllib.loads(done.stdout), checksums=name != NO_CHECKSUMS)
        (ROOT / "locks" / f"{name}.txt").write_text(HEADER + found)


if __name__ == "__main__":
    main()
