"""`vrnn-engine doctor`: prints which parts work on this machine, which do not, and advice."""

import typer

from vrnn_engine.cli import report
from vrnn_engine.cli.guard import FAILED

MARKS = {"ok": "ok", "note": "-", "problem": "PROBLEM"}


def doctor(json: report.AsJson = False) -> None:
    """Check libraries, processors and sound devices, and give advice.

    The exit code is 1 if `vrnn-engine stream` cannot run here.
    """
    import msgspec

    from vrnn_engine.diagnostics.doctor import diagnose

    found = diagnose()
    if json:
        report.print_json({"works": found.works, **msgspec.to_builtins(found)})
    else:
        report.print_table(("", "what", "found"), [(MARKS[f.state], f.topic, f.text) for f in found.findings])
        advised = [finding for finding in found.findings if finding.advice]
        if advised:
            report.answer("\nAdvice")
            report.print_table(("what", "do"), [(finding.topic, finding.advice) for finding in advised])
        options = " ".join(f"--{name} {value}" for name, value in found.recommended.items())
        command = f"Recommended: vrnn-engine stream {options}"
        report.answer("\n" + (command if found.works else "vrnn-engine stream cannot run here in this state."))
    if not found.works:
        raise typer.Exit(FAILED)
