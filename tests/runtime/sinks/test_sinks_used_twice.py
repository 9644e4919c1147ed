"""A sink may be opened again after it was closed, and then writes what a new one would; a player plays once."""

import hashlib
from pathlib import Path

import pytest

from vrnn_engine import Engine, Player, StreamError
from vrnn_engine.runtime.sinks import make_sink

SOUND = ["a.wav", "a.flac", "a.jsonl", "null"]
INK = ["a.svg", "a.hpgl", "a.gcode", "a.jsonl", "null"]


@pytest.fixture(scope="module")
def engines(toy_audio: Path, toy_pen: Path) -> dict[str, Engine]:
    return {"audio": Engine.load(toy_audio, "cpu"), "pen": Engine.load(toy_pen, "cpu")}


def written(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(("kind", "name"), [*(("audio", one) for one in SOUND), *(("pen", one) for one in INK)])
def test_a_sink_that_is_used_twice_writes_the_second_take(
    engines: dict[str, Engine], kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In two folders under the same name, as an .svg has its name as its title.
    results = []
    for folder, seeds in (("twice", (1, 2)), ("once", (2,))):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        sink = make_sink(name)
        for seed in seeds:
            with Player(engines[kind].stream(seed), to=sink, seconds=20) as player:
                player.wait()
        results.append(written(tmp_path / folder))
    assert results[0] == results[1]
    assert (len(results[0]) > 0) == (name != "null")


def test_a_sink_can_be_used_after_an_error(engines: dict[str, Engine], tmp_path: Path) -> None:
    sink, stream = make_sink(tmp_path / "a.wav"), engines["audio"].stream(1)
    stream.close()
    with pytest.raises(StreamError), Player(stream, to=sink, seconds=1) as player:
        player.wait()
    with Player(engines["audio"].stream(1), to=sink, seconds=1) as player:
        player.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.jsonl", "null"])
def test_a_player_cannot_be_entered_twice(
    engines: dict[str, Engine],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    player = Player(engines["audio"].stream(1), to=name, seconds=1)
    with player:
        with pytest.raises(StreamError, match="make another Player"), player:
            pytest.fail("entered while it plays")
        player.wait()
    before = written(tmp_path)
    with pytest.raises(StreamError, match="has been entered before, and plays once"), player:
        pytest.fail("entered after it ended")
    assert written(tmp_path) == before
    assert capfd.readouterr().err == ""
