"""The interface of a connection to a plotter."""

from typing import Protocol

LONGEST_ANSWER = 4096
"""Most bytes of an answer.  Another device at the port may send bytes without end."""


class StopRequested(Exception):
    """The player was stopped while the connection waited.  Not an error."""


class PlotterLink(Protocol):
    """Sends lines of commands to a plotter.  A method that waits raises `StopRequested` when the player is stopped."""

    def start(self) -> None:
        """Raise `SinkError` if no plotter is connected, as far as this can be detected."""
        ...

    def send(self, lines: list[str]) -> None:
        """Send lines as fast as the plotter accepts them.

        Parameters
        ----------
        lines : list of str
            Commands, without line ends.

        Raises
        ------
        SinkError
            The plotter refused a command, stopped answering or was disconnected.
        """
        ...

    def mark(self) -> None:
        """Mark the end of a stroke: count it in `marks_done` once all that was sent so far is surely drawn."""
        ...

    @property
    def marks_done(self) -> int:
        """Number of marks whose strokes are surely drawn, even if the plotter now discards its buffer."""
        ...

    def finish(self, lines: list[str]) -> None:
        """Send the last lines and wait until they are done; raise the errors of `send`."""
        ...

    def stop_and_park(self, lift: list[str], park: list[str]) -> None:
        """Stop drawing at once, lift the pen and park it, as far as the plotter can be reached.

        Parameters
        ----------
        lift, park : list of str
            The commands that lift and park the pen.
        """
        ...

    def lift_pen_now(self, lift: list[str]) -> None:
        """Send the commands that lift the pen, without waiting for an answer."""
        ...
