"""A command that rejects an option that is given twice."""

from typing import Any

import typer
from typer.core import TyperOption

from vrnn_engine.cli.help import GroupedHelp


class OnceCommand(GroupedHelp):
    """A command whose options may be given only once, except repeatable options and switches.

    Click uses the last value and ignores the others, so `--to a.wav --to b.wav` would silently write only one file.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; raise a usage error if an option is given twice."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        seen = set()
        for parameter in given:
            once = isinstance(parameter, TyperOption) and not (parameter.multiple or parameter.is_flag)
            if once and parameter.name in seen:
                raise typer.BadParameter("is given twice; give it once", ctx, param_hint=max(parameter.opts, key=len))
            seen.add(parameter.name)
        return super().parse_args(ctx, args)
