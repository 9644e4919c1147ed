"""Layout of the `--help` texts: options in named groups, examples at the end, no import of rich."""

from typing import Any

import typer.core


class GroupedHelp(typer.core.TyperCommand):
    """A command that lists its options under the `rich_help_panel` they name.

    Typer groups options only when rich prints the help, and importing rich takes longer than all the rest of
    `--help`.  Options without a panel come first, under "Options"; the groups follow in the order of their first
    option.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then one section of options for each group."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                default = "Arguments" if parameter.param_type_name == "argument" else "Options"
                group = getattr(parameter, "rich_help_panel", None) or default
                groups.setdefault(group, []).append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the epilog without indentation, in line with the titles of the groups."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write_text(self.epilog)


def examples(*pairs: tuple[str, str]) -> str:
    """Return the text of an "Examples" section, to be the epilog of a command.

    Parameters
    ----------
    *pairs : tuple of (str, str)
        What an example does, and its command line.
    """
    # Lines of a paragraph that begins with \b are not wrapped.
    return "\n\n".join(["Examples:", *(f"\b\n  # {purpose}\n  {command}" for purpose, command in pairs)])
