"""The saved hands of a voice: one file for each, `NAME.json`, in the user's folder of hands."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vrnn_engine.base.file_errors import read_error, write_error
from vrnn_engine.base.files import write_atomically
from vrnn_engine.base.folders import check_name, hands_folder, is_name
from vrnn_engine.base.reading.limits import MOST_STATE, read_file
from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.hands.hand import Hand

ENDING = ".json"


class SavedHands:
    """The saved hands of one voice.

    Parameters
    ----------
    voice : str
        Name of the voice.
    home : path, optional
        Folder that holds a folder for each voice.  Default: `$VRNN_ENGINE_HANDS`, else `hands` in the user's data
        folder.

    Attributes
    ----------
    folder : Path
        The voice's own folder; the first `save` creates it.

    Raises
    ------
    StreamError
        The voice's name cannot be the name of a folder.
    """

    def __init__(self, voice: str, home: str | os.PathLike[str] | None = None) -> None:
        check_name(voice, "voice", StreamError)
        self.folder = Path(home or hands_folder()) / voice

    def save(self, name: str, hand: Hand) -> Path:
        """Save a hand, and replace an earlier one of that name.

        Parameters
        ----------
        name : str
            Up to 64 letters, digits, spaces, dots, - and _.
        hand : Hand
            The hand.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        StreamError
            The name cannot be a file name, or the file cannot be written.
        """
        path = self.path(name)
        write_atomically(path, hand.encode(), StreamError, parents=True)
        return path

    def load(self, name: str) -> Hand:
        """Return a saved hand.

        Parameters
        ----------
        name : str
            Its name.

        Raises
        ------
        StreamError
            There is no such hand, or its file cannot be read.
        """
        with self._existing(name, read_error) as path:
            return Hand.decode(read_file(path, MOST_STATE), str(path))

    def delete(self, name: str) -> None:
        """Delete a saved hand.

        Parameters
        ----------
        name : str
            Its name.

        Raises
        ------
        StreamError
            There is no such hand, or its file cannot be deleted.
        """
        with self._existing(name, write_error) as path:
            path.unlink()

    def names(self) -> list[str]:
        """Return the names of the saved hands, sorted."""
        return sorted(path.name.removesuffix(ENDING) for path in self.folder.glob(f"*{ENDING}"))

    def path(self, name: str) -> Path:
        """Return the file of a hand, whether it exists or not.

        Parameters
        ----------
        name : str
            Its name.

        Raises
        ------
        StreamError
            The name cannot be a file name.
        """
        check_name(name, "hand", StreamError)
        return self.folder / f"{name}{ENDING}"

    @contextmanager
    def _existing(self, name: str, failed: Callable[[Path, OSError, type[StreamError]], Exception]) -> Iterator[Path]:
        """Yield the file of a saved hand; if it is missing or cannot be used, raise an error that says so."""
        path = self.path(name)
        try:
            yield path
        except FileNotFoundError:
            hint = suggest(name, self.names(), "hands here")
            raise StreamError(f"no hand {name!r} in {self.folder}{hint}") from None
        except OSError as error:
            raise failed(path, error, StreamError) from error


def voices_with_hands(home: str | os.PathLike[str] | None = None) -> list[str]:
    """Return the names of the voices that have saved hands, sorted.

    Parameters
    ----------
    home : path, optional
        As for `SavedHands`.
    """
    found = {path.parent.name for path in Path(home or hands_folder()).glob(f"*/*{ENDING}")}
    return sorted(name for name in found if is_name(name))
