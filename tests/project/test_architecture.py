"""Import rules, and that an application without torch and onnx can use all of the runtime and the command line."""

import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Runs in a fresh interpreter in which torch, onnx and onnxscript cannot be imported, as where they are not installed.
BLOCKER = """
import importlib, importlib.abc, pkgutil, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in {"torch", "onnx", "onnxscript"}:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)

sys.meta_path.insert(0, Blocker())

def import_all(name):
    package = importlib.import_module(name)
    found = [module.name for module in pkgutil.walk_packages(package.__path__, name + ".")]
    for module in found:
        importlib.import_module(module)
    return found
"""


def run_blocked(code: str) -> str:
    """Run code behind the blocker; return its stdout."""
    script = BLOCKER + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_imports_follow_the_contracts() -> None:
    """The contracts of [tool.importlinter] in pyproject.toml."""
    pytest.importorskip("importlinter", reason="import-linter comes with the extra `dev`")
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", ["vrnn_engine", "vrnn_engine.runtime"])
def test_every_part_has_a_layer(package: str) -> None:
    """A part without a layer could import anything."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [layer for contract in linter["contracts"] for layer in contract.get("layers", [])]
    named = {name for layer in layers for name in re.split(r"[|: ]+", layer)}
    folder = ROOT / package.replace(".", "/")
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__"}
    parts = files | {path.parent.name for path in folder.glob("*/__init__.py")}
    covered = {name for name in parts if any(f"{one}.".startswith(f"{package}.{name}.") for one in named)}
    assert parts - covered == set()


def test_blocker_blocks() -> None:
    """Else the tests below would pass for nothing."""
    assert run_blocked("""
        for name in ("torch", "onnx", "onnxscript"):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError:
                print(name)
    """).split() == ["torch", "onnx", "onnxscript"]


def test_package_imports_without_torch_and_onnx() -> None:
    names = run_blocked("""
        import vrnn_engine
        for name in ("Engine", "Stream", "Voice", "Player", "VRNNEngineError", "__version__"):
            getattr(vrnn_engine, name)
            print(name)
    """)
    assert len(names.split()) == 6


@pytest.mark.parametrize(("room", "at_least"), [("runtime", 5), ("cli", 5)])
def test_every_module_imports_without_torch_and_onnx(room: str, at_least: int) -> None:
    found = run_blocked(f"print(*import_all('vrnn_engine.{room}'))").split()
    assert len(found) >= at_least


def test_runtime_leaves_optional_libraries_for_when_they_are_needed() -> None:
    """They cost time at every start, and a stream to stdout needs none of them."""
    loaded = run_blocked("""
        import_all("vrnn_engine.runtime")
        optional = {"soundfile", "soxr", "sounddevice", "serial", "platformdirs", "rich", "typer", "scipy"}
        optional |= {"matplotlib", "psutil"}
        print(*(optional & set(sys.modules)))
    """)
    assert loaded.split() == []


def test_latents_are_drawn_without_torch_and_onnx(tmp_path: Path, toy_pen: Path) -> None:
    """A bare voice suffices."""
    line, picture = tmp_path / "line.jsonl", tmp_path / "line.svg"
    line.write_text('{"dx": 1, "dy": 0, "pen_up": 0}\n' * 9)
    run_blocked(f"""
        from vrnn_engine.cli.main import run
        sys.argv = ["vrnn-engine", "latents", {str(toy_pen)!r}, {str(line)!r}, "--to", {str(picture)!r}]
        try:
            run()
        except SystemExit as stop:
            assert stop.code == 0, stop.code
        assert not {{"torch", "onnx", "onnxscript", "scipy"}} & set(sys.modules)
    """)
    assert "</svg>" in picture.read_text()


def test_without_torch_the_command_line_names_the_extra(tmp_path: Path) -> None:
    checkpoint = tmp_path / "best.pt"
    checkpoint.write_bytes(b"not read: torch is missing before that")
    out = run_blocked(f"""
        import contextlib, io
        from vrnn_engine.cli.main import run
        sys.argv = ["vrnn-engine", "export", {str(checkpoint)!r}]
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr):
            try:
                run()
                code = 0
            except SystemExit as stop:
                code = stop.code
        print(code)
        print(stderr.getvalue())
    """)
    code, message = out.split("\n", 1)
    assert code == "1"
    assert len(message.strip().splitlines()) == 1
    assert "vrnn-engine[train]" in message
