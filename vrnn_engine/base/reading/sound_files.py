"""Opens sound files for libsndfile."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import soundfile


@contextmanager
def open_sound(path: str | os.PathLike[str] | int) -> Iterator["soundfile.SoundFile"]:
    """Open a sound file to read it.

    Python opens the file, not libsndfile, because of a fault in libsndfile: given the path of an MP3 without an ID3
    tag, `a.mp3`, it reads the file `._a.mp3` beside it (metadata that macOS copies), takes that for the resource fork
    of the MP3, and refuses the MP3.

    Parameters
    ----------
    path : str, path or int
        The file, or a descriptor of it, which is closed at the end of the block.

    Yields
    ------
    soundfile.SoundFile
        Closed at the end of the block.

    Raises
    ------
    OSError
        The file cannot be opened.
    soundfile.LibsndfileError
        It is not a sound file that libsndfile reads.
    ImportError
        The package soundfile is not installed.  If only the library libsndfile is missing, OSError is raised.
    """
    import soundfile

    with open(path, "rb") as file, soundfile.SoundFile(file) as sound:
        yield sound
