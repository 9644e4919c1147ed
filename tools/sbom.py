"""Writes a software bill of materials: the packages that vrnn-engine needs here (`make sbom`).

    python tools/sbom.py sbom.json                   what the package itself needs
    python tools/sbom.py sbom.json --extra serve     with extras

CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/).  It has no time and no serial number: equal packages give an equal
file.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import quote

from licences import dependencies, licence_of

WEB = Path(__file__).resolve().parents[1] / "vrnn_engine" / "serve" / "static" / "vendor" / "onnxruntime-web"
"""The one foreign library that lies in the package itself."""


def library(name: str, version: str, registry: str = "pypi") -> dict[str, Any]:
    """Return an entry without its licence; its package URL is of https://github.com/package-url/purl-spec."""
    url = f"pkg:{registry}/{name}@{quote(version, safe='')}"
    return {"type": "library", "bom-ref": url, "name": name, "version": version, "purl": url}


def component(name: str) -> dict[str, Any]:
    """Return the entry of an installed package."""
    package = distribution(name)
    entry = library(name, package.version)
    if expression := package.metadata.get("License-Expression"):
        return entry | {"licenses": [{"expression": expression}]}
    licence = licence_of(package.metadata)
    return entry | ({"licenses": [{"license": {"name": licence}}]} if licence else {})


def onnxruntime_web() -> dict[str, Any]:
    """Return the entry of the copy of onnxruntime-web, which plays voices on a web page."""
    version = (WEB / "VERSION").read_text().strip()
    return library("onnxruntime-web", version, "npm") | {"licenses": [{"expression": "MIT"}]}


def bill_of_materials(extras: Iterable[str] = ()) -> dict[str, Any]:
    """Return the CycloneDX document.

    Raises
    ------
    PackageNotFoundError
        If a package is not installed.
    """
    needs = dependencies(extras)
    entries = {name: component(name) for name in sorted(needs)}
    web = onnxruntime_web()
    links = {
        entry["bom-ref"]: sorted(entries[needed]["bom-ref"] for needed in needs[name])
        for name, entry in entries.items()
    }
    main_entry = entries.pop("vrnn-engine")
    links[main_entry["bom-ref"]].append(web["bom-ref"])
    links[web["bom-ref"]] = []
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": main_entry},
        "components": [*entries.values(), web],
        "dependencies": [{"ref": url, "dependsOn": others} for url, others in links.items()],
    }


def main() -> None:
    """Write the document, and say how many packages are in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="where to write it")
    parser.add_argument("--extra", action="append", default=[], help="an extra of vrnn-engine")
    words = parser.parse_args()
    try:
        document = bill_of_materials(words.extra)
    except PackageNotFoundError as error:
        sys.exit(f"error: {error.name} is not installed; `make stream` installs what the package needs")
    words.file.write_text(json.dumps(document, indent=2) + "\n")
    print(f"{words.file}: {len(document['components'])} packages")


if __name__ == "__main__":
    main()
