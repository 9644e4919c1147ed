"""The extras of the package, and the error that names one."""

import re
import tomllib

import pytest
from support.command import ROOT

from vrnn_engine.base.extras import EXTRAS, missing_extra


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
    wanted = f"this needs {distribution}, which is not installed: pip install 'vrnn-engine[{extra}]'"
    assert str(error) == wanted


def test_a_module_of_no_extra_names_none() -> None:
    assert missing_extra(ModuleNotFoundError("", name="torchaudio")) is None
    assert missing_extra(ModuleNotFoundError("no name")) is None
