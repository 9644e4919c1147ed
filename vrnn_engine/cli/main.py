"""`vrnn-engine`: gathers the verbs.  Each lives in a module of its own and imports what is heavy only when it runs."""

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, TextIO, cast

import typer

import vrnn_engine
from vrnn_engine.cli import report

# A verb is one function, or for those that have verbs of their own an `app`, in the module of its name.
VERBS = ("stream", "train", "evaluate", "export", "latents", "devices", "doctor", "bench", "voices")


def gather(words: Sequence[str] = ()) -> typer.Typer:
    """Return the command line: with all verbs, or where the words begin with one, with this one alone.

    The others would delay its first sample, by as much as they take to import and to describe.
    """
    app = typer.Typer(
        name="vrnn-engine",
        help="Steps variational recurrent neural networks as live streams of sound and ink.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
        rich_markup_mode=None,  # plain text: at once, and the same in a terminal, a pipe and a README
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_options,
    )
    wanted = next((word for word in words if not word.startswith("-")), "")
    for name in (wanted,) if wanted in VERBS else VERBS:
        module = importlib.import_module(f"vrnn_engine.cli.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(report.guard(getattr(module, name)))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        report.answer(f"vrnn-engine {vrnn_engine.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    report.set_debug(debug)


def run() -> None:
    """Run the command line of this process (the entry point); ends it with the exit code."""
    if sys.stderr is not None:  # it is where it was closed from the beginning
        sys.stderr = cast(TextIO, report.Tolerant(sys.stderr))
    try:
        gather(sys.argv[1:])(prog_name="vrnn-engine")
    # Outside any verb: while it starts, or while help or version are printed.
    except (KeyboardInterrupt, OSError, vrnn_engine.VRNNEngineError) as error:
        sys.exit(report.explain(error))
