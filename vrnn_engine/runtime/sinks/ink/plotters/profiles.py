"""Properties of known HPGL plotters: the area that they reach on each size of paper, and the size of their buffer."""

from dataclasses import dataclass, field
from typing import Literal

from vrnn_engine.runtime.sinks.ink.line_breaks import Box, Point

PlotterName = Literal["generic", "7475a", "7440a"]


@dataclass(frozen=True)
class Bed:
    """A size of paper in a plotter.

    Parameters
    ----------
    origin : (float, float)
        Position of the plotter's origin in mm from the lower left corner of the paper, whose long side is horizontal.
    reach : (int, int)
        Largest X and Y that the plotter can draw, in its units.
    """

    origin: Point
    reach: tuple[int, int]


@dataclass(frozen=True)
class Profile:
    """Properties of a plotter.

    Parameters
    ----------
    title : str
        Name of the plotter in messages.
    unit : float
        Length of the plotter's unit in mm.
    buffer : int
        Size of the plotter's buffer in bytes.
    xoff_at : int
        Free bytes at which the plotter must send Xoff: half the buffer if possible, since adapters do not stop at once.
    beds : dict of str to Bed
        The area that the plotter reaches, by the name of the paper.  Empty: unknown.
    """

    title: str
    unit: float = 0.025
    buffer: int = 1024
    xoff_at: int = 512
    beds: dict[str, Bed] = field(default_factory=dict)

    def limits(self, paper: str) -> Box | None:
        """Return the area that the plotter reaches, in mm on the paper with y upwards; None if it is unknown.

        Parameters
        ----------
        paper : str
            Name of the paper.
        """
        bed = self.beds.get(paper)
        if bed is None:
            return None
        (left, low), (width, height) = bed.origin, (reach * self.unit for reach in bed.reach)
        return Box(left, low, left + width, low + height)


# Units, limits and origins are from vpype's table of devices; the limits of the 7440A are reduced a little, for safety.
_UNIT = 0.02488

PROFILES: dict[str, Profile] = {
    "generic": Profile("the plotter", xoff_at=81),
    "7475a": Profile(
        "an HP 7475A",
        _UNIT,
        beds={
            "a4": Bed((10, 4), (11040, 7721)),
            "a3": Bed((15, 10), (16158, 11040)),
            "letter": Bed((10, 4.9), (10365, 7962)),
            "tabloid": Bed((15, 4.9), (16640, 10365)),
        },
    ),
    "7440a": Profile("an HP 7440A", _UNIT, buffer=60, xoff_at=30, beds={"a4": Bed((15, 10), (10900, 7650))}),
}
"""The plotters by name.  The reach and buffer of `generic` are unknown; its default page fits all of them."""
