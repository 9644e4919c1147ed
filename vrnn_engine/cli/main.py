"""The program `vrnn-engine`: collects its commands (verbs), one per module; they import heavy libraries when run."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import vrnn_engine
from vrnn_engine.cli import guard, report, standard_streams
from vrnn_engine.cli.once import advised

# The module of a verb holds a function of the same name, or, where the verb has subcommands, a typer `app`.
# It may hold an `EPILOG`, which `--help` prints last, and a function `advise` for `OnceCommand.advice`.
VERBS = (
    "stream",
    "write",
    "train",
    "evaluate",
    "export",
    "latents",
    "ink",
    "devices",
    "doctor",
    "bench",
    "serve",
    "voices",
    "hands",
    "web",
)


def build_app(words: Sequence[str] = ()) -> typer.Typer:
    """Build the command-line application.

    Parameters
    ----------
    words : sequence of str
        Arguments of the process.  If they begin with a verb, only that verb's module is imported, because importing
        the others would delay the first sample.

    Returns
    -------
    typer.Typer
        The application with that one verb, or with all verbs.
    """
    app = typer.Typer(
        name="vrnn-engine",
        help="Play, steer, train and export recurrent latent variable models of sound and handwriting.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
        rich_markup_mode=None,  # plain text starts faster and looks the same in a terminal, a pipe and a README
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_set_options,
    )
    wanted = next((word for word in words if not word.startswith("-")), "")
    for name in (wanted,) if wanted in VERBS else VERBS:
        module = importlib.import_module(f"vrnn_engine.cli.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            kind = advised(getattr(module, "advise", None))
            command = app.command(name, cls=kind, epilog=getattr(module, "EPILOG", None))
            command(guard.guard(getattr(module, name)))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        report.answer(f"vrnn-engine {vrnn_engine.__version__}")
        raise typer.Exit


def _set_options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")] = False,
    trust: Annotated[
        str | None,
        typer.Option(
            metavar="LIMITS",
            help="Lift limits on what a voice may do, if you trust its author: operators, size, or operators,size.",
        ),
    ] = None,
) -> None:
    guard.set_debug(debug)
    if trust is not None:
        from vrnn_engine.runtime.voice.trust import VARIABLE, lifted_limits

        os.environ[VARIABLE] = ",".join(lifted_limits(trust))  # also for the processes that a verb starts


def run() -> None:
    """Run the command line of this process and exit with its code."""
    standard_streams.prepare()
    try:
        build_app(sys.argv[1:])(prog_name="vrnn-engine")
    # Errors outside the verbs: an interrupt during start-up, a closed pipe while help or the version is printed.
    except (KeyboardInterrupt, OSError, vrnn_engine.VRNNEngineError) as error:
        sys.exit(guard.explain(error))
