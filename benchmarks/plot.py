"""Draw measured times as small SVGs for docs/performance.md.

    python benchmarks/plot.py FILE.json PICTURE.svg

FILE.json is the output of `vrnn-engine bench --json` or of `benchmarks/steps.py --json`.  The picture of the former
shows the time of a step by the number of streams, with a panel for each device and precision; that of the latter shows
the time of a frame for each way.  Needs the extra `plot`.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.evaluation.figures import FORMATS, STYLE, WIDTH, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

LABELS = {
    "engine": "the engine",
    "resynthesis": "resynthesis",
    "bare": "onnxruntime alone",
    "plain": "session.run",
    "eager": "PyTorch eager",
    "torchscript": "LibTorch, TorchScript",
    "compiled": "torch.compile",
    "aotinductor": "LibTorch, AOTInductor",
    "numpy": "numpy by hand",
    "reading": "reading the weights",
    "products": "the products alone",
}
"""Labels of the ways of `benchmarks/steps.py`."""
OURS, OTHERS, MACHINE, LATE = "#1f5fa8", "#1b2440", "#7a8499", "#b3261e"
COLOURS = {"engine": OURS, "resynthesis": OURS, "reading": MACHINE, "products": MACHINE}
"""Colours of ways, in any precision; the rest have that of `OTHERS`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", metavar="FILE.json", type=Path)
    parser.add_argument("picture", metavar="PICTURE.svg", type=Path)
    options = parser.parse_args()
    if options.picture.suffix.lower() not in FORMATS:
        sys.exit(f"error: {options.picture}: unknown picture format; use one of {', '.join(FORMATS)}")
    try:
        report = json.loads(options.measured.read_text("utf-8"))
    except OSError as error:
        sys.exit(f"error: {options.measured}: {error.strerror}")
    except ValueError as error:
        sys.exit(f"error: {options.measured}: not JSON: {error}")
    drawing = next((draw for key, draw in DRAWINGS.items() if key in report), None)
    if drawing is None:
        sys.exit(f"error: {options.measured}: not the output of vrnn-engine bench or benchmarks/steps.py")
    with matplotlib.rc_context(STYLE):
        picture = render(drawing(report), options.picture.suffix)
    try:
        options.picture.write_bytes(picture)
    except OSError as error:
        sys.exit(f"error: {options.picture}: {error.strerror}")


def draw_ways(report: dict[str, Any]) -> Figure:
    """Draw the median, minimum and maximum of each way, on a logarithmic scale."""
    names = list(report["ms"])
    figure = Figure(figsize=(WIDTH, 0.9 + 0.22 * len(names)))
    axes = figure.subplots()
    for place, name in enumerate(names):
        least, median, most = report["ms"][name]
        colour = COLOURS.get(name.partition(".")[0], OTHERS)
        axes.plot([least, most], [place, place], color=colour, linewidth=1.2, marker="|", markersize=5)
        axes.plot([median], [place], color=colour, marker="o", markersize=4.5)
        axes.annotate(
            f"{median:.3g}", (most, place), (6, 0), textcoords="offset points", va="center", color=colour, fontsize=7
        )
    axes.set_yticks(range(len(names)), [_label(name) for name in names])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xscale("log")
    _plain(axes.xaxis)
    axes.margins(x=0.1)
    axes.grid(axis="x", which="major", linewidth=0.4, alpha=0.5)
    streams = "one stream" if report["rows"] == 1 else f"{report['rows']} streams"
    axes.set_xlabel(f"Milliseconds a frame of {streams}; median, minimum and maximum of the rounds")
    axes.set_title(_title(report), parse_math=False)
    return figure


def draw_rows(report: dict[str, Any]) -> Figure:
    """Draw p50 to p99 of a step by the number of streams, with the deadline of a frame and the machine's floor."""
    panels: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for pace in sorted(report["paces"], key=lambda pace: pace["rows"]):
        panels.setdefault((pace["device"], pace["precision"]), []).append(pace)
    figure = Figure(figsize=(WIDTH, 3.0))
    drawn = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, ((device, precision), paces) in zip(drawn, panels.items(), strict=True):
        _panel(axes, paces)
        axes.set_title(f"{device}, {precision}", parse_math=False)
        axes.set_xlabel("Streams in a batch")
    drawn[0].set_ylabel("Milliseconds a step")
    figure.legend(*drawn[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(_title(report), x=0.01, ha="left", fontsize=8, parse_math=False)
    return figure


def _panel(axes: "Axes", paces: list[dict[str, Any]]) -> None:
    rows = [pace["rows"] for pace in paces]
    p50, p99, floor = ([pace[name] for pace in paces] for name in ("p50", "p99", "floor"))
    axes.axhline(paces[0]["deadline"], color=LATE, linestyle="--", label=f"a frame lasts {paces[0]['deadline']:g} ms")
    axes.fill_between(rows, p50, p99, color=OURS, alpha=0.25, linewidth=0, label="p50 to p99")
    axes.plot(rows, p50, color=OURS, marker="o", markersize=3)
    axes.plot(rows, p99, color=OURS, marker="_", linewidth=0.4)
    if None not in floor:  # not measured for a GPU
        axes.plot(rows, floor, color=MACHINE, linestyle=":", marker=".", markersize=3, label="the machine's floor")
    axes.set_xscale("log", base=2)
    axes.set_xticks(rows, [str(count) for count in rows], minor=False)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yscale("log")
    _plain(axes.yaxis)
    axes.grid(axis="y", which="major", linewidth=0.4, alpha=0.5)


def _plain(axis: "Axis") -> None:
    """Label a logarithmic axis with plain numbers, at 1, 2 and 5."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _label(name: str) -> str:
    way, _, precision = name.partition(".")
    return f"{LABELS[way]}, {precision}" if precision else LABELS[way]


def _title(report: dict[str, Any]) -> str:
    machine = report["machine"]
    return f"{report['voice']} on {machine['processor']}, one thread, onnxruntime {machine['onnxruntime']}"


DRAWINGS = {"paces": draw_rows, "rounds": draw_ways}
"""Drawing function for each kind of report, by a key that only this kind has."""


if __name__ == "__main__":
    try:
        main()
    except VRNNEngineError as error:
        sys.exit(f"error: {error}")
