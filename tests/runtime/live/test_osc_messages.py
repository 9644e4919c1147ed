"""OSC packets become events; malformed packets and wrong messages are refused."""

import random
import time

import pytest
from support.load_test import HEAT, SHIFT

from vrnn_engine import SourceError
from vrnn_engine.runtime.live.control.osc_messages import read_packet, to_event
from vrnn_engine.runtime.live.events import (
    Fork,
    Morph,
    Nudge,
    Prime,
    Reset,
    Restore,
    Rewind,
    Save,
    Seed,
    Set,
    Walk,
)

pythonosc = pytest.importorskip("pythonosc", reason="python-osc comes with the extra `live`")
from pythonosc.osc_bundle_builder import OscBundleBuilder  # noqa: E402
from pythonosc.osc_message_builder import build_msg  # noqa: E402


@pytest.mark.parametrize(
    ("message", "values", "event"),
    [
        ("/control/output.temperature", [0.5], Set(control=HEAT, value=0.5)),
        ("/control/latent.shift", [1, 2, 3, 4.5], Set(control=SHIFT, value=(1.0, 2.0, 3.0, 4.5))),
        ("/nudge/latent.shift/3", [-0.5], Nudge(control=SHIFT, by=-0.5, index=3)),
        ("/control/latent.shift/3", [1], Set(control=SHIFT, value=1.0, index=3)),
        ("/ramp/latent.shift/3", [2, 0.25], Set(control=SHIFT, value=0.25, index=3, ramp=2.0)),
        ("/ramp/latent.shift", [2.5, 0, 1], Set(control=SHIFT, value=(0.0, 1.0), ramp=2.5)),
        ("/walk/latent.shift/3", [0.5], Walk(control=SHIFT, speed=0.5, index=3)),
        ("/walk/latent.shift", [1, 7.0], Walk(control=SHIFT, speed=1.0, seed=7)),
        ("/morph", ["here", 2], Morph(to="here", seconds=2.0)),
        ("/reset", [], Reset()),
        ("/seed", [7], Seed(seed=7)),
        ("/seed", [7.0], Seed(seed=7)),  # Pd sends every number as a float
        ("/seed", [2**40], Seed(seed=2**40)),
        ("/snapshot", ["a b"], Save(name="a b")),
        ("/snapshot", [3.0], Save(name="3")),
        ("/restore", [3], Restore(name="3")),
        ("/rewind", [2], Rewind(seconds=2.0)),
        ("/prime", ["a.wav"], Prime(file="a.wav")),
        ("/fork", ["a.wav", 2], Fork(to="a.wav", seconds=2.0)),
        ("/fork", ["a.wav", 2, 9], Fork(to="a.wav", seconds=2.0, seed=9)),
    ],
)
def test_messages_become_events(message, values, event):
    ((found, arguments),) = read_packet(build_msg(message, values).dgram)
    assert found == message
    assert to_event(found, arguments) == event


@pytest.mark.parametrize(
    ("message", "values", "why"),
    [
        (
            "/control",
            [1.0],
            "unknown OSC address '/control'; there are /control/NAME, /nudge/NAME",
        ),
        ("/sing", [], "unknown OSC address '/sing'"),
        ("/control/a", [], "write it as /control/a VALUE..."),
        ("/control/a", ["high"], "write it as /control/a VALUE..."),
        ("/ramp/a/2", [1.0], "write it as /ramp/a/2 SECONDS VALUE..."),
        ("/ramp/a", [-1.0, 2.0], "write it as /ramp/a SECONDS VALUE..."),
        ("/ramp/a", [float("inf"), 2.0], "write it as /ramp/a SECONDS VALUE..."),
        ("/nudge/a", [], "write it as /nudge/a BY"),
        ("/nudge/a", [1.0, 2.0], "write it as /nudge/a BY"),
        ("/walk/l\f", [], r"write it as /walk/l\\u000c SPEED"),
        ("/walk/a", [], r"write it as /walk/a SPEED \[SEED\]"),
        ("/walk/a", [-1.0], r"write it as /walk/a SPEED \[SEED\]"),
        ("/walk/a", [1.0, 2, 3], r"write it as /walk/a SPEED \[SEED\]"),
        ("/morph", ["here"], "write it as /morph NAME SECONDS"),
        ("/seed", [7.5], "write it as /seed N"),
        ("/seed", [-7], "write it as /seed N"),
        ("/seed", [], "write it as /seed N"),
        ("/reset", [1], "write it as /reset"),
        ("/rewind", [float("inf")], "write it as /rewind SECONDS"),
        ("/rewind", [float("nan")], "write it as /rewind SECONDS"),
        ("/fork", ["a.wav"], r"write it as /fork TARGET SECONDS \[SEED\]"),
    ],
)
def test_a_wrong_message_is_refused_with_its_usage(message, values, why):
    with pytest.raises(SourceError, match=why):
        to_event(message, values)


def test_the_messages_of_a_bundle_are_read_in_order():
    inner = OscBundleBuilder(time.time() + 1000)  # a future time, as SuperCollider sends; it is ignored
    inner.add_content(build_msg("/seed", 2))
    outer = OscBundleBuilder(0)
    for content in (build_msg("/seed", 1), inner.build(), build_msg("/seed", 3)):
        outer.add_content(content)
    assert read_packet(outer.build().dgram) == [("/seed", [1]), ("/seed", [2]), ("/seed", [3])]


HEAD = b"#bundle\0" + bytes(8)
MALFORMED = {
    "empty": b"",
    "not OSC": b"hello",
    "no end of the address": b"/seed",
    "no tags": b"/seed\0\0\0i",
    "no argument": b"/seed\0\0\0,i\0\0",
    "not UTF-8": b"/\xff\xfe\0",
    "a blob": b"/seed\0\0\0,b\0\0\0\0\0\4abcd",
    "an unknown type": b"/seed\0\0\0,Q\0\0",
    "a bundle cut off": HEAD + b"\0\0\0\x20/seed",
    "a bundle of negative size": HEAD + b"\xff\xff\xff\xfc" + b"/a\0\0",
    "a bundle of no size": HEAD + bytes(4),
    "a bundle of junk": HEAD + b"\0\0\0\4junk",
}


def nested(depth):
    packet = b"/a\0\0"
    for _ in range(depth):
        packet = HEAD + len(packet).to_bytes(4, "big") + packet
    return packet


@pytest.mark.parametrize("packet", [*MALFORMED.values(), nested(1000)], ids=[*MALFORMED, "a thousand bundles deep"])
def test_malformed_packets_are_refused(packet, capfd):
    with pytest.raises(SourceError, match="OSC"):
        read_packet(packet)
    assert capfd.readouterr() == ("", "")  # python-osc alone would log through the root logger


def test_random_packets_raise_only_source_errors():
    chance = random.Random(0)
    good = [build_msg("/control/a", [1.0, 2, "three", 2**40]).dgram, nested(3), *MALFORMED.values()]
    refused = 0
    for _ in range(20_000):
        packet = bytearray(chance.choice(good))
        for _ in range(chance.randrange(1, 5)):
            if packet:
                packet[chance.randrange(len(packet))] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
        try:
            for message, values in read_packet(bytes(packet[: chance.randrange(len(packet) + 1)])):
                to_event(message, values)
        except SourceError:
            refused += 1
    assert 10_000 < refused < 20_000
