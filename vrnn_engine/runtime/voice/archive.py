"""Unpacks a zipped voice so that no entry of the archive can do harm."""

import shutil
import stat
from pathlib import Path, PurePosixPath

from vrnn_engine.base.reading.decoding import guard_damage
from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.manifest import MANIFEST_FILE, MAX_MANIFEST, check_inside, decode_manifest

MAX_UNZIPPED = 8 << 30
"""Largest total size in bytes that a zipped voice may unpack to; stops a zip bomb before it fills the disk."""


def unzip(path: Path, target: Path) -> None:
    """Unpack a zipped voice: the manifest and the files that it lists, and nothing else.

    Parameters
    ----------
    path : Path
        The archive.  Its `voice.json` is at the top, or in one folder at the top.
    target : Path
        An empty folder.

    Raises
    ------
    VoiceError
        There is no valid manifest in the archive, an entry leaves the folder or is a symbolic link, or the archive is
        too large.
    ValueError
        The file is not a readable archive; the text is one line.
    OSError
        It cannot be unpacked here.
    """
    guard_damage(lambda: _unzip(path, target))


def _unzip(path: Path, target: Path) -> None:
    import zipfile  # here, as its import would delay the first sound

    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        for entry in entries:
            check_inside(entry.filename, str(path))
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise VoiceError(f"{path}: entry {entry.filename!r} is a symbolic link")
        files = {entry.filename: entry for entry in entries if not entry.is_dir()}
        manifests = [name for name in files if PurePosixPath(name).name == MANIFEST_FILE and name.count("/") <= 1]
        if not manifests:
            raise VoiceError(f"{path}: no {MANIFEST_FILE} in it, nor in a folder at its top; is this a voice?")
        top = min(manifests, key=len).removesuffix(MANIFEST_FILE)
        if files[top + MANIFEST_FILE].file_size > MAX_MANIFEST:
            raise VoiceError(f"{path}: its {MANIFEST_FILE} has more than {MAX_MANIFEST >> 20} MiB; is this a voice?")
        text = archive.read(top + MANIFEST_FILE)
        manifest = decode_manifest(text, f"{path}/{top}{MANIFEST_FILE}")
        wanted = [(name, files[top + name]) for name in manifest.files if top + name in files]
        if sum(entry.file_size for _, entry in wanted) > MAX_UNZIPPED:
            raise VoiceError(
                f"{path}: unpacks to more than {MAX_UNZIPPED >> 30} GiB; if that is right, unpack it with another "
                "program and load the folder"
            )
        (target / MANIFEST_FILE).write_bytes(text)
        for name, entry in wanted:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, (target / name).open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
