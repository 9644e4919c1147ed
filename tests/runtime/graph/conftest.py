"""Skips tests that need a GPU where there is none."""

from pathlib import Path

import pytest

import vrnn_engine as vrnn


@pytest.fixture
def gpu(toy_audio: Path) -> None:
    """Skip the test where CUDA does not run."""
    try:
        vrnn.Engine.load(toy_audio, device="cuda")
    except vrnn.ProviderError as error:
        pytest.skip(f"needs a GPU: {error}")
