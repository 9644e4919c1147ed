"""`vrnn-engine write` on a plotter that waits for paper, and in a terminal while somebody types."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment
from support.grbl_machine import NO_DELAY, GrblMachine
from support.pen_helpers import read_gcode
from support.typist import typing

PAGE = "width=400&height=60&margin=5"
FULL = "the page is full: change the paper when the plotter has stopped, then press Enter\n"


@pytest.mark.slow
def test_a_long_letter_waits_for_paper_until_all_of_it_is_drawn(text_voice: Path, tmp_path: Path) -> None:
    pytest.importorskip("serial", reason="pyserial comes with the extra `dev`")
    (tmp_path / "letter.txt").write_text("a\nb\n" * 6)
    words = ["write", "--file", "letter.txt", "--voice", str(text_voice), "--seed", "3", "--to"]
    command = [sys.executable, "-m", "vrnn_engine", *words]
    subprocess.run([*command, f"page.gcode?{PAGE}"], cwd=tmp_path, check=True, env=environment())
    pages = read_gcode(tmp_path / "page.gcode")
    assert len(pages) > 2
    with GrblMachine(reach=(400, 60)) as machine:
        running = subprocess.Popen(
            [*command, f"serial:{machine.port}?format=gcode&{PAGE}{NO_DELAY}"],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert running.stdin is not None
        assert running.stderr is not None
        running.stderr.readline()
        for number in range(1, len(pages)):
            assert running.stderr.readline() == FULL
            assert len(machine.strokes) == sum(map(len, pages[:number]))
            running.stdin.write("\n")
            running.stdin.flush()
        _, rest = running.communicate(timeout=300)
        assert running.returncode == 0, rest
        assert f" lines, {len(pages)} pages, " in rest
        assert len(machine.strokes) == sum(map(len, pages))


@pytest.mark.slow
def test_a_piped_text_is_not_read_as_keys_that_turn_the_page(text_voice: Path, tmp_path: Path) -> None:
    """Without a terminal nobody can say that the paper is changed, so the plot ends after a page."""
    pytest.importorskip("serial", reason="pyserial comes with the extra `dev`")
    with GrblMachine(reach=(400, 60)) as machine:
        to = f"serial:{machine.port}?format=gcode&{PAGE}{NO_DELAY}"
        done = subprocess.run(
            [sys.executable, "-m", "vrnn_engine", "write", "-", "--voice", str(text_voice), "--seed", "3", "--to", to],
            cwd=tmp_path,
            input="a\nb\n" * 6,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            start_new_session=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "there is no terminal, so no further page is drawn" in done.stderr
        assert len(machine.strokes) > 0


def test_what_is_typed_is_written_in_the_terminal(text_voice: Path, tmp_path: Path) -> None:
    with typing(str(text_voice), tmp_path) as typist:
        typist.type("one twx")
        typist.wait_for("twx_   ")
        typist.type("\x7fo\n")
        typist.wait_for("_   Ctrl-D ends, ")
        typist.type("the end\x04")
    assert f"{len('one two') + 1 + len('the end')} characters, 2 lines, 1 page, " in typist.seen
    assert any("\u2800" < character < "\u28ff" for character in typist.seen)
