"""`vrnn-engine voices`: lists, shows, verifies, installs, removes and cleans up voices."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vrnn_engine.base.text_files import printable
from vrnn_engine.cli import report
from vrnn_engine.cli.guard import guard
from vrnn_engine.cli.once import OnceCommand

if TYPE_CHECKING:
    from vrnn_engine.runtime.voice.manifest import Manifest

Named = Annotated[str, typer.Argument(metavar="VOICE", help="Name, folder or .zip of a voice.")]


def voices(context: typer.Context, json: report.AsJson = False) -> None:
    """List, show, verify, install and remove voices (default: list)."""
    if context.invoked_subcommand is None:
        list_(json=json)


def list_(json: report.AsJson = False) -> None:
    """List the bundled and the installed voices."""
    from vrnn_engine.runtime.voice.lookup import list_voices

    found = list_voices()
    if json:
        report.print_json(
            [
                {
                    "name": one.name,
                    "path": printable(one.path),
                    "origin": one.origin,
                    "modality": one.manifest.modality if one.manifest else None,
                    "rate": one.manifest.rate if one.manifest else None,
                    "family": one.manifest.family if one.manifest else None,
                    "licence": one.manifest.provenance.licence if one.manifest else None,
                    "problem": one.problem,
                }
                for one in found
            ]
        )
        return
    if not found:
        report.say("no voices found; install one: vrnn-engine voices install PATH")
        return
    report.print_table(
        ("name", "makes", "family", "licence", "origin"),
        [
            (one.name, _makes(one.manifest), one.manifest.family, one.manifest.provenance.licence, one.origin)
            if one.manifest
            else (one.name, "broken", "", "", one.origin)
            for one in found
        ],
    )
    for one in found:
        if one.problem:
            report.warn(f"{one.name}: {one.problem}")


def show(voice: Named, json: report.AsJson = False) -> None:
    """Show a voice's model, origin and controls."""
    from vrnn_engine.runtime.voice.manifest import encode_manifest
    from vrnn_engine.runtime.voice.voice import Voice

    opened = Voice.open(voice)
    manifest = opened.manifest
    if json:
        report.answer(encode_manifest(manifest).decode(), end="")
        return
    origin = manifest.provenance
    facts = [
        ("name", manifest.name),
        ("path", str(opened.path)),
        ("makes", f"{_makes(manifest)}, {manifest.frames_per_second:g} frames per second"),
        ("model", f"{manifest.family}, basis {manifest.basis}"),
        ("graphs", ", ".join(f"{graph.role} ({graph.precision})" for graph in manifest.graphs)),
        *_writes(manifest),
        ("data", f"{origin.data}, {origin.licence}, {origin.source}"),
        ("made by", origin.command),
        *((f"  {name}", f"{value:g}") for name, value in origin.metrics.items()),
    ]
    report.print_facts(facts)
    report.answer("\nControls (--set NAME=VALUE)")
    report.print_table(
        ("name", "values", "default", "range", "what it does"),
        [
            (
                control.name,
                "x".join(str(size) for size in control.shape),
                f"{control.default:g}",
                f"{control.minimum:g} .. {control.maximum:g}",
                control.description,
            )
            for control in manifest.controls
        ],
    )


def verify(voice: Named, json: report.AsJson = False) -> None:
    """Check a voice's files, and compare its output with PyTorch's."""
    from vrnn_engine.runtime.graph.parity import verify
    from vrnn_engine.runtime.voice.voice import Voice

    opened = Voice.open(voice)
    found = verify(opened)
    if json:
        report.print_json(
            {
                "voice": opened.name,
                "path": printable(opened.path),
                "files": len(opened.manifest.files),
                "frames": found.frames,
                "tolerance": found.tolerance,
                "differences": found.differences,
                "rows": {"difference": found.rows.difference, "output": found.rows.output},
            }
        )
        return
    report.answer(f"{opened.name}: {len(opened.manifest.files)} files match their checksums")
    worst = max(found.differences.values())
    report.answer(
        f"{opened.name}: {found.frames} frames agree with PyTorch's "
        f"(largest difference {worst:.2g} of the largest value, {found.tolerance:g} allowed)"
    )
    rows = found.rows
    same = "to the bit" if not rows.difference else f"but for rounding ({rows.difference:.1g}, {rows.output})"
    report.answer(f"{opened.name}: rows of a batch are independent of each other {same}")


def install(
    path: Annotated[Path, typer.Argument(help="Folder or .zip of a voice.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace an installed voice that has the same name.")
    ] = False,
    json: report.AsJson = False,
) -> None:
    """Verify a voice, and install it under its name."""
    from vrnn_engine.runtime.graph.install import install_voice

    installed = install_voice(path, replace=replace)
    if json:
        report.print_json({"name": installed.name, "path": printable(installed.path)})
    else:
        report.answer(f"installed {installed.name} in {installed.path}")


def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of an installed voice.")],
    json: report.AsJson = False,
) -> None:
    """Remove an installed voice.  Its saved states and hands stay."""
    from vrnn_engine.runtime.graph.install import remove_voice

    path = remove_voice(name)
    if json:
        report.print_json({"name": name, "path": printable(path)})
    else:
        report.answer(f"removed {name} from {path.parent}")


def clean(
    corpora: Annotated[
        bool, typer.Option("--corpora", help="Also remove decoded recordings; the next training decodes them again.")
    ] = False,
    json: report.AsJson = False,
) -> None:
    """Remove files that are no longer needed, and print their size.

    These are unpacked copies of .zip voices, unfinished files of interrupted commands, and notes of which large voices
    were tried.  Files in use, installed voices, saved states and saved hands stay.
    """
    from vrnn_engine.runtime.voice.cleaning import clean

    removed = clean(corpora)
    if json:
        report.print_json({one.what: one.size for one in removed})
        return
    for one in removed:
        report.answer(f"removed {one.size:,} bytes of {one.what}")


def _makes(manifest: "Manifest") -> str:
    if manifest.modality == "audio":
        return f"{'stereo ' * (manifest.channels == 2)}sound, {manifest.rate} Hz"
    return f"ink in {manifest.unit}, {manifest.rate} points per second"


def _writes(manifest: "Manifest") -> list[tuple[str, str]]:
    """Return what a voice that reads a text can write."""
    from vrnn_engine.runtime.voice.text import readable_alphabet

    text = manifest.text
    if text is None:
        return []
    lines = f"baselines {text.line_height:g} {manifest.unit} apart; a step reads {text.window} characters"
    return [("writes", f"{len(text.writable)} characters: {readable_alphabet(text)}"), ("lines", lines)]


app = typer.Typer(no_args_is_help=False)
app.callback(invoke_without_command=True)(guard(voices))
_VERBS: dict[str, Callable[..., None]] = {
    "list": list_,
    "show": show,
    "verify": verify,
    "install": install,
    "remove": remove,
    "clean": clean,
}
for _name, _verb in _VERBS.items():
    app.command(_name, cls=OnceCommand)(guard(_verb))
