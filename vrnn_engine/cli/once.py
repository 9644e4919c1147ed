"""A command that rejects an option that is given twice."""

from typing import Any

from typer.core import TyperOption

from vrnn_engine.cli.help import GroupedHelp
from vrnn_engine.cli.usage import WrongOption


class OnceCommand(GroupedHelp):
    """A command whose options may be given only once, except repeatable options and switches.

    Click uses the last value and ignores the others, so `--to a.wav --to b.wav` would silently write only one file.
    An argument too many is an error that says how to write it.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; raise a usage error if an option is given twice, or an argument too many."""
        _, extra, given = self.make_parser(ctx).parse_args(args=list(args))
        seen = set()
        for parameter in given:
            once = isinstance(parameter, TyperOption) and not (parameter.multiple or parameter.is_flag)
            if once and parameter.name in seen:
                raise WrongOption("is given twice; give it once", ctx, param_hint=max(parameter.opts, key=len))
            seen.add(parameter.name)
        if extra and not {"-h", "--help"} & {*args}:
            raise WrongOption(self._advice(extra[0]), ctx, param_hint=extra[0])
        return super().parse_args(ctx, args)

    def _advice(self, word: str) -> str:
        """Return what to do with an argument too many, as the end of a sentence."""
        if self.name == "write":
            return 'is an argument too many; put a text with spaces in quotation marks: "Dear Anna"'
        if self.name == "stream":
            return f"is an argument, and this command takes none; write --voice {word}"
        return "is an argument too many"
