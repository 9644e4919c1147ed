"""Opens sound files for libsndfile."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import soundfile


@contextmanager
def open_sound(path: str | os.PathLike[str]) -> Iterator["soundfile.SoundFile"]:
    """Open a sound file to read it.

    Python opens the file.  If libsndfile opens `a.mp3` by its path, and the MP3 has no ID3 tag, then libsndfile reads
    a file `._a.mp3` beside it (a copy of macOS), takes that for a resource fork, and refuses the MP3.

    Parameters
    ----------
    path : str or path
        The file.

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
        soundfile is not installed; OSError if libsndfile is not.
    """
    import soundfile

    with open(path, "rb") as file, soundfile.SoundFile(file) as sound:
        yield sound
