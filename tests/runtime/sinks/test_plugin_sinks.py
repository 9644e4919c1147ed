"""Sinks from plug-ins, and other objects that only have open, write and close."""

import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vrnn_engine import Engine, Player
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks import Format, Sink, as_sink, make_sink

PLUGIN = """
from vrnn_engine.runtime.sinks import Sink
class Good:
    def __init__(self, target, latency):
        self.target, self.latency = target, latency
    def open(self, format): pass
    def write(self, block): pass
    def close(self): pass

class Rich(Good):
    label, live, underruns, _volume = "the rich one", True, 3, 0.0
    def __init__(self, target, latency): self.ended = []
    def close(self): self.ended.append("close")
    def interrupt(self): self.ended.append("interrupt")
    @property
    def volume(self): return self._volume
    @volume.setter
    def volume(self, volume):
        if volume > 20: raise ValueError("too loud")
        self._volume = volume

class Derived(Sink):
    clipped = 2
    def __init__(self, target, latency): self.written = 0
    def open(self, format): format.require("audio", "the derived one")
    def write(self, block): self.written += len(block)
    def close(self): pass

class Late:
    def __init__(self, target, latency): self.what = target.partition(":")[2]
    def _fail(self, what):
        if self.what == what: raise KeyError("no such thing")
    def open(self, format): self._fail("open")
    def write(self, block): self._fail("write")
    def close(self): self._fail("close")
    def interrupt(self): self._fail("interrupt")
    @property
    def underruns(self):
        self._fail("underruns")
        return 0

def bad(target, latency):
    raise RuntimeError("no such port")

def odd(target, latency):
    return 7
"""


ENTRIES = """
[vrnn_engine.sinks]
good = my_sinks:Good
rich = my_sinks:Rich
derived = my_sinks:Derived
late = my_sinks:Late
bad = my_sinks:bad
odd = my_sinks:odd
gone = not_there:Sink
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package with sinks as plug-ins."""
    info = tmp_path / "site" / "my_sinks-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-sinks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(textwrap.dedent(ENTRIES))
    (tmp_path / "site" / "my_sinks.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "my_sinks", raising=False)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("target", ["good:/dev/x?a=b", "good", "file.good"])
def test_a_plugin_is_found_by_scheme_and_by_ending(target: str) -> None:
    sink: Any = make_sink(target, latency=0.25)
    assert isinstance(sink, Sink)
    assert (sink.label, sink.adapted.target, sink.adapted.latency) == ("Good", target, 0.25)


@pytest.mark.usefixtures("plugins")
def test_a_plugin_can_have_the_optional_attributes_of_a_sink(engine: Engine) -> None:
    player = Player(engine.stream(1), to="rich:", seconds=0.1)
    assert not hasattr(player.sink.adapted, "dropped")
    player.volume = -6
    with pytest.raises(SinkError, match=r"plug-in 'rich' of my-sinks is broken: ValueError: too loud"):
        player.volume = 30
    with player:
        assert player.wait(60)
    assert (player.label, player.volume, player.underruns, player.dropped) == ("the rich one", -6, 3, 0)
    with Player(engine.stream(1), to="rich:") as player:
        player.stop()
    assert player.sink.adapted.ended == ["interrupt", "close"]


@pytest.mark.usefixtures("plugins")
def test_a_plugin_can_derive_from_the_base_class(engine: Engine) -> None:
    with Player(engine.stream(1), to="derived:", seconds=0.5) as player:
        assert player.wait(60)
    assert player.sink.adapted.written == 8000
    assert (player.label, player.clipped, player.dropped) == ("Derived", 2, 0)
    with pytest.raises(SinkError, match="the derived one takes sound"):
        make_sink("derived:").open(Format("pen", 100, 3, "mm", "toy"))


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("what", ["open", "write", "close", "underruns", "interrupt"])
def test_an_error_within_a_plugin_names_the_plugin(engine: Engine, what: str) -> None:
    player = Player(engine.stream(1), to=f"late:{what}", seconds=None if what == "interrupt" else 1)
    with pytest.raises(SinkError, match=r"^plug-in 'late' of my-sinks is broken: KeyError: 'no such thing'$"), player:
        if what != "interrupt":
            assert player.wait(60)
        assert player.underruns == 0


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("target", "reason"), [("bad:1", "no such port"), ("a.gone", "not_there"), ("odd:", "returned a int, not a sink")]
)
def test_a_broken_plugin_is_named_and_does_not_affect_other_targets(target: str, reason: str) -> None:
    with pytest.raises(SinkError, match=f"plug-in .* of my-sinks is broken: .*{reason}"):
        make_sink(target)
    make_sink("a.wav")
    with pytest.raises(SinkError, match="from plug-ins: bad, derived, gone, good, late, odd, rich"):
        make_sink("unknown:")


OPTIONAL = {
    "live": False,
    "patience": 5.0,
    "full": False,
    "underruns": None,
    "pending": None,
    "delay": 0.0,
    "dropped": 0,
    "clipped": 0,
    "volume": None,
}


class Minimal:
    """An object with the three methods only."""

    def open(self, format: Format) -> None: ...

    def write(self, block: np.ndarray) -> None: ...

    def close(self) -> None: ...


def test_an_object_with_three_methods_is_a_sink_with_the_defaults() -> None:
    sink = as_sink(Minimal())
    assert {name: getattr(sink, name) for name in OPTIONAL} == OPTIONAL
    assert sink.label == "Minimal"
    sink.abort()
    sink.interrupt()


def test_attributes_of_an_object_are_read_each_time_and_converted() -> None:
    adapted: Any = Minimal()
    sink = as_sink(adapted)
    for name, value in (("pending", np.int64(7)), ("underruns", 3.0), ("full", 1), ("delay", "0.5"), ("label", "it")):
        setattr(adapted, name, value)
    assert (sink.pending, sink.underruns, sink.full, sink.delay, sink.label) == (7, 3, True, 0.5, "it")
    assert type(sink.pending) is int
    adapted.volume = -3
    sink.volume = -6.0
    assert (adapted.volume, sink.volume) == (-6.0, -6.0)


def test_the_base_class_has_the_same_defaults_and_needs_three_methods() -> None:
    class Silent(Sink):
        def open(self, format: Format) -> None: ...

        def write(self, block: np.ndarray) -> None: ...

    with pytest.raises(TypeError, match=r"abstract method '?close"):
        Silent()  # type: ignore[abstract]
    assert {name: getattr(Sink, name) for name in OPTIONAL} == OPTIONAL


def test_a_sink_is_used_as_it_is(engine: Engine) -> None:
    sink = make_sink("null")
    assert Player(engine.stream(1), to=sink).sink is sink
    with pytest.raises(SinkError, match=r"^7 is not a target; give a string such as out\.wav, a path, or a sink$"):
        Player(engine.stream(1), to=7)  # type: ignore[arg-type]
