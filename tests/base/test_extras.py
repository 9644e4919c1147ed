"""The extras of the package, and the error that names one."""

import importlib.machinery
import os
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from support.command import ROOT

from vrnn_engine.base.extras import EXTRAS, install_command, missing_extra


def test_the_extras_are_those_of_pyproject() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name, extra in EXTRAS.items():
        named = [re.match(r"[\w-]+", needed)[0] for needed in declared[name]]
        assert [one for one in named if one != "vrnn-engine"] == list(extra.modules)  # an extra may include another one
    assert set(EXTRAS) == set(declared) - {"cuda", "dev", "docs"}


@pytest.mark.parametrize(
    ("module", "distribution", "extra"),
    [
        ("torch.nn", "torch", "train"),
        ("serial", "pyserial", "live"),
        ("matplotlib", "matplotlib", "plot"),
        ("fastapi.routing", "fastapi", "serve"),
    ],
)
def test_a_missing_module_names_its_extra(module: str, distribution: str, extra: str) -> None:
    error = missing_extra(ModuleNotFoundError("", name=module))
    assert str(error) == f"this needs {distribution}, which is not installed: {install_command(extra)}"


def test_the_command_installs_beside_this_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))
    assert install_command("plot") == "pip install 'vrnn-engine[plot]'"
    for name in ("pip", "uv"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    python = shlex.quote(sys.executable)
    assert install_command("plot") == f"{python} -m pip install 'vrnn-engine[plot]'"
    monkeypatch.setattr(importlib.machinery.PathFinder, "find_spec", lambda name: None)
    assert install_command("plot") == f"uv pip install 'vrnn-engine[plot]' --python {python}"


def test_a_module_of_no_extra_names_none() -> None:
    assert missing_extra(ModuleNotFoundError("", name="torchaudio")) is None
    assert missing_extra(ModuleNotFoundError("no name")) is None
