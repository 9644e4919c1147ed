"""MIDI: controllers turn controls and are learned by moving them; a device may be unplugged and come back."""

import json
import logging
import threading

import numpy as np
import pytest
from support.load_test import (
    BY_MIDI,
    HEAT,
    KNOBS,
    SHIFT,
    LoopbackInputs,
    bind_controllers,
    count_lost_midi,
    lateness,
    move,
    send_midi,
)
from support.steered import skip_unless_calm, wait_until

from vrnn_engine import ControlError, SourceError
from vrnn_engine.runtime.live.control import midi as midi_module
from vrnn_engine.runtime.live.control.midi import Midi
from vrnn_engine.runtime.live.control.midi_map import Binding, MidiMap
from vrnn_engine.runtime.live.control.midi_ports import SystemInputs
from vrnn_engine.runtime.live.events import Set

mido = pytest.importorskip("mido", reason="mido comes with the extra `live`")


@pytest.fixture
def said(monkeypatch):
    lines, log = [], logging.getLogger("vrnn_engine")
    for level in ("info", "warning"):
        monkeypatch.setattr(log, level, lambda line, *given: lines.append(line % given))
    return lines


@pytest.fixture
def loop(monkeypatch):
    monkeypatch.setattr(midi_module, "LOOK_INTERVAL", 0.01)
    return LoopbackInputs()


@pytest.fixture
def system():
    """The MIDI inputs of this machine; skips the test if it has none."""
    try:
        return SystemInputs()
    except SourceError as error:
        pytest.skip(str(error))


@pytest.fixture
def bindings(tmp_path):
    made = MidiMap(tmp_path / "config" / "midi.json")
    bind_controllers(made)
    return made


def finish(midi, loop):
    """Stop after all messages sent have been read."""
    wait_until(lambda: not loop.port.waiting)
    midi.stop()


def check_a_thousand_a_second(performance, midi, seconds, output):
    midi.start(performance)
    out, sent = output(), []
    sender = threading.Thread(target=lambda: sent.extend(send_midi(out, 1000 * seconds)))
    with performance.playing() as player:
        sender.start()
        sender.join()
        wait_until(lambda: len(performance.applied) >= len(sent))
        underruns = player.underruns
    midi.stop()
    assert count_lost_midi(performance, len(sent)) == 0
    skip_unless_calm(sent)
    assert np.quantile(lateness(performance, BY_MIDI, sent), 0.99) <= 2
    assert underruns == 0


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_no_message_of_a_thousand_a_second_is_lost_or_late(performance, loop, bindings, seconds):
    check_a_thousand_a_second(performance, Midi("knobs", bindings, inputs=loop), seconds, lambda: loop.port)


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_no_message_is_lost_through_a_virtual_port_of_the_system(performance, system, bindings, seconds):
    def output():
        return mido.open_output(next(name for name in mido.get_output_names() if "vrnn-test" in name))

    check_a_thousand_a_second(performance, Midi("virtual:vrnn-test", bindings, inputs=system), seconds, output)


def test_the_ends_of_a_controller_are_the_ends_of_the_range(performance, loop, bindings):
    bindings.bind(Binding(channel=16, cc=127, control=HEAT, low=1.5, high=-99))
    midi = Midi("KNOBS", bindings, inputs=loop)
    midi.start(performance)
    for value, channel, cc in ((0, 0, 2), (127, 0, 2), (0, 15, 127), (127, 15, 127), (64, 0, 99)):
        move(loop.port, cc, value, channel)
    loop.port.send(mido.Message("note_on", note=60))
    loop.port.send(mido.Message("pitchwheel", pitch=3))
    finish(midi, loop)
    performance.read(1)
    assert [(event.control, event.value) for event in performance.applied] == [
        (SHIFT, -3.0),
        (SHIFT, 3.0),
        (HEAT, 1.5),
        (HEAT, 0.0),
    ]


def test_controllers_are_learned_by_moving_them_and_saved(performance, loop, tmp_path, said):
    path = tmp_path / "config" / "midi.json"
    midi = Midi("knobs", MidiMap(path), learn=[HEAT, f"{SHIFT}/2"], inputs=loop)
    midi.start(performance)
    for value in (10, 11, 12):  # one movement
        move(loop.port, 21, value, channel=2)
    move(loop.port, 22, 0, channel=2)
    move(loop.port, 23, 127, channel=2)  # nothing is left to learn
    finish(midi, loop)
    performance.read(1)
    assert [(event.control, event.index, event.value) for event in performance.applied] == [
        *((HEAT, None, pytest.approx(2 * value / 127)) for value in (10, 11, 12)),
        (SHIFT, 2, -3.0),
    ]
    assert json.loads(path.read_text()) == {
        "midi": 1,
        "bindings": [
            {"channel": 3, "cc": 21, "control": HEAT},
            {"channel": 3, "cc": 22, "control": SHIFT, "index": 2},
        ],
    }
    assert [file.name for file in path.parent.iterdir()] == ["midi.json"]
    assert said == [
        f"MIDI: {KNOBS}",
        f"MIDI: move the controller for {HEAT}",
        f"MIDI: controller 21 of channel 3 now sets {HEAT}",
        f"MIDI: move the controller for {SHIFT}/2",
        f"MIDI: controller 22 of channel 3 now sets {SHIFT}/2",
    ]

    again = Midi("knobs", MidiMap(path), inputs=loop)
    again.start(performance)
    move(loop.port, 22, 127, channel=2)
    finish(again, loop)
    performance.read(1)
    assert performance.applied[-1] == Set(frame=1, control=SHIFT, index=2, value=3.0)


def test_a_new_binding_replaces_those_of_its_controller_and_control(bindings):
    bindings.bind(Binding(channel=1, cc=9, control=HEAT))  # another controller of this control
    bindings.bind(Binding(channel=1, cc=2, control="latent.temperature"))  # another control of this controller
    assert {(one.cc, one.control) for one in MidiMap(bindings.path).bindings.values()} == {
        (9, HEAT),
        (2, "latent.temperature"),
        (3, SHIFT),
    }


def test_a_binding_that_cannot_be_written_is_logged_and_works(performance, loop, tmp_path, said):
    midi = Midi("knobs", MidiMap(tmp_path / "config" / "midi.json"), [HEAT], loop)
    (tmp_path / "config").write_text("in the way")
    midi.start(performance)
    move(loop.port, 21, 127)
    finish(midi, loop)
    performance.read(1)
    assert performance.controls[HEAT] == 2.0
    assert "cannot save the MIDI binding" in said[-1]


def test_an_unplugged_device_is_opened_again_when_it_is_back(performance, loop, bindings, said):
    midi = Midi("knobs", bindings, inputs=loop)
    midi.start(performance)
    with performance.playing() as player:
        loop.plugged.remove(KNOBS)
        wait_until(lambda: len(said) == 2)
        frame = performance.frame
        wait_until(lambda: performance.frame > frame + 8)
        loop.plugged.append("Knobs 24:0")  # ALSA gives it a new number
        wait_until(lambda: len(said) == 3)
        move(loop.port, 1, 127)
        wait_until(lambda: performance.applied)
        assert player.running
    midi.stop()
    assert performance.controls[HEAT] == 2.0
    assert said == [
        f"MIDI: {KNOBS}",
        "MIDI: knobs was unplugged; waiting for it to come back",
        "MIDI: Knobs 24:0 is back",
    ]


def test_a_binding_of_a_missing_control_has_no_effect(performance, loop, bindings, said):
    bindings.bind(Binding(channel=1, cc=4, control="output.voicing"))
    bindings.bind(Binding(channel=1, cc=5, control=SHIFT, index=60))
    midi = Midi("knobs", bindings, inputs=loop)
    midi.start(performance)
    move(loop.port, 4, 127)
    move(loop.port, 5, 127)
    move(loop.port, 5, 126)
    finish(midi, loop)
    performance.read(1)
    assert performance.applied == []
    assert said[1:] == [
        "MIDI: controller 5 of channel 1: control 'latent.shift' has no dimension 60, only 0 to 3",
        "1 more line not shown",
    ]


@pytest.mark.parametrize(
    ("name", "learn", "error", "message"),
    [
        ("knbs", [], SourceError, f"no MIDI input's name contains 'knbs'.*{KNOBS}"),
        ("knobs", ["output.heat"], ControlError, "unknown control 'output.heat'"),
        ("knobs", [f"{SHIFT}/4"], ControlError, "no dimension 4"),
        ("knobs", [f"{HEAT}/x"], ControlError, "unknown control 'output.temperature/x'"),
    ],
)
def test_a_wrong_name_or_control_is_refused(performance, loop, bindings, name, learn, error, message):
    with pytest.raises(error, match=message):
        Midi(name, bindings, learn, loop).start(performance)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a file of MIDI bindings"),
        ('{"midi": 1, "bindings": [{"channel": 0, "cc": 1, "control": "a"}]}', r"not a file.*bindings\[0\].channel"),
        ('{"midi": 1, "bindings": [{"channel": 1, "cc": 1, "contrl": "a"}]}', "not a file.*contrl"),
        ('{"midi": 2}', "version 2 is newer"),
        ("\xff", "not a file"),
    ],
)
def test_a_malformed_file_of_bindings_is_refused(tmp_path, text, message):
    (tmp_path / "midi.json").write_text(text, "latin-1")
    with pytest.raises(SourceError, match=message):
        MidiMap(tmp_path / "midi.json")


def test_the_file_of_bindings_is_in_the_configuration_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("VRNN_ENGINE_CONFIG", str(tmp_path))
    assert MidiMap().path == tmp_path / "midi.json"
    monkeypatch.delenv("VRNN_ENGINE_CONFIG")
    assert MidiMap().path.name == "midi.json"
    assert "vrnn-engine" in MidiMap().path.parts
