"""Finds voices by name, and lists the available voices."""

import os
from dataclasses import dataclass
from pathlib import Path

from vrnn_engine.base.atomic.leftovers import restore_earlier_folders
from vrnn_engine.base.folders import voices_folder
from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.manifest import MANIFEST_FILE, Manifest, read_manifest

BUNDLED = Path(__file__).parents[2] / "voices"
"""Folder of the voices that come with the package."""


@dataclass(frozen=True)
class ListedVoice:
    """A voice as `list_voices` finds it.  Its manifest was read; its checksums were not verified.

    Attributes
    ----------
    name : str
        Name with which `Voice.open` finds the voice.
    path : Path
        Its folder.
    origin : str
        `bundled` or `installed`.
    manifest : Manifest or None
        The manifest; None if it cannot be read.
    problem : str or None
        Why the manifest cannot be read; None if it can be read.
    """

    name: str
    path: Path
    origin: str
    manifest: Manifest | None
    problem: str | None


def list_voices() -> list[ListedVoice]:
    """Return the bundled and the installed voices, sorted by name.

    A bundled voice hides an installed one of the same name, as in `find_voice`.
    """
    restore_earlier_folders(voices_folder())
    found: dict[str, ListedVoice] = {}
    for origin, home in (("bundled", BUNDLED), ("installed", voices_folder())):
        for folder in sorted(home.iterdir()) if home.is_dir() else []:
            # A hidden folder is a voice that is being installed.
            if folder.name in found or folder.name.startswith(".") or not os.path.lexists(folder / MANIFEST_FILE):
                continue
            try:
                manifest, problem = read_manifest(folder), None
            except VoiceError as error:
                manifest, problem = None, str(error)
            found[folder.name] = ListedVoice(folder.name, folder, origin, manifest, problem)
    return [found[name] for name in sorted(found)]


def find_voice(where: str | os.PathLike[str]) -> Path:
    """Return the folder or .zip of a voice.

    Parameters
    ----------
    where : str or path
        Name of a bundled or an installed voice, or a path.  A string with a slash, and a path object, is never a name.

    Raises
    ------
    VoiceError
        There is no such voice; the message suggests similar names.
    """
    if not isinstance(where, str | os.PathLike):
        raise VoiceError(f"{where!r:.60} is not a voice; give the name of a voice, a folder or a .zip")
    text = os.fspath(where)
    is_name = isinstance(where, str) and not any(mark in text for mark in "/\\") and text not in ("", ".", "..")
    path = Path(text)
    try:
        if is_name and (folder := _folder_of(text)) is not None:
            return folder
        if text and path.exists():
            return path
    except OSError as error:  # e.g. the name is too long, or a folder may not be read
        raise VoiceError(f"{text:.80}: cannot be opened: {error.strerror}") from None
    if is_name and path.suffix.lower() != ".zip":
        hint = suggest(text, (voice.name for voice in list_voices()), "voices here")
        raise VoiceError(f"unknown voice {text!r}{hint}")
    if "://" in text:
        raise VoiceError(
            f"{text!r} is an address; the commands stream and write and vrnn_engine.client play served voices"
        )
    raise VoiceError(f"{text!r}: no such voice folder or .zip")


def is_bundled(name: str) -> bool:
    """Return whether a voice comes with the package.

    Parameters
    ----------
    name : str
        Name of the voice.
    """
    return (BUNDLED / name / MANIFEST_FILE).is_file()


def _folder_of(name: str) -> Path | None:
    if is_bundled(name):
        return BUNDLED / name
    installed = voices_folder() / name
    if not installed.exists():
        restore_earlier_folders(voices_folder())
    return installed if (installed / MANIFEST_FILE).is_file() else None
