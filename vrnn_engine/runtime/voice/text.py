"""The text that a voice reads: its entry in the manifest, and the check that the graphs fit it."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from vrnn_engine.errors import VoiceError

CHARACTERS, POSITION, ATTENTION = "text.characters", "text.position", "text.attention"
"""The input and the outputs of the graphs of a voice that reads a text."""
NONE, END = "", "\n"
"""The first and the last entry of an alphabet: no character, and the end of a line."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a voice reads a text."""

    alphabet: Annotated[tuple[str, ...], msgspec.Meta(min_length=3, max_length=4096)]
    """The characters; the place of one in this list is its index in `text.characters`. The first entry is the empty
    string, for no character; the last is a newline, for the end of a line; the others are one character each."""
    window: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    """W, the number of characters that a step reads: the width of `text.characters` and of `text.attention`."""
    position: Name
    """Name, without `state.`, of the state that is the reading position. Subtract n from it to move the window on by n
    characters."""
    first_position: Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]
    """`text.position` where the state `position` is 0."""
    restart: Annotated[tuple[Name, ...], msgspec.Meta(max_length=256)]
    """Names, without `state.`, of the states that are zero at the beginning of each line; the others are kept."""
    line_height: Annotated[float, msgspec.Meta(gt=0, le=1e9)]
    """Distance of two baselines, in the unit of the voice."""

    @property
    def writable(self) -> tuple[str, ...]:
        """The characters that a text may have, without the end of a line."""
        return self.alphabet[1:-1]


def readable_alphabet(text: Text) -> str:
    """Return the characters of an alphabet on one line: runs as `a-z`, and the space by its name.

    Parameters
    ----------
    text : Text
        The entry of the manifest.
    """
    characters = [c for c in text.writable if c != " "]
    runs: list[list[str]] = []
    for one in characters:
        if runs and one.isalnum() and ord(one) == ord(runs[-1][-1]) + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 2 else " ".join(run) for run in runs]
    return " ".join(["space"] * (" " in text.writable) + parts)


def check_text(
    text: Text | None,
    inputs: Mapping[str, tuple[int, ...]],
    outputs: Mapping[str, tuple[int, ...]],
    where: str,
) -> None:
    """Check that a graph reads a text if and only if the manifest says so, and that the two agree.

    Parameters
    ----------
    text : Text or None
        The entry of the manifest.
    inputs, outputs : mapping of str to tuple of int
        Names and shapes, without the batch, of the inputs and outputs of the graph.
    where : str
        The manifest and the graph, for error messages.

    Raises
    ------
    VoiceError
        The alphabet is not valid, an input, output or state is missing or has the wrong shape, or a graph reads a text
        that the manifest does not describe.
    """
    if text is None:
        found = sorted(name for name in (*inputs, *outputs) if name.startswith("text."))
        if found:
            raise VoiceError(f"{where}: has {found[0]}, but the manifest has no `text`; export the voice again")
        return
    _check_alphabet(text.alphabet, where)
    width = (text.window,)
    wanted = ((inputs, CHARACTERS, width), (outputs, POSITION, ()), (outputs, ATTENTION, width))
    for shapes, name, shape in (*wanted, (inputs, f"state.{text.position}", (1,))):
        if tuple(shapes.get(name, (0,))) != shape:
            raise VoiceError(
                f"{where}: reads a text, so it needs {name} of shape {list(shape)}; export the voice again"
            )
    for name in text.restart:
        if f"state.{name}" not in inputs:
            raise VoiceError(f"{where}: `text.restart` names {name!r}, but there is no state of this name")


def _check_alphabet(alphabet: tuple[str, ...], where: str) -> None:
    if alphabet[0] != NONE or alphabet[-1] != END:
        raise VoiceError(f"{where}: `text.alphabet` must begin with an empty string and end with a newline")
    for place, character in enumerate(alphabet[1:], 1):
        if len(character) != 1:
            raise VoiceError(f"{where}: `text.alphabet` has {character!r} at {place}, which is not one character")
        if character in alphabet[:place]:
            raise VoiceError(f"{where}: `text.alphabet` has {character!r} twice")
