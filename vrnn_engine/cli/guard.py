"""Turns errors and signals into one line on stderr and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 143 terminated (129 by SIGHUP, 131 by SIGQUIT),
141 the reader of the output has closed the pipe.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.models import OptionInfo

from vrnn_engine.cli import report, signals
from vrnn_engine.errors import VRNNEngineError

FAILED = 1
INTERRUPTED = 130
CLOSED_PIPE = 141
"""The reader of the output has closed the pipe.  Nothing is printed, as for a program that SIGPIPE ends."""

_GLOBAL = {"trust": "vrnn-engine --trust LIMITS VERB"}
"""Parameters of the library that are options of the program, before any verb."""

_debug = False


def set_debug(on: bool) -> None:
    """Print the tracebacks of errors from now on, if `on` is true; once on, this stays on."""
    global _debug
    _debug = _debug or on


def guard(verb: Callable[..., None]) -> Callable[..., None]:
    """Add the option `--debug` to a command, and turn its errors into one line on stderr and an exit code."""
    old = inspect.signature(verb)

    @functools.wraps(verb)
    def guarded(*args: Any, debug: bool = False, **options: Any) -> None:
        set_debug(debug)
        signals.raise_interrupts()
        try:
            verb(*args, **options)
        except typer.Exit:
            raise
        except BaseException as error:
            code = explain(error, old)
            if code is None:
                raise
            raise typer.Exit(code) from None

    flag = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]
    extra = inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=flag)
    guarded.__signature__ = old.replace(parameters=[*old.parameters.values(), extra])  # type: ignore[attr-defined]
    guarded.__annotations__ = {**verb.__annotations__, "debug": flag}
    return guarded


def explain(error: BaseException, verb: inspect.Signature | None = None) -> int | None:
    """Print one line about an exception, and its traceback if `set_debug` was called.

    Parameters
    ----------
    error : BaseException
        The exception.
    verb : Signature, optional
        Signature of the command, from which parameters that an error names get the names of their options.

    Returns
    -------
    int or None
        The exit code; None if the exception is a bug, or not an error.
    """
    if _debug and not isinstance(error, SystemExit):
        report.say_traceback(error)
    if isinstance(error, KeyboardInterrupt):
        code = error.code if isinstance(error, signals.Terminated) else INTERRUPTED
        signals.ignore()
        report.say("interrupted" if code == INTERRUPTED else "terminated")
        signals.end_at_once(code)
        return code
    if isinstance(error, ModuleNotFoundError):
        from vrnn_engine.base.extras import missing_extra

        error = missing_extra(error) or error
    if isinstance(error, BrokenPipeError):  # from printing, as in `vrnn-engine voices | head`: not an error
        return CLOSED_PIPE
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        error = VRNNEngineError(f"{where}{error.strerror or error}")
    if isinstance(error, VRNNEngineError):
        options = [_option(verb, name) for name in error.parameters if verb and name in verb.parameters]
        options += [_GLOBAL[name] for name in error.parameters if name in _GLOBAL]
        added = f" ({', '.join(options)})" if options else ""
        report.say("error: " + " ".join(str(error).split()) + added, style="red")
        return FAILED
    return None


def _option(verb: inspect.Signature, name: str) -> str:
    """Return the option of a command that sets a parameter, as a user writes it."""
    for info in getattr(verb.parameters[name].annotation, "__metadata__", ()):
        if isinstance(info, OptionInfo) and info.param_decls:
            return info.param_decls[0]
    return "--" + name.replace("_", "-")
