"""Unpacks a zipped voice where no entry can do harm."""

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.manifest import MANIFEST_FILE, check_inside, decode_manifest

MAX_UNZIPPED = 8 << 30
"""Bytes a zipped voice may unpack to; a bomb is stopped before it fills the disk."""

MAX_MANIFEST = 16 << 20
"""Bytes of a zipped manifest, read before anything in it is known to be right."""


def unzip(path: Path, target: Path) -> None:
    """Unpack what the manifest lists, and nothing else; refuse an archive with any unsafe entry."""
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
            raise VoiceError(f"{path}: its {MANIFEST_FILE} is absurdly large")
        text = archive.read(top + MANIFEST_FILE)
        manifest = decode_manifest(text, f"{path}/{top}{MANIFEST_FILE}")
        wanted = [(name, files[top + name]) for name in manifest.files if top + name in files]
        if sum(entry.file_size for _, entry in wanted) > MAX_UNZIPPED:
            raise VoiceError(
                f"{path}: unpacks to more than {MAX_UNZIPPED >> 30} GiB; unpack it by hand if that is right"
            )
        (target / MANIFEST_FILE).write_bytes(text)
        for name, entry in wanted:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, (target / name).open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
