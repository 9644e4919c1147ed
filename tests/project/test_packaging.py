"""The wheel holds all of the package, each platform gets one onnxruntime, and the pins fit the ranges."""

import hashlib
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import vrnn_engine

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "vrnn_engine"
PLATFORMS = {  # sys_platform, platform_machine -> the wheel of onnxruntime that exists for it
    ("linux", "x86_64"): "onnxruntime-gpu",
    ("win32", "AMD64"): "onnxruntime-gpu",
    ("linux", "aarch64"): "onnxruntime",
    ("darwin", "arm64"): "onnxruntime",
    ("darwin", "x86_64"): "onnxruntime",
    ("win32", "ARM64"): "onnxruntime",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this tree, built with the backend installed here (no network)."""
    pytest.importorskip("hatchling", reason="the build backend comes with the extra `dev`")
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, "--wheel-dir", str(out), str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def test_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    """Also the ones that are not code, and none that is not the package's."""
    ours = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {n for n in wheel.namelist() if ".dist-info/" not in n} == ours


@pytest.mark.parametrize("voice", ["blizzard", "handwriting"])
def test_wheel_holds_the_bundled_voices_whole(wheel: zipfile.ZipFile, voice: str) -> None:
    from vrnn_engine.runtime.voice.manifest import decode_manifest

    folder = f"vrnn_engine/voices/{voice}"
    manifest = decode_manifest(wheel.read(f"{folder}/voice.json"), voice)
    packed = {n.removeprefix(f"{folder}/") for n in wheel.namelist() if n.startswith(f"{folder}/")}
    assert packed == {"voice.json", "CARD.md", *manifest.files}


def test_the_source_archive_holds_the_page_and_what_makes_it_anew(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the build backend comes with the extra `dev`")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    static = {path.relative_to(ROOT).as_posix() for path in (PACKAGE / "serve" / "static").rglob("*") if path.is_file()}
    assert static <= names
    assert {"Makefile", "tools/onnxruntime_web.py"} <= names


@pytest.mark.slow
def test_the_archives_are_reproducible(tmp_path: Path) -> None:
    """Those that are built from the source archive, elsewhere and later, equal those of this tree byte for byte."""
    pytest.importorskip("hatchling", reason="the build backend comes with the extra `dev`")

    def build(source: Path, out: Path, **env: str) -> dict[str, bytes]:
        command = [sys.executable, "-m", "hatchling", "build", "--directory", str(out)]
        done = subprocess.run(command, cwd=source, env=os.environ | env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return {path.name: path.read_bytes() for path in out.iterdir()}

    here = build(ROOT, tmp_path / "here")
    (archive,) = (tmp_path / "here").glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("vrnn_engine-*")
    for path in source.rglob("*"):
        path.touch()
    there = build(source, tmp_path / "there", TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="1")
    assert [Path(name).suffix for name in sorted(here)] == [".whl", ".gz"]
    assert {name: hashlib.sha256(data).hexdigest() for name, data in here.items()} == {
        name: hashlib.sha256(data).hexdigest() for name, data in there.items()
    }


def test_wheel_is_typed_and_carries_recipes_and_licence(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert "vrnn_engine/py.typed" in names
    assert any(re.fullmatch(r"vrnn_engine/training/recipes/\w+\.toml", n) for n in names)
    assert any(n.endswith(".dist-info/licenses/LICENSE") for n in names)


def test_bundled_voices_stay_small() -> None:
    """20 MiB together: they travel with every install."""
    size = sum(path.stat().st_size for path in (PACKAGE / "voices").rglob("*") if path.is_file())
    assert size <= 20 * 2**20


def test_wheel_version_is_the_one_in_the_code(metadata: Message) -> None:
    assert metadata["Version"] == vrnn_engine.__version__
    assert metadata["License-Expression"] == "Apache-2.0"


@pytest.mark.parametrize(("platform", "wanted"), list(PLATFORMS.items()))
def test_one_onnxruntime_on_every_platform(metadata: Message, platform: tuple[str, str], wanted: str) -> None:
    environment = {"sys_platform": platform[0], "platform_machine": platform[1], "extra": ""}
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist") or []]
    chosen = [
        r.name
        for r in requirements
        if r.name.startswith("onnxruntime") and (r.marker is None or r.marker.evaluate(environment))
    ]
    assert chosen == [wanted]


def test_base_install_brings_no_training_library(metadata: Message) -> None:
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist") or []]
    base = {r.name for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})}
    assert base.isdisjoint({"torch", "onnx", "onnxscript", "scipy", "matplotlib", "pytest"})
    assert {"numpy", "msgspec", "typer"} <= base


def test_constraints_pin_one_version_of_each_and_fit_the_ranges() -> None:
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            assert version, f"not a pin: {line}"
            pins[canonicalize_name(name)] = Version(version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    for text in [*project["dependencies"], *(entry for extra in extras for entry in extra)]:
        requirement = Requirement(text)
        if requirement.name == project["name"]:  # one extra that includes another
            continue
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), text


def test_the_documented_swap_installs_all_that_the_package_needs() -> None:
    """With the onnxruntime for CPUs; docs/first-hour/install.md gives the command."""
    page = (ROOT / "docs" / "first-hour" / "install.md").read_text()
    (line,) = re.findall(r"^pip install (numpy .*)$", page, re.MULTILINE)
    named = {Requirement(word).name: Requirement(word) for word in shlex.split(line)}
    needed = [
        Requirement(text) for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    ]
    assert set(named) == {one.name for one in needed} - {"onnxruntime-gpu"}
    for one in needed:  # an upper bound must be repeated; pip takes the newest version otherwise
        upper = {str(part) for part in one.specifier if part.operator in ("<", "<=", "==", "~=")}
        assert one.name == "onnxruntime-gpu" or upper <= {str(part) for part in named[one.name].specifier}
