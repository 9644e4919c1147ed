"""A timeline or message cannot choose a device, an address, a serial port or a plug-in, unless the user allows it."""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import the_error

from vrnn_engine import Engine, Performance
from vrnn_engine.errors import SinkError, StreamError
from vrnn_engine.runtime.live.control.osc_messages import to_event
from vrnn_engine.runtime.live.events import Follow, Fork, Prime
from vrnn_engine.runtime.live.safety.places import Places
from vrnn_engine.runtime.live.timeline import Timeline

OPTIONS = "?format=gcode&width=210&height=148"
DEVICES = [
    "serial:/dev/ttyUSB0",
    "serial:socket://10.0.0.5:6379",
    "serial:spy:///dev/ttyS0",
    "speakers:usb",
    "speakers:0",
]
REFUSED = "may not be opened by a fork, only files, speakers, terminal, -, null; allow this target"


@pytest.fixture
def pen(toy_pen: Path) -> Engine:
    return Engine.load(toy_pen, "cpu")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server on this machine that a fork could reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        yield server


@pytest.mark.parametrize("to", [*DEVICES, DEVICES[1] + OPTIONS])
def test_a_fork_opens_no_device(pen: Engine, tmp_path: Path, to: str) -> None:
    places = Places.within([tmp_path])
    for event in (Fork(to=to, seconds=1.0), to_event("/fork", [to, 1.0])):
        with pytest.raises(SinkError, match=REFUSED):
            Performance(pen.stream(1), places=places).send(event)
    with pytest.raises(SinkError, match=REFUSED):
        Performance(pen.stream(1), Timeline((Fork(to=to, seconds=1.0, frame=2),)), places=places)


@pytest.mark.parametrize("to", ["null", "-", "terminal", "speakers", "take.svg", "take.svg?width=100"])
def test_a_fork_may_open_files_and_targets_without_a_choice(tmp_path: Path, to: str) -> None:
    Places.within([tmp_path]).check_target(to.replace("take", str(tmp_path / "take")))


def test_an_allowed_device_allows_no_other(tmp_path: Path) -> None:
    places = Places.within([tmp_path], devices=["serial:/dev/ttyUSB0"])
    places.check_target("serial:/dev/ttyUSB0" + OPTIONS)
    for to in ("serial:/dev/ttyUSB1", "serial:/dev/ttyUSB0/../ttyS0", "serial:/dev/ttyUSB00", "speakers:usb"):
        with pytest.raises(SinkError, match=REFUSED):
            places.check_target(to)


@pytest.mark.parametrize("to", ["blip", "blip:10.0.0.5:9000", "blip:take.blip"])
def test_a_plugin_is_not_called_before_it_is_allowed(
    pen: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    info = tmp_path / "site" / "blip-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: blip\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[vrnn_engine.sinks]\nblip = blip_sink:make\n")
    (tmp_path / "site" / "blip_sink.py").write_text("def make(target, latency): raise RuntimeError('it was called')\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "blip_sink", raising=False)
    with pytest.raises(SinkError, match=REFUSED):
        Performance(pen.stream(1), places=Places.within([tmp_path])).send(Fork(to=to, seconds=1.0))
    assert "blip_sink" not in sys.modules
    with pytest.raises(SinkError, match="it was called"):
        Performance(pen.stream(1), places=Places.within([tmp_path], devices=[to])).send(Fork(to=to, seconds=1.0))


@pytest.mark.parametrize("file", ["-", "-?rate=16000"])
def test_an_event_does_not_read_stdin(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for event in (Prime(file=file), Follow(path=file)):
        with pytest.raises(StreamError, match=r"is stdin, and events may read files only; name a file|no such file"):
            Performance(engine.stream(1), places=Places.within([tmp_path])).send(event)


def test_a_timeline_connects_to_no_machine_unless_it_is_allowed(run, work: Path, toy_pen: Path, listener) -> None:
    pytest.importorskip("serial")
    device = f"serial:socket://127.0.0.1:{listener.getsockname()[1]}"
    event = {"do": "fork", "frame": 2, "to": f"{device}{OPTIONS}&timeout=1", "seconds": 0.1}
    (work / "plan.jsonl").write_text(json.dumps(event) + "\n")
    words = ("stream", "--voice", toy_pen, "--to", "null", "--seconds", 0.2, "--timeline", "plan.jsonl")
    line = the_error(run(*words))
    assert line.startswith(f"error: plan.jsonl:1: fork at frame 2: {device} may not be opened by a fork")
    assert line.endswith("allow this target (--allow)")
    with pytest.raises(TimeoutError):
        listener.accept()
    run(*words, "--allow", device)
    listener.accept()[0].close()
