"""Requests made from the OpenAPI, valid and invalid ones, find no error of the server and no undocumented answer."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.http_server import Served, serving

from vrnn_engine.serve.options import ServeOptions


@pytest.fixture(scope="module")
def served(toy_audio: Path, toy_pen: Path) -> Iterator[Served]:
    options = ServeOptions(
        (str(toy_audio), str(toy_pen)), device="cpu", max_seconds=0.5, requests_per_second=1e6, max_text=50
    )
    with serving(options) as running:
        yield running


def try_requests(served: Served, phases: str, examples: int, work: Path) -> None:
    """Run schemathesis with all its checks, but for one: whether a value is possible depends on the voice."""
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists():
        pytest.skip("schemathesis comes with the extra `dev`")
    done = subprocess.run(
        [
            *(program, "run", f"http://127.0.0.1:{served.port}/openapi.json", "--no-color"),
            *("--phases", phases, "--max-examples", str(examples), "--seed", "1", "--generation-database", "none"),
            *("--exclude-checks", "positive_data_acceptance"),
        ],
        cwd=work,  # it writes files
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "9 selected / 9 total" in done.stdout


def test_requests_from_the_openapi_find_no_fault(served: Served, tmp_path: Path) -> None:
    try_requests(served, "coverage,fuzzing", 5, tmp_path)


@pytest.mark.slow
def test_many_requests_from_the_openapi_find_no_fault(served: Served, tmp_path: Path) -> None:
    try_requests(served, "coverage,fuzzing,stateful", 200, tmp_path)
