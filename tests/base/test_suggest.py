"""Known names that resemble an unknown one."""

import pytest

from vrnn_engine.base.suggest import suggest


@pytest.mark.parametrize(
    ("wanted", "known", "end"),
    [
        ("blizard", ["handwriting", "blizzard"], "; did you mean 'blizzard'? voices here: blizzard, handwriting"),
        ("xyz", ["b", "a"], "; voices here: a, b"),
        ("xyz", [], "; voices here: none"),
    ],
)
def test_near_names_are_suggested(wanted: str, known: list[str], end: str) -> None:
    assert suggest(wanted, known, "voices here") == end
