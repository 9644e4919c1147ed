"""`vrnn-engine web`: writes a web page that plays voices in the browser."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from vrnn_engine.base.text_files import printable
from vrnn_engine.cli import report


def web(
    voices: Annotated[
        list[str],
        typer.Argument(metavar="VOICE...", help="Names, folders or .zip files of voices; the page opens the first."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace DIR even if it has files that this command did not write.")
    ] = False,
    json: report.AsJson = False,
) -> None:
    """Write a web page that plays voices in the browser.

    The page computes the voices itself.  Any web server can serve the folder, and needs no program of this package.
    """
    from vrnn_engine.runtime.voice.voice import Voice
    from vrnn_engine.serve.web.site import write_site

    site = write_site([Voice.open(voice) for voice in voices], out, force)
    total = sum(site.sizes.values())
    if json:
        report.print_json({"path": printable(site.path), "bytes": total, "files": site.sizes})
        return
    report.say(f"{site.path}: {len(site.sizes)} files, {total / 1e6:.1f} MB")
    report.say(
        f"to look at it: python -m http.server --directory {shlex.quote(printable(site.path))}, "
        "then open http://127.0.0.1:8000"
    )
