"""Every package that is needed has a licence that was accepted, and the bill of materials names them all."""

import json
import subprocess
import sys
from email.message import Message
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from licences import dependencies, licence_of, verdict
from sbom import bill_of_materials
from support.command import ROOT, environment


def metadata(**fields: str | list[str]) -> Message:
    message = Message()
    for name, values in fields.items():
        for value in [values] if isinstance(values, str) else values:
            message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize("extras", [[], ["train", "dev"]], ids=["package", "development"])
def test_every_package_that_is_needed_has_an_accepted_licence(extras: list[str]) -> None:
    try:
        names = dependencies(extras)
    except PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    found = {name: licence_of(distribution(name).metadata) for name in names}
    assert {name: licence for name, licence in found.items() if verdict(name, licence) is None} == {}


@pytest.mark.parametrize("licence", ["", "GPL-3.0-only", "MIT AND AGPL-3.0-only", "LGPL-2.1-or-later"])
def test_another_licence_is_not_accepted(licence: str) -> None:
    assert verdict("stranger", licence) is None


def test_a_reviewed_package_whose_licence_changes_is_not_accepted() -> None:
    assert verdict("soxr", "LGPL-2.1-or-later")
    assert verdict("soxr", "GPL-3.0-only") is None


@pytest.mark.parametrize("licence", ["MIT", "(MIT OR Apache-2.0) AND BSD-3-Clause", "Apache-2.0 WITH LLVM-exception"])
def test_a_permissive_licence_is_accepted(licence: str) -> None:
    assert verdict("stranger", licence) == ""


def test_an_expression_comes_before_classifiers_and_these_before_the_field() -> None:
    classifiers = ["Typing :: Typed", *(f"License :: OSI Approved :: {name} License" for name in ("MIT", "BSD"))]
    assert licence_of(metadata(License_Expression="ISC", Classifier=classifiers, License="GPLv2")) == "ISC"
    assert licence_of(metadata(Classifier=classifiers, License="GPLv2")) == "BSD AND MIT"
    assert licence_of(metadata(License="GPLv2")) == "GPL-2.0"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"License": "see the website"},
        {"Classifier": ["License :: Other/Proprietary License"]},
        {"Classifier": ["License :: OSI Approved :: MIT License", "License :: Other/Proprietary License"]},
    ],
)
def test_a_licence_that_is_not_known_is_empty(fields: dict[str, str | list[str]]) -> None:
    assert licence_of(metadata(**fields)) == ""


def run_tool(name: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / name), *words]
    return subprocess.run(command, env=environment(**env), capture_output=True, text=True)


def test_the_command_lists_licences_and_fails_for_an_unknown_one(tmp_path: Path) -> None:
    for name, lines in (
        ("vrnn_engine", "License-Expression: Apache-2.0\nRequires-Dist: stranger\n"),
        ("stranger", "License: ask us\n"),
    ):
        (tmp_path / f"{name}-9.dist-info").mkdir()
        text = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 9\n{lines}"
        (tmp_path / f"{name}-9.dist-info" / "METADATA").write_text(text)
    done = run_tool("licences.py", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["stranger", "9", "unknown"],
        ["vrnn-engine", "9", "Apache-2.0"],
    ]
    assert "stranger (unknown)" in done.stderr


def test_the_bill_of_materials_names_what_the_package_needs(tmp_path: Path) -> None:
    done = run_tool("sbom.py", str(tmp_path / "sbom.json"))
    assert done.returncode == 0, done.stderr
    bill = json.loads((tmp_path / "sbom.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill == bill_of_materials()
    packages = {entry["name"]: entry for entry in bill["components"]}
    assert {"numpy", "soxr", "onnxruntime-web"} <= set(packages)
    assert "torch" not in packages
    assert packages["soxr"]["licenses"] == [{"expression": "LGPL-2.1-or-later"}]
    assert packages["numpy"]["purl"] == f"pkg:pypi/numpy@{distribution('numpy').version}"
    assert all(entry["licenses"] for entry in packages.values())


def test_every_link_of_the_bill_of_materials_leads_to_one_package() -> None:
    bill = bill_of_materials()
    names = [entry["bom-ref"] for entry in (bill["metadata"]["component"], *bill["components"])]
    assert len(set(names)) == len(names)
    assert sorted(link["ref"] for link in bill["dependencies"]) == sorted(names)
    needed = {name for link in bill["dependencies"] for name in link["dependsOn"]}
    assert needed == set(names[1:])
