"""Writes the lists of versions in locks/ from pyproject.toml and constraints.txt, with uv (`make locks`)."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, BUILD = "pyproject.toml", "tools/build.in"
PINNED = ["--constraint", "constraints.txt", "--generate-hashes"]
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
HEADER = "# Written by `make locks`: do not edit.  tools/write_locks.py says what is in it.\n"


def without_pytorch(text: str) -> str:
    """Return a list without PyTorch and the packages that only its build for GPUs needs."""
    entries = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    return "".join(entry for entry in entries if not PYTORCH.fullmatch(entry.partition("==")[0]))


def main() -> None:
    """Resolve each list for all platforms and Pythons, and write it."""
    uv = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", PYTHON, "--quiet"]
    uv += ["--no-annotate", "--no-header"]
    for name, words in LISTS.items():
        done = subprocess.run([*uv, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"error: uv cannot write locks/{name}.txt; its message is above")
        (ROOT / "locks" / f"{name}.txt").write_text(HEADER + without_pytorch(done.stdout))


if __name__ == "__main__":
    main()
