"""The recording of a terminal: what it shows at which time."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from record_typing import REST, STEP, animate, marks


def test_marks_are_the_dots_of_braille_and_the_text_of_each_row() -> None:
    assert marks(["⠁ ⢀", "two words  "]) == {(0, 0, "0"), (0, 2, "7"), (1, 0, "text two words")}


def test_what_has_left_the_screen_is_hidden_in_the_last_picture() -> None:
    dot, other = (0, 0, "0"), (0, 1, "0")
    page = animate([{dot}, {dot, other}, {other}], columns=2, rows=1)
    leaves, stays = re.findall(r'<g style="(.*?)animation-name:.*?<path d="(.*?)"/>', page)
    assert leaves == ("opacity:0;", "m2 2h0")
    assert stays == ("", "m10 2h0")


def test_a_mark_appears_at_its_time() -> None:
    page = animate([set(), {(0, 0, "text a < b")}], columns=5, rows=1)
    begin = 100 * STEP / (STEP + REST)
    assert f"@keyframes a0{{0%{{opacity:0}}{begin:.2f}%{{opacity:1}}}}" in page
    assert "a &lt; b" in page
