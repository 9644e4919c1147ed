"""Adds options of the command line to a target, for example --width to the target `page.svg`."""

from collections.abc import Collection

from vrnn_engine.cli.request import Request
from vrnn_engine.cli.usage import WrongOption


def with_options(to: str, asked: Request) -> str:
    """Return a target with the options that only pages or only sound devices have.

    Parameters
    ----------
    to : str
        The target.
    asked : Request

    Raises
    ------
    typer.BadParameter
        An option is given that the target does not have, or that it already has.
    """
    from vrnn_engine.runtime.options import split_place
    from vrnn_engine.runtime.targets import find_target

    place = split_place(to)[0]
    target = find_target(place)
    if asked.width is not None:
        if target is not None and target.modalities != ("pen",):
            raise WrongOption(f"is for a page of ink, and {to} is not one", param_hint="--width")
        to = _with_option(to, "width", f"{asked.width:g}")
    microphone = asked.listening is not None and asked.listening.partition(":")[0] == "microphone"
    is_device = place.partition(":")[0] == "speakers"
    sound = {"volume": asked.volume, "ceiling": asked.ceiling, "channels": asked.channels}
    for name, value in {**sound, "strict": True if asked.strict else None}.items():
        if value is None or (name == "strict" and microphone and not is_device):
            continue
        if not is_device:
            raise WrongOption(f"is for a sound device, and {to} is not one", param_hint=f"--{name}")
        to = _with_option(to, name, str(value).lower())
    is_file = target is not None and bool(target.ending)
    if asked.latency is not None and asked.to is not None and is_file and not microphone:
        raise WrongOption(f"is for a sound device, and {to} is a file", param_hint="--latency")
    return to


def advise_target(word: str, given: Collection[str]) -> str | None:
    """Return how to write a target that was given without `--to`, or None if a word is no target.

    Parameters
    ----------
    word : str
        The word.
    given : collection of str
        Names of the parameters that are given.
    """
    from vrnn_engine.runtime.options import split_place
    from vrnn_engine.runtime.targets import find_target

    is_target = find_target(split_place(word)[0]) is not None and "to" not in given
    return f"is an argument too many; write --to {word}" if is_target else None


def _with_option(to: str, name: str, value: str) -> str:
    from vrnn_engine.runtime.options import add_option, split_target

    if name in split_target(to)[1]:
        raise WrongOption(f"is given twice, here and in --to {to}; give it once", param_hint=f"--{name}")
    return add_option(to, name, value)
