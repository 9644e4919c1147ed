"""Keeps files: refuses outputs that would replace what a command reads, and confines what events read and write."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from vrnn_engine.cli.request import Request
from vrnn_engine.cli.usage import WrongOption

if TYPE_CHECKING:
    from vrnn_engine.runtime.live.safety.places import Places


def check_outputs(asked: Request, to: str) -> None:
    """Raise `WrongOption` if an output of `stream` or `write` would replace another of their files.

    Parameters
    ----------
    asked : Request
    to : str
        The target.
    """
    from vrnn_engine.runtime.options import split_target

    target = split_target(to)[0]
    text = asked.text.file if asked.text is not None else None
    read = {"--from": asked.listening, "--prime": asked.prime, "--timeline": asked.timeline, "--file": text}
    check_replaced("--to", target, read)
    if asked.record is not None:
        if asked.record.suffix.lower() != ".jsonl":
            raise WrongOption(f"writes JSON lines, and {asked.record} does not end in .jsonl", param_hint="--record")
        check_replaced("--record", asked.record, {**read, "--to": target})


def check_replaced(option: str, output: str | Path, others: dict[str, str | Path | None]) -> None:
    """Raise `WrongOption` if an output is the file of another option.

    Parameters
    ----------
    option : str
        The option that names the output.
    output : str or path
    others : dict of str to str, path or None
        The options that name the other files, with their values.
    """
    for other, path in others.items():
        if path is not None and _same_file(output, path):
            raise WrongOption(f"would replace {path}, the file of {other}; choose another name", param_hint=option)


def places_of(asked: Request) -> "Places":
    """Return what events may read and write.

    Parameters
    ----------
    asked : Request
    """
    from vrnn_engine.runtime.live.safety.places import Places

    usual = [Path()] if asked.timeline is None else [Path(), asked.timeline.parent]
    return Places.within([*usual, *asked.allow], asked.overwrite, devices=asked.allow)


def _same_file(one: str | Path, other: str | Path) -> bool:
    if str(one) == "-":  # stdout, or stdin
        return False
    try:
        return os.path.realpath(one) == os.path.realpath(other) or os.path.samefile(one, other)
    except (OSError, ValueError):  # one of them is no file yet, or no name of a file
        return False
