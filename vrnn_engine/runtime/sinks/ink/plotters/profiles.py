"""HPGL plotters that are known by name: what they reach on which paper, and how much their buffer holds."""

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
        Where the plotter's units begin, in mm from the lower left corner of the paper, whose long side is level.
    reach : (int, int)
        Largest X and Y that the plotter draws, in its units.
    """

    origin: Point
    reach: tuple[int, int]


@dataclass(frozen=True)
class Profile:
    """A plotter.

    Parameters
    ----------
    title : str
        Its name in messages.
    unit : float
        Its unit in mm.
    buffer : int
        Bytes that its buffer holds.
    beds : dict of str to Bed
        What it reaches, by the name of the paper.  Empty: not known.
    """

    title: str
    unit: float = 0.025
    buffer: int = 1024
    beds: dict[str, Bed] = field(default_factory=dict)

    @property
    def xoff_at(self) -> int:
        """Free bytes at which the plotter is to send Xoff: half a buffer, since adapters send on for a while."""
        return self.buffer // 2

    def limits(self, paper: str) -> Box | None:
        """Return what the plotter reaches in mm of the paper, with y upwards; None if that is not known.

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


# Units, limits and origins are those of vpype's table of devices; for the 7440A, limits a little less, to be safe.
_UNIT = 0.02488

PROFILES: dict[str, Profile] = {
    "generic": Profile("the plotter", buffer=162),
    "7475a": Profile(
        "an HP 7475A",
        _UNIT,
        1024,
        {
            "a4": Bed((10, 4), (11040, 7721)),
            "a3": Bed((15, 10), (16158, 11040)),
            "letter": Bed((10, 4.9), (10365, 7962)),
            "tabloid": Bed((15, 4.9), (16640, 10365)),
        },
    ),
    "7440a": Profile("an HP 7440A", _UNIT, 60, {"a4": Bed((15, 10), (10900, 7650))}),
}
"""The plotters by name.  `generic` has an unknown reach; its page fits all of them."""
