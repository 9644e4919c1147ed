"""`vrnn-engine serve`: serves voices to browsers and applications, over HTTP and WebSocket."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vrnn_engine.cli import report
from vrnn_engine.cli import stream_options as options
from vrnn_engine.cli.help import examples
from vrnn_engine.serve.environment import KEY_VARIABLE, TOKEN_VARIABLE

if TYPE_CHECKING:
    from logging import LogRecord

    from vrnn_engine.serve.options import ServeOptions

EPILOG = examples(
    ("Serve the bundled voices to this machine; open the address that is printed.", "vrnn-engine serve"),
    (
        "Serve a voice to the network, to clients that know a token.",
        "VRNN_ENGINE_TOKEN=secret vrnn-engine serve blizzard --host 0.0.0.0",
    ),
    (
        "Serve behind a reverse proxy on the same machine.",
        "vrnn-engine serve --host-name voices.example.org --proxy 127.0.0.1",
    ),
)
ACCESS, LIMITS = "Access", "Limits"
"""Titles of the groups in the help text."""

Voices = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[VOICE...]",
        help="Names, folders or .zip files of voices.  Default: blizzard and handwriting.",
        show_default=False,
    ),
]
Host = Annotated[
    str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on; 0.0.0.0 is all of this machine's.")
]
Port = Annotated[int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="TCP port; 0 chooses a free one.")]
Rows = Annotated[
    int,
    typer.Option(
        "--rows",
        metavar="N",
        min=1,
        max=4096,
        help="Largest number of sessions that are stepped as one batch.",
        rich_help_panel=options.ENGINE,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TEXT",
        envvar=TOKEN_VARIABLE,
        help="Secret that clients must send.  Other users of this machine see options; the variable VRNN_ENGINE_TOKEN "
        "hides it.",
        show_envvar=False,
        rich_help_panel=ACCESS,
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help="Key of the sessions' tokens, at least 16 random bytes, for servers that continue each other's sessions; "
        "or set VRNN_ENGINE_KEY.  Default: random.",
        rich_help_panel=ACCESS,
    ),
]
Origins = Annotated[
    list[str] | None,
    typer.Option(
        "--origin",
        metavar="ORIGIN",
        help="Origin, such as https://example.org, whose pages may use the server; repeatable.",
        rich_help_panel=ACCESS,
    ),
]
HostNames = Annotated[
    list[str] | None,
    typer.Option(
        "--host-name",
        metavar="NAME",
        help="Host name under which the server is addressed, besides localhost; repeatable.  * allows all.",
        rich_help_panel=ACCESS,
    ),
]
Proxies = Annotated[
    list[str] | None,
    typer.Option(
        "--proxy",
        metavar="ADDRESS",
        help="Address of a reverse proxy, whose X-Forwarded-For header is believed; repeatable.",
        rich_help_panel=ACCESS,
    ),
]
MaxSessions = Annotated[
    int | None,
    typer.Option(
        "--max-sessions",
        metavar="N",
        min=1,
        help="Largest number of sessions.  Default: as many as can be computed in time.",
        rich_help_panel=LIMITS,
    ),
]
Share = Annotated[
    float | None,
    typer.Option(
        "--share",
        metavar="SHARE",
        min=0.05,
        max=1.0,
        help="Largest share of the time that computing frames may take; beyond it, further sessions are refused.  "
        "Default: 0.85 for sound, 0.6 for ink.",
        rich_help_panel=LIMITS,
    ),
]
Idle = Annotated[
    float,
    typer.Option(
        "--idle",
        metavar="SECONDS",
        min=1,
        help="End a session whose client takes no frames for this time.",
        rich_help_panel=LIMITS,
    ),
]
MaxSeconds = Annotated[
    float,
    typer.Option(
        "--max-seconds", metavar="SECONDS", min=0.1, help="Length of the longest rendering.", rich_help_panel=LIMITS
    ),
]
Renders = Annotated[
    int,
    typer.Option(
        "--renders", metavar="N", min=1, max=64, help="Renderings that run at the same time.", rich_help_panel=LIMITS
    ),
]
RendersPerAddress = Annotated[
    int | None,
    typer.Option(
        "--renders-per-address",
        metavar="N",
        min=1,
        help="Renderings of one client address that run at the same time.  "
        "Default: one fewer than --renders, at least 1.",
        rich_help_panel=LIMITS,
    ),
]
RequestRate = Annotated[
    float,
    typer.Option(
        "--request-rate",
        metavar="N",
        min=0.1,
        help="HTTP requests per second of one client address.",
        rich_help_panel=LIMITS,
    ),
]
OpenRate = Annotated[
    float,
    typer.Option(
        "--open-rate",
        metavar="N",
        min=0.1,
        help="Sessions that one client address may open per second.",
        rich_help_panel=LIMITS,
    ),
]
SessionsPerAddress = Annotated[
    int,
    typer.Option(
        "--sessions-per-address",
        metavar="N",
        min=1,
        help="Sessions that one client address may have at the same time.",
        rich_help_panel=LIMITS,
    ),
]
Drain = Annotated[
    float,
    typer.Option(
        "--drain",
        metavar="SECONDS",
        min=0,
        help="Time that sessions and requests get to end when the server is stopped.",
        rich_help_panel=LIMITS,
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Log every request on stderr.")]


def serve(
    voices: Voices = None,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    rows: Rows = 128,
    token: Token = None,
    key_file: KeyFile = None,
    origin: Origins = None,
    host_name: HostNames = None,
    proxy: Proxies = None,
    max_sessions: MaxSessions = None,
    share: Share = None,
    idle: Idle = 30.0,
    max_seconds: MaxSeconds = 600.0,
    renders: Renders = 2,
    renders_per_address: RendersPerAddress = None,
    request_rate: RequestRate = 200.0,
    open_rate: OpenRate = 20.0,
    sessions_per_address: SessionsPerAddress = 100,
    drain: Drain = 5.0,
    verbose: Verbose = False,
    device: options.Device = "auto",
    precision: options.Precision = None,
    threads: options.Threads = 1,
) -> None:
    """Serve voices to browsers and applications."""
    from vrnn_engine.serve.options import ServeOptions
    from vrnn_engine.serve.server import bind, run_server
    from vrnn_engine.serve.tokens import read_key

    asked = ServeOptions(
        voices=tuple(voices or ServeOptions.voices),
        host=host,
        port=port,
        rows=rows,
        device=device,
        precision=precision,
        threads=threads,
        token=token,
        origins=tuple(origin or ()),
        hosts=tuple(host_name or ()),
        key=read_key(key_file),
        idle=idle,
        max_sessions=max_sessions,
        share=share,
        max_seconds=max_seconds,
        renders=renders,
        renders_per_address=renders_per_address,
        requests_per_second=request_rate,
        opens_per_second=open_rate,
        sessions_per_address=sessions_per_address,
        proxies=tuple(proxy or ()),
        drain=drain,
    )
    _show_log(verbose)
    listening = bind(host, port)
    if token is None and not _is_local(host):
        report.warn(f"everyone who reaches {host} can use this server; --token, or VRNN_ENGINE_TOKEN, prevents that")
    run_server(asked, listening, verbose, lambda: _announce(asked, listening.getsockname()[1]))
    report.say("stopped")


def _announce(asked: "ServeOptions", port: int) -> None:
    """Say which address to open in a browser, and what the server lacks."""
    from vrnn_engine.serve.server import page_address

    shown = page_address(asked.host, port)
    if asked.token is not None:  # the fragment of an address is not sent, so that no log of a proxy has it
        shown += f"#token={asked.token if sys.stderr.isatty() else 'TOKEN'}"
    report.say(f"serving {', '.join(asked.voices)}; open {shown} (Ctrl-C stops)")
    if asked.key is None:
        report.say(f"a restart ends the sessions of this server; with --key-file, or {KEY_VARIABLE}, they continue")


def _is_local(host: str) -> bool:
    """Return whether only programs of this machine reach an address."""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _show_log(verbose: bool) -> None:
    """Print the log of the server on stderr; an error of the program with its traceback."""
    import logging

    handler = logging.StreamHandler()
    handler.setFormatter(report.log_format("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(_clean)
    for name, level in (("vrnn_engine", logging.INFO), ("uvicorn", logging.INFO if verbose else logging.WARNING)):
        log = logging.getLogger(name)
        log.addHandler(handler)
        log.setLevel(level)


def _clean(record: "LogRecord") -> bool:
    """Hide the token in the address of a WebSocket; drop what uvicorn says about each handshake that was refused."""
    message = record.getMessage()
    record.msg, record.args = re.sub(r"([?&]token=)[^&\s\"]*", r"\1...", message), ()
    return message != "ASGI callable returned without completing handshake."
