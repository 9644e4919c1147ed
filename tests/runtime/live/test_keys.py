"""Keys: what each does to a performance, and what the panel shows."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from support.steered import Device, TimedPerformance

from vrnn_engine import Engine, Player
from vrnn_engine.cli.panel import Panel
from vrnn_engine.runtime.live.control.keys import Keyboard
from vrnn_engine.runtime.live.events import Follow, Reset, Restore, Rewind, Save, Trace
from vrnn_engine.runtime.sinks import Format

HEAT, SHIFT = "output.temperature", "latent.shift"


def press(keyboard: Keyboard, *keys: str) -> None:
    for key in keys:
        assert keyboard.press(key)


def test_keys_choose_and_turn_controls(performance: TimedPerformance) -> None:
    keyboard = Keyboard(performance)
    assert keyboard.chosen == "latent.temperature"
    press(keyboard, "down", "up", "up", "up", "up", "up")
    assert keyboard.chosen == HEAT
    press(keyboard, "right", "right", "right", "left", "shift-right")  # all before the next frame
    performance.read(1)
    assert performance.controls[HEAT] == pytest.approx(1 + 2 * 0.12)
    press(keyboard, "shift-right", *["shift-right"] * 9)
    performance.read(1)
    assert performance.controls[HEAT] == 2.0
    press(keyboard, "d")
    performance.read(1)
    assert performance.controls[HEAT] == 1.0


def test_keys_turn_one_dimension_or_all(performance: TimedPerformance) -> None:
    keyboard = Keyboard(performance)
    press(keyboard, "down", "down")
    assert keyboard.chosen == SHIFT
    for key, dimension in (*zip("]]]]]", (0, 1, 2, 3, None), strict=True), *zip("[[", (3, 2), strict=True)):
        press(keyboard, key)
        assert keyboard.dimension == dimension
    press(keyboard, "shift-left")
    performance.read(1)
    press(keyboard, "]", "]", "shift-right", "shift-right")
    performance.read(1)
    assert performance.controls[SHIFT].tolist() == pytest.approx([1.2, 1.2, 0.6, 1.2])
    press(keyboard, "[", "d")
    performance.read(1)
    assert performance.controls[SHIFT].tolist() == pytest.approx([1.2, 1.2, 0.6, 0])


def test_keys_save_restore_rewind_and_reset(performance: TimedPerformance) -> None:
    keyboard = Keyboard(performance)
    press(keyboard, "s")
    assert keyboard.message == "save the state as 1 to 9?"
    press(keyboard, "7")
    performance.read(1)
    press(keyboard, "7", "b", "r", "8")
    assert keyboard.message.startswith("no saved state '8'; there are: none (in /")
    assert keyboard.line.startswith("no saved state '8'; there are: none (in /")
    performance.read(1)
    press(keyboard, "s", "x", "7")  # another key in between cancels the save
    performance.read(1)
    assert [type(event) for event in performance.applied] == [Save, Restore, Rewind, Reset, Restore]
    assert keyboard.message == "restored 7"


def test_a_key_holds_and_releases_the_latent(performance: TimedPerformance) -> None:
    keyboard = Keyboard(performance)
    performance.read(5)
    now = performance.stream.latent
    press(keyboard, "h")
    performance.read(1)
    assert np.array_equal(performance.stream.latent, now)
    performance.read(9)
    assert np.array_equal(performance.stream.latent, now)
    press(keyboard, "h")
    performance.read(1)
    assert not np.array_equal(performance.stream.latent, now)
    assert not performance.controls["latent.hold"].any()


def test_a_key_loops_the_latents_until_they_are_released(performance: TimedPerformance) -> None:
    keyboard = Keyboard(performance)
    size = round(2 * performance.voice.manifest.frames_per_second)
    latents = []
    for _ in range(size + 3):
        performance.read(1)
        latents.append(performance.stream.latent)
    press(keyboard, "l")
    for frame in range(2 * size + 5):
        performance.read(1)
        assert np.allclose(performance.stream.latent, np.clip(latents[3 + frame % size], -3, 3), atol=1e-6)
    press(keyboard, "h")
    performance.read(1)
    assert not np.allclose(performance.stream.latent, latents[3 + 5], atol=1e-6)
    assert not performance.controls["latent.hold"].any()
    assert [type(event) for event in performance.applied[:2]] == [Trace, Follow]


def test_a_key_binds_a_midi_controller(performance: TimedPerformance) -> None:
    wanted: list[str] = []
    keyboard = Keyboard(performance, wanted.append)
    press(keyboard, "m", "down", "down", "]", "m")
    assert wanted == ["latent.temperature", f"{SHIFT}/0"]
    press(without := Keyboard(performance), "m")
    assert "--midi" in without.message


def test_q_ends_and_unknown_keys_do_nothing(performance: TimedPerformance) -> None:
    keyboard = Keyboard(performance)
    assert not keyboard.press("q")
    press(keyboard, "x", "\n", "é")
    performance.read(1)
    assert performance.applied == []


def test_a_voice_without_latents_cannot_hold_them(performance: TimedPerformance) -> None:
    performance.controls.specs = {HEAT: performance.controls.specs[HEAT]}
    press(keyboard := Keyboard(performance), "h")
    assert keyboard.message == "this voice has no latents to hold"
    performance.read(1)
    assert performance.applied == []


def panel(
    performance: TimedPerformance,
    width: int = 80,
    height: int = 24,
    keys: bool = True,
    encoding: str = "utf-8",
    to: Any = "null",
) -> list[str]:
    """Return the lines of a panel in a terminal of that size."""
    with open(os.devnull, "w", encoding=encoding) as nowhere:
        console = Console(file=nowhere, width=width, height=height, force_terminal=True)
        drawn = Panel(
            Player(performance, to=to), performance, console, float("inf"), Keyboard(performance) if keys else None
        ).draw()
        with console.capture() as shown:
            console.print(drawn, no_wrap=True, overflow="crop")
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.get()).splitlines()


@pytest.mark.parametrize(("kind", "shown"), [("device", "ring ███"), ("plotter", "still to be drawn 0.5 s")])
def test_a_panel_shows_the_ring_or_the_backlog(performance: TimedPerformance, kind: str, shown: str) -> None:
    sink = Device()
    sink.open(Format.of(performance.voice.manifest))
    sink.ring.write(np.zeros(8000, np.float32))
    if kind == "plotter":
        del sink.underruns
    assert any(shown in re.sub(" +", " ", line) for line in panel(performance, to=sink))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (50, 12), (200, 60)])
@pytest.mark.parametrize("modality", ["audio", "pen"])
def test_a_panel_fits_its_terminal(toy_audio: Path, modality: str, width: int, height: int) -> None:
    performance = TimedPerformance(Engine.load(toy_audio if modality == "audio" else "handwriting", "cpu"))
    assert len(panel(performance, width, height)) < height
    performance.read(200)
    lines = panel(performance, width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert "frame 200" in lines[0]
    assert any("> latent.temperature" in line for line in lines)
    if modality == "audio":
        assert any("dBFS" in line for line in lines)
    else:
        assert sum(0x2800 < ord(letter) < 0x2900 for line in lines for letter in line) > 5
    if height >= 24:
        assert any("latent.target" in line for line in lines)
        assert tuple(lines[-3:]) == Keyboard.HELP


def test_the_line_below_ink_fits_and_names_all_keys(text_voice: Path) -> None:
    performance = TimedPerformance(Engine.load(text_voice, "cpu"))
    keyboard = Keyboard(performance)
    assert keyboard.line == "latent.temperature 1   q quits; arrows [ ] d r h l b s 1-9 m"
    performance.stream.write("x" * 1000)
    assert keyboard.line == "latent.temperature 1   1,000 to come   q quits; arrows [ ] d r h l b s 1-9 m"
    assert len(keyboard.line) < 80


def test_a_panel_without_keys_and_without_unicode(performance: TimedPerformance) -> None:
    performance.read(20)
    text = "\n".join(panel(performance, keys=False, encoding="ascii"))
    assert text.isascii()
    assert "Ctrl-C ends the stream" in text
