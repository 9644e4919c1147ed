"""Keeps files: refuses outputs that would replace what the same command reads or writes."""

import os
from pathlib import Path

from vrnn_engine.cli.request import Request
from vrnn_engine.cli.usage import WrongOption


def check_outputs(asked: Request, to: str) -> None:
    """Raise `WrongOption` if an output of `stream` or `write` would replace another file, or --record is no .jsonl.

    Parameters
    ----------
    asked : Request
    to : str
        The target.
    """
    from vrnn_engine.runtime.options import split_target
    from vrnn_engine.runtime.targets import find_target

    place = split_target(to)[0]
    target = find_target(place)
    text = asked.text.file if asked.text is not None else None
    others: dict[str, str | Path | None] = {"--from": asked.listening, "--prime": asked.prime, "--file": text}
    others |= {"--timeline": asked.timeline, "--resume": asked.resume}
    if target is not None and target.ending:
        check_replaced("--to", place, others)
        others["--to"] = place
    if asked.record is not None:
        if asked.record.suffix.lower() != ".jsonl":
            raise WrongOption(f"writes JSON lines, and {asked.record} does not end in .jsonl", param_hint="--record")
        check_replaced("--record", asked.record, others)


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
            raise WrongOption(f"would replace {path}, which is also {other}; choose another name", param_hint=option)


def _same_file(one: str | Path, other: str | Path) -> bool:
    if str(one) == "-":  # stdout, or stdin
        return False
    try:
        return os.path.realpath(one) == os.path.realpath(other) or os.path.samefile(one, other)
    except (OSError, ValueError):  # one of them is no file yet, or no name of a file
        return False
