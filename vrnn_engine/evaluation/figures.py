"""Draws a recording above its KL and the change of its latents, after figure 2 of Chung et al. (2015).

This module needs matplotlib, which the extra `plot` installs.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrnn_engine.evaluation.latents import LatentTrace
from vrnn_engine.evaluation.long_curve import LongCurve, envelope

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
"""File formats of `render`."""

WIDTH = 7.2
"""Width of a figure, in inches."""
RESOLUTION = 150
"""Dots per inch."""
COLUMNS = 800
"""Number of pieces of a long curve, about one per dot of a panel; only the minimum and maximum of each are drawn."""
MOST_SEGMENTS = 4000
"""Largest number of pieces of ink that are drawn as vector paths (half a megabyte); more pieces become an image."""

INK, KL, CHANGE = "#1b2440", "#b3261e", "#1f5fa8"
FAINT = "#c3cad9"
HEAT = (INK, "#8c2a4f", "#e5482d", "#ffa51f")
"""Colours from low KL to high; frames with a low KL have the colour of ink."""

STYLE: dict[Any, Any] = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 0.8,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "figure.constrained_layout.use": True,
}


def draw_sound(trace: LatentTrace, wave: LongCurve, rate: int, title: str) -> "Figure":
    """Draw a waveform, and below it the KL and the change of the posterior mean over the same time.

    Parameters
    ----------
    trace : LatentTrace
        Trace of the sound.
    wave : LongCurve
        The sound, full scale +-1.
    rate : int
        Samples per second.
    title : str
        Text above the waveform.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.7))
        sound, kl, change = figure.subplots(3, sharex=True, height_ratios=(1.2, 1, 1))
        positions, samples = wave.points()
        _curve(sound, positions / rate, samples, INK, width=0.5)
        extent = 1.05 * max(float(np.abs(samples).max()), 1e-3)
        sound.set_title(title, parse_math=False)  # a file name may contain two dollar signs
        sound.set(ylabel="Amplitude", xlim=(0, wave.length / rate), ylim=(-extent, extent))
        _latents(kl, change, trace)
        change.set_ylim(0, None)
        figure.align_ylabels()
    return figure


def draw_ink(trace: LatentTrace, blocks: Sequence[NDArray[np.floating]], title: str) -> "Figure":
    """Draw a line of ink coloured by its KL, and below it the KL and the change of the posterior mean over time.

    Faint lines in the lower panels mark where the pen was lifted.

    Parameters
    ----------
    trace : LatentTrace
        One frame per point.
    blocks : sequence of array [n, 3]
        The ink, in blocks: dx, dy (y grows downwards), and 1 where the pen is lifted after the point.
    title : str
        Text above the ink.
    """
    import matplotlib
    from matplotlib.figure import Figure

    points = np.concatenate(blocks)
    place = np.cumsum(np.asarray(points[:, :2], np.float64), axis=0)
    wide, high = np.maximum(np.ptp(place, axis=0), 1e-6)
    with matplotlib.rc_context(STYLE):
        height = np.clip(0.85 * WIDTH * high / wide, 0.6, 5.0)  # inches of the ink, at the same scale in x and y
        figure = Figure(figsize=(WIDTH, float(height) + 3.0))
        page, kl, change = figure.subplots(3, height_ratios=(float(height) + 0.3, 1.1, 1.1))
        _ink(page, place, points[:, 2] > 0.5, trace.kl)
        page.set_title(title, parse_math=False)
        _latents(kl, change, trace)
        kl.sharex(change)
        kl.tick_params(labelbottom=False)
        change.set_xlim(0, trace.seconds[-1])
        # A move between strokes is a single step, and changes the mean a hundred times as much as a step on the paper.
        change.set_yscale("log", nonpositive="clip")
        lifts = trace.seconds[points[:, 2] > 0.5]
        for axes in (kl, change):
            axes.vlines(lifts, 0, 1, transform=axes.get_xaxis_transform(), color=FAINT, linewidth=0.4, zorder=0)
        figure.align_ylabels()
    return figure


def render(figure: "Figure", ending: str) -> bytes:
    """Return a figure as the content of a file; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        A figure of `draw_sound` or `draw_ink`.
    ending : str
        One of `FORMATS`, in any case.
    """
    import matplotlib

    format = ending.lower().removeprefix(".")
    undated: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    # Text is stored as text: it can be searched, and takes a tenth of the space of its outlines.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "vrnn-engine"}), io.BytesIO() as file:
        figure.savefig(file, format=format, dpi=RESOLUTION, metadata=undated.get(format))
        return file.getvalue()


def _curve(
    axes: "Axes", x: NDArray[np.floating], y: NDArray[np.floating], colour: str, width: float | None = None
) -> None:
    chosen = envelope(y, COLUMNS)
    axes.plot(x[chosen], y[chosen], color=colour, linewidth=width)


def _latents(kl: "Axes", change: "Axes", trace: LatentTrace) -> None:
    _curve(kl, trace.seconds, trace.kl, KL)
    _curve(change, trace.seconds[1:], trace.change[1:], CHANGE)  # the first frame has no change
    kl.set(ylabel="KL (nats)", ylim=(0, None))
    change.set(ylabel="Mean change", xlabel="Seconds")


def _ink(page: "Axes", place: NDArray[np.float64], lifted: NDArray[np.bool_], kl: NDArray[np.float64]) -> None:
    """Draw the segment to each point that was drawn with the pen down; a stroke of one point is a dot."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    begins = np.concatenate([[True], lifted[:-1]])
    ends = np.concatenate([lifted[:-1], [True]])  # the last point ends its stroke, lifted or not
    drawn = ~begins | ends
    dot = 1e-3 * (np.ptp(place, axis=0).max() or 1.0)  # not 0, because no renderer draws a line without length
    before = np.where(begins[:, np.newaxis], place - (dot, 0.0), np.roll(place, 1, axis=0))
    colours = LinearSegmentedColormap.from_list("kl", HEAT)
    # A few frames have many times the KL of the others; a scale up to the maximum would give the others one colour.
    scale = Normalize(0, max(float(np.percentile(kl, 99)), 1e-6))
    ink = LineCollection(
        list(np.stack([before, place], axis=1)[drawn]), cmap=colours, norm=scale, linewidths=1.2, capstyle="round"
    )
    ink.set_array(kl[drawn])
    ink.set_rasterized(int(drawn.sum()) > MOST_SEGMENTS)
    page.add_collection(ink)
    page.autoscale_view()
    page.set_aspect("equal", adjustable="datalim")  # the panel stays as wide as those below
    page.invert_yaxis()
    page.set(xticks=[], yticks=[])
    page.spines[:].set_visible(False)
    bar = page.figure.colorbar(ink, ax=page, extend="max", aspect=12, fraction=0.03, pad=0.01)
    bar.set_label("KL (nats)")
    bar.outline.set_visible(False)
