"""While a command starts, no garbage is collected; afterwards it is."""

import gc
import weakref

import pytest

from vrnn_engine.cli import collector


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def test_a_pause_collects_nothing_and_ends() -> None:
    with pytest.raises(KeyError), collector.paused():
        assert not gc.isenabled()
        lost = weakref.ref(Ring())
        raise KeyError
    try:
        assert gc.isenabled()
        gc.collect()
        assert lost() is not None
    finally:
        gc.unfreeze()
    gc.collect()
    assert lost() is None


def test_a_pause_leaves_a_disabled_collector_disabled() -> None:
    gc.disable()
    try:
        with collector.paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.unfreeze()
        gc.enable()
