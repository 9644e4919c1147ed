"""`vrnn-engine`: gathers the verbs.  Each lives in a module of its own and imports what is heavy only when it runs."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

import vrnn_engine
from vrnn_engine.cli import bench, devices, doctor, evaluate, export, latents, report, stream, train, voices

app = typer.Typer(
    name="vrnn-engine",
    help="Steps variational recurrent neural networks as live streams of sound and ink.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
    rich_markup_mode=None,  # plain text: at once, and the same in a terminal, a pipe and a README
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# A verb is one function; its docstring is its help.
VERBS: dict[str, Callable[..., None]] = {
    "stream": stream.stream,
    "train": train.train,
    "evaluate": evaluate.evaluate,
    "export": export.export,
    "latents": latents.latents,
    "devices": devices.devices,
    "doctor": doctor.doctor,
    "bench": bench.bench,
}
for _name, _verb in VERBS.items():
    app.command(_name)(report.guard(_verb))
app.add_typer(voices.app, name="voices")


def _print_version(wanted: bool) -> None:
    if wanted:
        report.answer(f"vrnn-engine {vrnn_engine.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    report.set_debug(debug)


def run() -> None:
    """Run the command line of this process (the entry point); ends it with the exit code."""
    try:
        app(prog_name="vrnn-engine")
    # Outside any verb: while it starts, or while help or version are printed.
    except (KeyboardInterrupt, OSError, vrnn_engine.VRNNEngineError) as error:
        sys.exit(report.explain(error))
