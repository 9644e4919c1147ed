"""Installs a voice: verifies it, and copies it into the folder of installed voices; removes an installed one."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace as changed
from pathlib import Path

from vrnn_engine.base.atomic.leftovers import remove
from vrnn_engine.base.atomic.partial import new_partial_folder
from vrnn_engine.base.atomic_folder import atomic_folder
from vrnn_engine.base.folders import name_fault, voices_folder
from vrnn_engine.base.reading.limits import MOST_TEXT
from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.voice.lookup import is_bundled, list_voices
from vrnn_engine.runtime.voice.manifest import MANIFEST_FILE, is_document
from vrnn_engine.runtime.voice.voice import Voice, check_folder


def install_voice(
    path: str | os.PathLike[str], *, replace: bool = False, trust: str | Iterable[str] | None = ()
) -> Voice:
    """Install a voice, so that it can be opened by its name.

    The voice is verified first: its graphs are loaded, replay the parity vectors, and do not mix the rows of a batch.

    Parameters
    ----------
    path : str or path
        A voice's folder or .zip.
    replace : bool
        Replace an installed voice of the same name.
    trust : str or iterable of str
        Limits on its graphs that are lifted, as in `Voice.open`; they do not stay lifted.

    Returns
    -------
    Voice
        The installed voice.  If the same voice is already installed, it is left as it is.

    Raises
    ------
    VoiceError
        The voice is damaged, exceeds a limit, cannot be loaded or differs from its parity vectors, its name is taken or
        is not a name, or it cannot be copied.
    """
    if not isinstance(path, str | os.PathLike):
        raise VoiceError(f"{path!r:.60} is not a path; give the folder or the .zip of a voice")
    if not Path(path).exists():
        raise VoiceError(f"{path}: no such folder or .zip to install a voice from")
    voice = Voice.open(Path(path), trust)
    if is_bundled(voice.name):
        raise VoiceError(f"{path}: a bundled voice has the name {voice.name!r}; give this one another name")
    target = voices_folder() / voice.name
    if target.exists() and not replace:
        if (target / MANIFEST_FILE).is_file() and _same(target, voice):
            return check_folder(target, trust=voice.trust)
        raise VoiceError(f"{target}: another voice {voice.name!r} is installed; you can replace it", ("replace",))
    verify(voice)
    try:
        with atomic_folder(target) as folder:
            listed = {name for name in voice.manifest.files if not is_document(name)}
            for name in sorted({MANIFEST_FILE, *listed, *_documents(voice.path)}):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(voice.path / name, folder / name)
            check_folder(folder, shown=voice.path, trust=voice.trust)
    except OSError as error:
        raise VoiceError(f"{target}: cannot install the voice: {error.strerror or error}") from None
    return changed(voice, path=target)


def remove_voice(name: str) -> Path:
    """Remove an installed voice; a killed process leaves all of it or none.

    Parameters
    ----------
    name : str

    Returns
    -------
    Path
        The folder in which it was.

    Raises
    ------
    VoiceError
        No voice of this name is installed, or it cannot be removed.
    """
    target = voices_folder() / name
    if name_fault(name, "voice") or not os.path.lexists(target / MANIFEST_FILE):
        if is_bundled(name):
            raise VoiceError(f"the voice {name!r} is part of the package, and cannot be removed alone")
        hint = suggest(name, (one.name for one in list_voices() if one.origin == "installed"), "installed voices")
        raise VoiceError(f"no voice {name!r} is installed{hint}")
    try:
        hidden, descriptor = new_partial_folder(target)
        try:
            target.rename(hidden / name)
        finally:
            remove(hidden)
            if descriptor is not None:
                os.close(descriptor)
    except OSError as error:
        raise VoiceError(f"{target}: cannot remove the voice: {error.strerror or error}") from None
    return target


def _documents(folder: Path) -> set[str]:
    """Return the documents of a voice. No checksum covers them, so a link out of the folder could name any file."""
    found = (path for path in folder.iterdir() if is_document(path.name) and path.is_file())
    kept = [path for path in found if path.resolve().is_relative_to(folder.resolve())]
    for path in kept:
        if path.stat().st_size > MOST_TEXT:
            raise VoiceError(f"{path}: a document of more than {MOST_TEXT >> 20} MiB; remove it from the voice")
    return {path.name for path in kept}


def _same(folder: Path, voice: Voice) -> bool:
    """Return whether the voice in a folder is the same: its manifest has the checksums of all files."""
    return (folder / MANIFEST_FILE).read_bytes() == (voice.path / MANIFEST_FILE).read_bytes()
