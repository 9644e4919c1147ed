"""The lists in locks/ have checksums, agree with constraints.txt and pyproject.toml, and leave PyTorch out."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from support.command import ROOT
from write_locks import without_pytorch

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {"runtime": [], "dev": ["train", "dev"], "docs": ["docs"], "serve": ["serve"], "oldest": ["train", "dev"]}
BUILDS = ["runtime", "dev", "docs", "build"]
"""Lists with what builds the package."""
CHECKED = [*BUILDS, "serve", "atheris"]


def entries(name: str) -> dict[str, str]:
    """Return the entries of a list by package; two of one package, for different Pythons, are joined."""
    found: dict[str, str] = {}
    for entry in re.split(r"^(?=[\w-])", (ROOT / "locks" / f"{name}.txt").read_text(), flags=re.MULTILINE)[1:]:
        package = canonicalize_name(entry.partition("==")[0])
        found[package] = found.get(package, "") + entry
    return found


def versions(entry: str) -> list[Version]:
    return [Version(text) for text in re.findall(r"^[\w.-]+==([^\s;]+)", entry, re.MULTILINE)]


def named(name: str) -> list[Requirement]:
    """Return what pyproject.toml requires of a list, without PyTorch and this package itself."""
    texts = PROJECT["dependencies"] + [text for e in EXTRAS[name] for text in PROJECT["optional-dependencies"][e]]
    return [one for one in map(Requirement, texts) if one.name not in ("torch", PROJECT["name"])]


@pytest.mark.parametrize("name", CHECKED)
def test_every_package_has_checksums(name: str) -> None:
    for package, entry in entries(name).items():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), package


@pytest.mark.parametrize("name", CHECKED)
def test_the_versions_are_those_of_the_constraints(name: str) -> None:
    pins = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    pinned = {canonicalize_name(package): [Version(version)] for package, version in pins}
    found = {package: versions(entry) for package, entry in entries(name).items()}
    assert {package: pinned.get(package, own) for package, own in found.items()} == found, "run `make locks`"


@pytest.mark.parametrize("name", EXTRAS)
def test_a_list_has_what_the_package_requires_and_no_pytorch(name: str) -> None:
    listed = entries(name)
    assert "torch" not in listed
    assert not [package for package in listed if package.startswith(("nvidia-", "cuda-"))]
    for requirement in named(name):
        found = versions(listed[canonicalize_name(requirement.name)])
        assert found, requirement
        assert all(map(requirement.specifier.contains, found)), requirement


@pytest.mark.parametrize("name", BUILDS)
def test_a_list_has_what_builds_the_package(name: str) -> None:
    assert {"hatchling", "editables"} <= set(entries(name))


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    """All but two of what the package itself needs: the test tools need newer ones of these."""
    listed = entries("oldest")
    raised = set()
    for requirement in map(Requirement, PROJECT["dependencies"]):
        (bound,) = [Version(one.version) for one in requirement.specifier if one.operator == ">="]
        if versions(listed[requirement.name]) != [bound]:
            raised.add(requirement.name)
    assert raised == {"platformdirs", "rich"}


def test_pytorch_is_taken_out_with_what_its_builds_for_gpus_need() -> None:
    text = "numpy==2.4.6 \\\n    --hash=sha256:0a\ntorch==2.13.0 \\\n    --hash=sha256:0b\n    --hash=sha256:0c\n"
    text += "nvidia-nccl-cu13==2.29.7 ; sys_platform == 'linux' \\\n    --hash=sha256:0d\ntritonclient==2.41.0\n"
    assert without_pytorch(text) == "numpy==2.4.6 \\\n    --hash=sha256:0a\ntritonclient==2.41.0\n"
