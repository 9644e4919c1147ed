"""OSC for a voice that writes a text: messages write and erase, and reports say how much is written and to come."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vrnn_engine import Engine, SourceError
from vrnn_engine.runtime.live.control.osc_messages import read_packet, to_event
from vrnn_engine.runtime.live.events import AnyEvent, Erase, Write
from vrnn_engine.runtime.live.performance import Performance

pythonosc = pytest.importorskip("pythonosc", reason="python-osc comes with the extra `live`")
from pythonosc.osc_message_builder import build_msg  # noqa: E402
from pythonosc.udp_client import SimpleUDPClient  # noqa: E402

from vrnn_engine.runtime.live.control.osc import Osc  # noqa: E402


class Desk:
    """A performance that plays in a thread, and a real client that sends it messages and hears the replies."""

    def __init__(self, engine: Engine) -> None:
        self.log: list[AnyEvent] = []
        self.performance = Performance(engine.stream(7, text="Dear"), record=self.log.append)
        self._ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._ear.bind(("127.0.0.1", 0))
        self._ear.settimeout(10)
        self._osc = Osc("0", f"127.0.0.1:{self._ear.getsockname()[1]}")
        self._osc.start(self.performance)
        self.send = SimpleUDPClient("127.0.0.1", self._osc.port).send_message
        self.frames: list[np.ndarray] = []
        self._stopped = threading.Event()
        self._playing = threading.Thread(target=self._play)
        self._playing.start()

    def hear(self, address: str, *values: object) -> list[object]:
        """Return the values of the next reply to an address; of the next one with these values, if they are given."""
        for _ in range(5000):
            for found, heard in read_packet(self._ear.recv(65536)):
                if found == address and (not values or heard == [*values]):
                    return heard
        raise AssertionError(f"no {address} {values} among 5000 messages")

    def close(self) -> None:
        self._stopped.set()
        self._playing.join()
        self._osc.stop()
        self._ear.close()

    def _play(self) -> None:
        while not self._stopped.wait(0.002):
            self.frames.append(self.performance.read(1))


@pytest.fixture
def desk(text_voice: Path) -> Iterator[Desk]:
    made = Desk(Engine.load(text_voice, "cpu"))
    yield made
    made.close()


def test_messages_write_and_erase_and_the_log_replays(desk: Desk, text_voice: Path) -> None:
    desk.hear("/written", 4)
    desk.hear("/pending", 0)
    desk.send("/write", " Anna,\nthank you 12")
    desk.send("/erase", 3.0)  # some programs send every number as a float
    desk.send("/write", 5)
    desk.hear("/written", len("Dear Anna,\nthank you5"))
    desk.close()
    events = [Write(frame=0, text=" Anna,\nthank you 12"), Erase(frame=0, count=3), Write(frame=0, text="5")]
    assert [(type(event), getattr(event, "text", None)) for event in desk.log] == [
        (type(event), getattr(event, "text", None)) for event in events
    ]
    again = Performance(Engine.load(text_voice, "cpu").stream(7, text="Dear"), desk.log)
    assert np.array_equal(again.read(len(desk.frames)), np.concatenate(desk.frames))


def test_wrong_messages_are_answered_and_the_stream_goes_on(desk: Desk, said: list[str]) -> None:
    for address, values, why in (
        ("/write", "café", "cannot write 'é'"),
        ("/write", "", "the text is empty"),
        ("/write", ["two", "words"], "write it as /write TEXT"),
        ("/erase", -1, "write it as /erase COUNT"),
        ("/erase", "some", "write it as /erase COUNT"),
    ):
        desk.send(address, values)
        (line,) = desk.hear("/error")
        assert why in str(line)
    desk.send("/write", " Bo")
    desk.hear("/written", len("Dear Bo"))
    desk.close()
    assert [line for line in said if "OSC from 127.0.0.1" in line]
    assert len(said) <= 8  # in a second


def test_voice_without_text_refuses_the_messages(toy_pen: Path) -> None:
    performance = Performance(Engine.load(toy_pen, "cpu").stream(1))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(10)
        osc = Osc("0", f"127.0.0.1:{ear.getsockname()[1]}")
        osc.start(performance)
        SimpleUDPClient("127.0.0.1", osc.port).send_message("/write", "a")
        ((address, (line,)),) = read_packet(ear.recv(65536))
        osc.stop()
    assert address == "/error"
    assert "voice 'toy-pen' writes no text" in str(line)


@pytest.mark.parametrize(
    ("message", "values", "event"),
    [
        ("/write", ["a b\n"], Write(text="a b\n")),
        ("/write", [12.0], Write(text="12")),
        ("/erase", [3], Erase(count=3)),
        ("/erase", [3.0], Erase(count=3)),
    ],
)
def test_messages_become_events(message: str, values: list[object], event: AnyEvent) -> None:
    ((found, arguments),) = read_packet(build_msg(message, values).dgram)
    assert to_event(found, arguments) == event


@pytest.mark.parametrize("values", [[], ["a", "b"]])
def test_text_is_one_argument(values: list[str]) -> None:
    with pytest.raises(SourceError, match="write it as /write TEXT"):
        to_event("/write", values)
