"""G-code for Grbl, Marlin and Klipper: each program's own commands, in its own units, and the same drawing."""

import re
from pathlib import Path

import pytest
from support.pen_helpers import send, writing

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks import make_sink

NUMBER = r"-?\d+(?:\.\d+)?"
COMMANDS = {
    "grbl": rf"G21|G90|G94|M0|M3 S90|M5|G4 P{NUMBER}|G0 X{NUMBER} Y{NUMBER}|G1 X{NUMBER} Y{NUMBER} F\d+",
    "marlin": rf"G21|G90|M0|M400|M280 P0 S(?:90|0)|G4 P\d+|G[01] X{NUMBER} Y{NUMBER} F\d+",
    "klipper": rf"G21|G90|PAUSE|SET_SERVO SERVO=pen ANGLE=(?:90|0)|G4 P\d+|G[01] X{NUMBER} Y{NUMBER} F\d+",
}
"""All that each program is sent; it reports an error for commands of another one."""
DOWN = {"grbl": "M3 S90", "marlin": "M280 P0 S90", "klipper": "SET_SERVO SERVO=pen ANGLE=90"}
UP = {"grbl": "M5", "marlin": "M280 P0 S0", "klipper": "SET_SERVO SERVO=pen ANGLE=0"}


def lines_of(path: Path, options: str) -> list[str]:
    send(f"{path}?width=120&height=60&{options}", writing(1500))
    return path.read_text().splitlines()


def strokes_of(lines: list[str], down: str, up: str) -> list[list[tuple[float, float]]]:
    strokes: list[list[tuple[float, float]]] = []
    here, drawing = (0.0, 0.0), False
    for line in lines:
        if line == down:
            assert not drawing
            drawing = True
            strokes.append([here])
        elif line == up:
            drawing = False
        elif "X" in line:
            assert line.startswith("G1" if drawing else "G0")
            here = tuple(float(text) for text in re.findall(rf"[XY]({NUMBER})", line))
            if drawing:
                strokes[-1].append(here)
    assert not drawing
    return strokes


@pytest.mark.parametrize("dialect", COMMANDS)
def test_each_program_gets_only_its_own_commands_and_draws_the_same(tmp_path: Path, dialect: str) -> None:
    lines = lines_of(tmp_path / "a.gcode", f"dialect={dialect}&settle=0.25")
    assert [line for line in lines if not re.fullmatch(COMMANDS[dialect], line)] == []
    assert "PAUSE" in lines or "M0" in lines
    plain = lines_of(tmp_path / "b.gcode", "dialect=grbl")
    assert strokes_of(lines, DOWN[dialect], UP[dialect]) == strokes_of(plain, DOWN["grbl"], UP["grbl"])


@pytest.mark.parametrize(("dialect", "line"), [("grbl", "G4 P0.25"), ("marlin", "G4 P250"), ("klipper", "G4 P250")])
def test_a_slow_servo_is_waited_for_in_the_units_of_the_program(tmp_path: Path, dialect: str, line: str) -> None:
    lines = lines_of(tmp_path / "a.nc", f"dialect={dialect}&settle=0.25")
    moved = [index for index, text in enumerate(lines) if text in (DOWN[dialect], UP[dialect])]
    assert {lines[index + 1] for index in moved} == {line}
    assert not any(text.startswith("G4") for text in lines_of(tmp_path / "b.nc", f"dialect={dialect}&settle=0"))


def test_marlin_moves_the_pen_only_when_the_moves_are_done(tmp_path: Path) -> None:
    lines = lines_of(tmp_path / "a.gcode", "dialect=marlin")
    assert {lines[index - 1] for index, text in enumerate(lines) if text.startswith("M280")} == {"M400"}


@pytest.mark.parametrize("dialect", ["marlin", "klipper"])
def test_the_pen_commands_of_a_dialect_can_be_replaced(tmp_path: Path, dialect: str) -> None:
    lines = lines_of(tmp_path / "a.gcode", f"dialect={dialect}&down=G1 Z0 F600&up=G1 Z4 F600&start=G28")
    assert lines[0] == "G28"
    assert "G1 Z0 F600" in lines
    assert not any(text.startswith(("M280", "SET_SERVO")) for text in lines)
    assert len(strokes_of(lines, "G1 Z0 F600", "G1 Z4 F600")) > 50


@pytest.mark.parametrize("dialect", ["marlin", "klipper"])
def test_a_serial_port_takes_grbl_alone(dialect: str) -> None:
    with pytest.raises(
        SinkError, match=f"dialect cannot be '{dialect}'; give grbl; for other machines write FILE.gcode"
    ):
        make_sink(f"serial:/dev/x?format=gcode&dialect={dialect}")
