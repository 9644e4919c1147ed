"""Formats the `--help` texts: options in named groups, examples at the end, without importing rich."""

from typing import Any

import typer.core


class GroupedHelp(typer.core.TyperCommand):
    """A command that lists its options under the group that their `rich_help_panel` names.

    Typer groups options only when rich prints the help, and importing rich takes longer than the rest of `--help`.
    Options without a group come first, under "Options"; the groups follow in the order of their first option.
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
        """Write the epilog without indentation, aligned with the titles of the groups."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write_text(self.epilog)


def examples(*pairs: tuple[str, str]) -> str:
    """Return the text of an "Examples" section, for the epilog of a command.

    Parameters
    ----------
    *pairs : tuple of (str, str)
        Purpose and command line of each example.
    """
    # click does not wrap the lines of a paragraph that begins with \b.
    return "\n\n".join(["Examples:", *(f"\b\n  # {purpose}\n  {command}" for purpose, command in pairs)])
