"""Arguments of a wrong type: each public constructor and method raises one clear line of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vrnn_engine as vrnn
from vrnn_engine.runtime.graph.install import install_voice
from vrnn_engine.runtime.sinks import make_sink

WRONG: list[Any] = [None, 5, "5", 1.5, b"x", [1], {}, object()]
"""Values of many types; each call below names the types that it takes."""


class Parts:
    """What the calls need."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = vrnn.Engine.load(folder, "cpu")
        self.stream = self.engine.stream(0)
        self.performance = vrnn.Performance(self.engine.stream(1))
        self.player = vrnn.Player(self.engine.stream(2), to="null")


Call = Callable[[Parts, Any], object]
CALLS: dict[str, tuple[Call, tuple[type, ...]]] = {
    "Engine": (lambda parts, value: vrnn.Engine(value), ()),
    "Engine.load": (lambda parts, value: vrnn.Engine.load(value), ()),
    "Engine.load device": (lambda parts, value: vrnn.Engine.load(parts.folder, value), ()),
    "Engine.load rows": (lambda parts, value: vrnn.Engine.load(parts.folder, "cpu", value), (int,)),
    "Engine.load precision": (lambda parts, value: vrnn.Engine.load(parts.folder, "cpu", 1, value), (type(None),)),
    "Engine.load threads": (lambda parts, value: vrnn.Engine.load(parts.folder, "cpu", threads=value), (int,)),
    "Engine.stream seed": (lambda parts, value: parts.engine.stream(value), (int, type(None))),
    "Engine.read frames": (lambda parts, value: parts.engine.read(value), (int,)),
    "Engine.read streams": (lambda parts, value: parts.engine.read(1, value), (dict, type(None))),
    "Stream.read": (lambda parts, value: parts.stream.read(value), (int,)),
    "Stream.blocks": (lambda parts, value: parts.stream.blocks(value), (int,)),
    "Stream.prime": (lambda parts, value: parts.stream.prime(value), ()),
    "Stream.prime rate": (
        lambda parts, value: parts.stream.prime(np.zeros(400, "f"), rate=value),
        (int, float, type(None)),
    ),
    "Stream.restore": (lambda parts, value: parts.stream.restore(value), ()),
    "Stream.reseed": (lambda parts, value: parts.stream.reseed(value), (int,)),
    "Stream.continue_from": (lambda parts, value: parts.stream.continue_from(value), ()),
    "Stream.fork": (lambda parts, value: parts.stream.fork(value), (int, type(None))),
    "Stream.open_another": (lambda parts, value: parts.stream.open_another(value), (int, type(None))),
    "Stream.controls value": (
        lambda parts, value: parts.stream.controls.update({"latent.temperature": value}),
        (int, float, list),
    ),
    "Stream.controls.update": (lambda parts, value: parts.stream.controls.update(value), (dict,)),
    "Player": (lambda parts, value: vrnn.Player(value, to="null"), ()),
    "Player to": (lambda parts, value: vrnn.Player(parts.stream, to=value), ()),
    "Player latency": (lambda parts, value: vrnn.Player(parts.stream, to="speakers", latency=value), (int, float)),
    "Player seconds": (
        lambda parts, value: vrnn.Player(parts.stream, to="null", seconds=value),
        (int, float, type(None)),
    ),
    "Player.wait": (lambda parts, value: parts.player.wait(value), (int, float, type(None))),
    "Performance": (lambda parts, value: vrnn.Performance(value), ()),
    "Performance.read": (lambda parts, value: parts.performance.read(value), (int,)),
    "Performance.send": (lambda parts, value: parts.performance.send(value), ()),
    "Voice.open": (lambda parts, value: vrnn.Voice.open(value), ()),
    "Voice.graph": (lambda parts, value: vrnn.Voice.open(parts.folder).graph(value), ()),
    "install_voice": (lambda parts, value: install_voice(value), ()),
    "make_sink": (lambda parts, value: make_sink(value), ()),
}


@pytest.fixture
def parts(toy_audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    monkeypatch.chdir(tmp_path)
    return Parts(toy_audio)


@pytest.mark.parametrize("name", CALLS)
def test_an_argument_of_a_wrong_type_raises_one_line(parts: Parts, name: str) -> None:
    call, taken = CALLS[name]
    for value in WRONG:
        if isinstance(value, taken):
            continue
        with pytest.raises(vrnn.VRNNEngineError) as caught:
            call(parts, value)
        message = str(caught.value)
        assert message, value
        assert "\n" not in message
        assert len(message) < 300


@pytest.mark.parametrize("seconds", ["5", b"5", [5], float("nan"), True])
def test_the_error_of_a_player_names_the_parameter_and_its_value(parts: Parts, seconds: Any) -> None:
    with pytest.raises(vrnn.StreamError) as caught:
        vrnn.Player(parts.stream, to="null", seconds=seconds)
    assert str(caught.value) == f"seconds={seconds!r} is not a number of seconds"


def test_numbers_of_numpy_are_numbers(parts: Parts) -> None:
    with vrnn.Player(parts.stream, to="null", latency=np.float32(0.1), seconds=np.int64(1)) as player:
        assert player.wait(np.float64(60))
