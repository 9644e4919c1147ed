"""A command that rejects an option that is given twice, and an argument too many."""

from collections.abc import Callable, Collection
from typing import Any

from typer.core import TyperOption

from vrnn_engine.cli.help import GroupedHelp
from vrnn_engine.cli.usage import WrongOption

Advice = Callable[[str, Collection[str]], str]


class OnceCommand(GroupedHelp):
    """A command whose options may be given only once, except repeatable options and switches.

    Click uses the last value and ignores the others, so `--to a.wav --to b.wav` would silently write only one file.

    Attributes
    ----------
    advice : callable
        Returns what to do with an argument too many, as the end of a sentence, from the argument and the names of the
        given parameters.
    """

    advice: Advice = staticmethod(lambda word, given: "is an argument too many")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; raise a usage error if an option is given twice, or an argument too many."""
        _, extra, given = self.make_parser(ctx).parse_args(args=list(args))
        seen = set()
        for parameter in given:
            once = isinstance(parameter, TyperOption) and not (parameter.multiple or parameter.is_flag)
            if once and parameter.name in seen:
                raise WrongOption("is given twice; give it once", ctx, param_hint=max(parameter.opts, key=len))
            seen.add(str(parameter.name))
        if extra and not {"-h", "--help"} & {*args}:
            raise WrongOption(self.advice(extra[0], seen), ctx, param_hint=extra[0])
        return super().parse_args(ctx, args)


def advised(advice: Advice | None) -> type[OnceCommand]:
    """Return the class of commands with this advice, or with the usual one for None."""
    return OnceCommand if advice is None else type("AdvisedCommand", (OnceCommand,), {"advice": staticmethod(advice)})
