"""The lists in locks/ have checksums, agree with constraints.txt and pyproject.toml, and leave PyTorch out."""

import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from support.command import ROOT
from write_locks import entries as written

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
    """All but two of what the package itself needs: the test tools need newer ones of these.

    So it is with the oldest Python; a newer one may need a newer version.
    """
    listed = entries("oldest")
    raised = set()
    for requirement in map(Requirement, PROJECT["dependencies"]):
        (bound,) = [Version(one.version) for one in requirement.specifier if one.operator == ">="]
        lines = [line for line in listed[requirement.name].splitlines() if "python_full_version >=" not in line]
        if versions("\n".join(lines)) != [bound]:
            raised.add(requirement.name)
    assert raised == {"platformdirs", "rich"}


def locked(name: str, version: str, *files: str, marker: str | None = None) -> dict[str, Any]:
    """Return the entry of a pylock.toml, whose checksums are the names of the files."""
    wheels = [{"url": f"https://host/{one}", "hashes": {"sha256": one}} for one in files if one.endswith(".whl")]
    found: dict[str, Any] = {"name": name, "version": version, "wheels": wheels}
    for source in (one for one in files if one.endswith(".tar.gz")):
        found["sdist"] = {"hashes": {"sha256": source}}
    return found | ({"marker": marker} if marker else {})


def test_pytorch_is_taken_out_with_what_its_builds_for_gpus_need() -> None:
    packages = [
        locked("numpy", "2.4.6", "numpy.tar.gz"),
        locked("torch", "2.13.0", "torch-cp311-cp311-win_amd64.whl"),
        locked("nvidia-nccl-cu13", "2.29.7", "nvidia-py3-none-any.whl", marker="sys_platform == 'linux'"),
        locked("tritonclient", "2.41.0", marker="sys_platform == 'linux'"),
    ]
    text = "numpy==2.4.6 \\\n --hash=sha256:numpy.tar.gz\ntritonclient==2.41.0 ; sys_platform == 'linux'\n"
    assert written({"packages": packages}, checksums=True) == text
    assert written({"packages": packages[:1]}, checksums=False) == "numpy==2.4.6\n"


USABLE = [
    "a-1-py3-none-any.whl",
    "a-1-cp311-abi3-macosx_11_0_arm64.whl",
    "a-1-cp311-cp311-manylinux2014_aarch64.manylinux_2_17_aarch64.whl",
    "a-1-cp313-cp313t-manylinux_2_28_x86_64.whl",
    "a-1-cp314-cp314-win_amd64.whl",
    "a-1-cp314-cp314-win_arm64.whl",
    "a-1-cp312-cp312-macosx_10_13_x86_64.whl",
    "a-1.tar.gz",
]
OTHERS = [
    "a-1-cp311-cp311-musllinux_1_2_x86_64.whl",
    "a-1-cp311-cp311-manylinux2014_ppc64le.manylinux_2_17_ppc64le.whl",
    "a-1-cp311-cp311-manylinux_2_31_armv7l.whl",
    "a-1-cp311-cp311-manylinux2014_i686.whl",
    "a-1-cp311-cp311-win32.whl",
    "a-1-cp313-cp313-ios_13_0_arm64_iphoneos.whl",
    "a-1-cp314-cp314-android_24_arm64_v8a.whl",
    "a-1-cp314-cp314-pyodide_2026_0_wasm32.whl",
]


def test_there_are_checksums_of_the_files_for_systems_on_which_onnxruntime_runs() -> None:
    text = written({"packages": [locked("a", "1", *USABLE, *OTHERS)]}, checksums=True)
    assert re.findall(r"sha256:(\S+)", text) == sorted(USABLE)
