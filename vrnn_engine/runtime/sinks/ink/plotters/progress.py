"""Keeps the progress of a plot in a file, so that an interrupted plot can be continued."""

import contextlib
import json
from pathlib import Path
from typing import Any

from vrnn_engine.base.files import write_atomically
from vrnn_engine.base.reading.limits import MOST_TEXT, read_file
from vrnn_engine.errors import SinkError


class PlotProgress:
    """Counts the strokes that a plotter has drawn, in a file.

    Parameters
    ----------
    path : str or path
        The file.  If it exists, the plot that it describes is continued.
    plot : dict of str to str
        Settings that determine the ink and its place, by names for messages.  A plot is continued only with the same
        settings.

    Attributes
    ----------
    drawn : int
        Strokes that the plotter has drawn, on all pages.

    Raises
    ------
    SinkError
        The file cannot be read, or describes another plot.
    """

    def __init__(self, path: str | Path, plot: dict[str, str]) -> None:
        self._path, self._plot = Path(path), plot
        before = read_progress(path)
        self.drawn = 0
        if before is not None:
            self.drawn = before["strokes"]
            for name, value in plot.items():
                was = before["plot"].get(name, "")
                if was != value:
                    raise SinkError(
                        f"{path} is of a plot with another {name} ({was or 'none'}, now {value or 'none'}); give the "
                        "same, or remove the file to begin a new plot"
                    )

    def save(self, drawn: int) -> None:
        """Record the number of strokes drawn so far.

        Parameters
        ----------
        drawn : int
            Strokes from the beginning of the plot.

        Raises
        ------
        SinkError
            The file cannot be written.
        """
        if drawn > self.drawn or not self._path.exists():
            self.drawn = max(drawn, self.drawn)
            content = json.dumps({"strokes": self.drawn, "plot": self._plot}).encode()
            write_atomically(self._path, content, durable=False)  # the pen does not wait for the disk

    def finish(self) -> None:
        """Remove the file: the plot is complete."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def read_progress(path: str | Path) -> dict[str, Any] | None:
    """Return what a file of progress holds: `strokes` and `plot`; None if there is no file.

    Parameters
    ----------
    path : str or path
        The file.

    Raises
    ------
    SinkError
        The file cannot be read, or is of another kind.
    """
    try:
        found = json.loads(read_file(path, MOST_TEXT))
        if isinstance(found["strokes"], int) and isinstance(found["plot"], dict):
            return dict(found)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SinkError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise SinkError(f"{path} does not say how far a plot is; name another file")
