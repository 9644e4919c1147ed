"""`vrnn-engine hands`: lists and deletes saved hands."""

from typing import Annotated

import typer

from vrnn_engine.base.text_files import printable
from vrnn_engine.cli import report
from vrnn_engine.cli.guard import guard
from vrnn_engine.cli.once import OnceCommand


def hands(context: typer.Context, json: report.AsJson = False) -> None:
    """List and delete saved hands (default: list)."""
    if context.invoked_subcommand is None:
        list_(json=json)


def list_(json: report.AsJson = False) -> None:
    """List the saved hands of all voices."""
    from vrnn_engine.runtime.hands.saved_hands import SavedHands, voices_with_hands

    found = [
        (name, voice, printable(saved.path(name)))
        for voice in voices_with_hands()
        for saved in [SavedHands(voice)]
        for name in saved.names()
    ]
    if json:
        report.print_json([{"name": name, "voice": voice, "path": path} for name, voice, path in found])
    elif found:
        report.print_table(("name", "voice", "file"), found)
    else:
        report.say("no hands saved")


def delete(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the hand.")],
    voice: Annotated[str, typer.Option(metavar="VOICE", help="Name of its voice.")] = "handwriting",
    json: report.AsJson = False,
) -> None:
    """Delete a saved hand."""
    from vrnn_engine.runtime.hands.saved_hands import SavedHands

    saved = SavedHands(voice)
    saved.delete(name)
    path = printable(saved.path(name))
    if json:
        report.print_json({"name": name, "voice": voice, "path": path})
    else:
        report.answer(f"deleted {path}")


app = typer.Typer(no_args_is_help=False)
app.callback(invoke_without_command=True)(guard(hands))
app.command("list", cls=OnceCommand)(guard(list_))
app.command("delete", cls=OnceCommand)(guard(delete))
