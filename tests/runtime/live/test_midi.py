"""MIDI: controllers turn controls, are learnt by moving them and kept; a device may be unplugged and come back."""

import json
import logging
import threading

import numpy as np
import pytest
from support.load_test import BY_MIDI, HEAT, KNOBS, SHIFT, Loop, bind_three, late, lost_of_midi, move, send_midi
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
    return Loop()


@pytest.fixture
def system():
    """This machine's inputs, where it has MIDI."""
    try:
        return SystemInputs()
    except SourceError as error:
        pytest.skip(str(error))


@pytest.fixture
def bindings(tmp_path):
    made = MidiMap(tmp_path / "config" / "midi.json")
    bind_three(made)
    return made


def finish(midi, loop):
    """Stop when all that was sent is read."""
    wait_until(lambda: not loop.port._messages)
    midi.stop()


def check_thousand_a_second(stage, midi, seconds, output):
    midi.start(stage)
    out, sent = output(), []
    sender = threading.Thread(target=lambda: sent.extend(send_midi(out, 1000 * seconds)))
    with stage.playing() as player:
        sender.start()
        sender.join()
        wait_until(lambda: len(stage.noted) >= len(sent))
        underruns = player.underruns
    midi.stop()
    assert lost_of_midi(stage, len(sent)) == 0
    skip_unless_calm(sent)
    assert np.quantile(late(stage, BY_MIDI, sent), 0.99) <= 2
    assert underruns == 0


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_of_a_thousand_changes_a_second_none_is_lost_or_late(stage, loop, bindings, seconds):
    check_thousand_a_second(stage, Midi("knobs", bindings, inputs=loop), seconds, lambda: loop.port)


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_nor_through_a_virtual_port_of_the_system(stage, system, bindings, seconds):
    def output():
        return mido.open_output(next(name for name in mido.get_output_names() if "vrnn-test" in name))

    check_thousand_a_second(stage, Midi("virtual:vrnn-test", bindings, inputs=system), seconds, output)


def test_ends_of_a_controller_are_the_ends_of_its_range(stage, loop, bindings):
    bindings.bind(Binding(channel=16, cc=127, control=HEAT, low=1.5, high=-99))
    midi = Midi("KNOBS", bindings, inputs=loop)
    midi.start(stage)
    for value, channel, cc in ((0, 0, 2), (127, 0, 2), (0, 15, 127), (127, 15, 127), (64, 0, 99)):
        move(loop.port, cc, value, channel)
    loop.port.send(mido.Message("note_on", note=60))
    loop.port.send(mido.Message("pitchwheel", pitch=3))
    finish(midi, loop)
    stage.read(1)
    assert [(event.control, event.value) for event in stage.noted] == [
        (SHIFT, -3.0),
        (SHIFT, 3.0),
        (HEAT, 1.5),
        (HEAT, 0.0),
    ]


def test_controllers_are_learnt_by_moving_them_and_kept(stage, loop, tmp_path, said):
    path = tmp_path / "config" / "midi.json"
    midi = Midi("knobs", MidiMap(path), learn=[HEAT, f"{SHIFT}/2"], inputs=loop)
    midi.start(stage)
    for value in (10, 11, 12):  # one movement
        move(loop.port, 21, value, channel=2)
    move(loop.port, 22, 0, channel=2)
    move(loop.port, 23, 127, channel=2)  # nothing is to be learnt any more
    finish(midi, loop)
    stage.read(1)
    assert [(event.control, event.index, event.value) for event in stage.noted] == [
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
        f"MIDI: controller 21 of channel 3 now turns {HEAT}",
        f"MIDI: move the controller for {SHIFT}/2",
        f"MIDI: controller 22 of channel 3 now turns {SHIFT}/2",
    ]

    again = Midi("knobs", MidiMap(path), inputs=loop)
    again.start(stage)
    move(loop.port, 22, 127, channel=2)
    finish(again, loop)
    stage.read(1)
    assert stage.noted[-1] == Set(frame=1, control=SHIFT, index=2, value=3.0)


def test_what_is_learnt_anew_replaces_what_was(bindings):
    bindings.bind(Binding(channel=1, cc=9, control=HEAT))  # this control's other controller
    bindings.bind(Binding(channel=1, cc=2, control="latent.temperature"))  # this controller's other control
    assert {(one.cc, one.control) for one in MidiMap(bindings.path).bindings.values()} == {
        (9, HEAT),
        (2, "latent.temperature"),
        (3, SHIFT),
    }


def test_a_map_that_cannot_be_written_is_one_line_and_turns_nevertheless(stage, loop, tmp_path, said):
    midi = Midi("knobs", MidiMap(tmp_path / "config" / "midi.json"), [HEAT], loop)
    (tmp_path / "config").write_text("in the way")
    midi.start(stage)
    move(loop.port, 21, 127)
    finish(midi, loop)
    stage.read(1)
    assert stage.controls[HEAT] == 2.0
    assert "cannot save the MIDI binding" in said[-1]


def test_unplugged_it_is_looked_for_and_the_rest_plays_on(stage, loop, bindings, said):
    midi = Midi("knobs", bindings, inputs=loop)
    midi.start(stage)
    with stage.playing() as player:
        loop.plugged.remove(KNOBS)
        wait_until(lambda: len(said) == 2)
        frame = stage.frame
        wait_until(lambda: stage.frame > frame + 8)
        loop.plugged.append("Knobs 24:0")  # ALSA counts on
        wait_until(lambda: len(said) == 3)
        move(loop.port, 1, 127)
        wait_until(lambda: stage.noted)
        assert player.running
    midi.stop()
    assert stage.controls[HEAT] == 2.0
    assert said == [
        f"MIDI: {KNOBS}",
        "MIDI: knobs was unplugged; waiting for it to come back",
        "MIDI: Knobs 24:0 is back",
    ]


def test_bindings_of_another_voice_turn_nothing_here(stage, loop, bindings, said):
    bindings.bind(Binding(channel=1, cc=4, control="output.voicing"))
    bindings.bind(Binding(channel=1, cc=5, control=SHIFT, index=60))
    midi = Midi("knobs", bindings, inputs=loop)
    midi.start(stage)
    move(loop.port, 4, 127)
    move(loop.port, 5, 127)
    move(loop.port, 5, 126)
    finish(midi, loop)
    stage.read(1)
    assert stage.noted == []
    assert said[1:] == [
        "MIDI: controller 5 of channel 1: control 'latent.shift' has no dimension 60: they are 0 to 3",
        "1 more lines like this not shown",
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
def test_what_cannot_be_is_one_line(stage, loop, bindings, name, learn, error, message):
    with pytest.raises(error, match=message):
        Midi(name, bindings, learn, loop).start(stage)


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
def test_a_map_that_is_none_is_one_line(tmp_path, text, message):
    (tmp_path / "midi.json").write_text(text, "latin-1")
    with pytest.raises(SourceError, match=message):
        MidiMap(tmp_path / "midi.json")


def test_the_map_is_in_the_users_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("VRNN_ENGINE_CONFIG", str(tmp_path))
    assert MidiMap().path == tmp_path / "midi.json"
    monkeypatch.delenv("VRNN_ENGINE_CONFIG")
    assert MidiMap().path.name == "midi.json"
    assert "vrnn-engine" in MidiMap().path.parts
