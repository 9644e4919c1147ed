"""A voice on disk: found by name, folder or zip, and checked before anything in it is used."""

import hashlib
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from vrnn_engine.base.files import atomic_folder
from vrnn_engine.base.folders import cache_folder, voices_folder
from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.archive import unzip
from vrnn_engine.runtime.voice.manifest import MANIFEST_FILE, Graph, Manifest, decode_manifest

BUNDLED = Path(__file__).parent.parent.parent / "voices"
"""The voices that come with the package."""


@dataclass(frozen=True)
class Voice:
    """A checked voice.

    Attributes
    ----------
    name : str
        As the manifest gives it.
    path : Path
        Its folder; for a zip the folder it was unpacked into.
    manifest : Manifest
        What it says of itself.
    """

    name: str
    path: Path
    manifest: Manifest = field(repr=False)

    @classmethod
    def open(cls, where: "str | os.PathLike[str] | Voice") -> "Voice":
        """Find a voice and check it.

        Parameters
        ----------
        where : str or path
            A name (bundled voices first, then installed ones), a folder, or a .zip of one.

        Raises
        ------
        VoiceError
            Unknown, damaged, or with a path that leaves its folder.
        """
        if isinstance(where, Voice):
            return where
        found = _find(where)
        return open_zip(found) if found.suffix.lower() == ".zip" and found.is_file() else open_folder(found)

    def fingerprint(self, precision: str | None = None) -> str:
        """Return a sha256 that changes with whatever the step graph computes: it and all weights, not the documents."""
        manifest = self.manifest
        step = self.graph("step", precision).file
        aside = {graph.file for graph in manifest.graphs} | {manifest.parity.file}
        entries = sorted(
            (path, digest)
            for path, digest in manifest.files.items()
            if path == step or (path not in aside and PurePosixPath(path).suffix not in (".md", ".txt"))
        )
        return hashlib.sha256(repr(entries).encode()).hexdigest()

    def graph(self, role: str, precision: str | None = None) -> Graph:
        """Return the graph of a role: in a precision, or else the first listed.

        Raises
        ------
        VoiceError
            The voice has no such graph.
        """
        for graph in self.manifest.graphs:
            if graph.role == role and precision in (None, graph.precision):
                return graph
        return self.manifest.graph(role, "fp32" if precision is None else precision)  # raises, and says what there is

    def parity(self) -> dict[str, np.ndarray]:
        """Return the parity vectors: name -> float32 [T, ...]; raise `VoiceError` if unreadable."""
        path = self.path / self.manifest.parity.file
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return {name: arrays[name].astype(np.float32) for name in arrays.files}
        except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise VoiceError(f"{path}: not a readable .npz of parity vectors: {error}") from None


@dataclass(frozen=True)
class Listed:
    """A voice as `list_voices` finds it: its manifest was read, its checksums were not."""

    name: str
    """The name to open it by."""
    path: Path
    origin: str
    """`bundled` or `installed`."""
    manifest: Manifest | None
    problem: str | None
    """Why the manifest cannot be read, if it cannot."""


def list_voices() -> list[Listed]:
    """Return the bundled and the installed voices, in order of name; a broken one says why."""
    found: dict[str, Listed] = {}
    for origin, home in (("bundled", BUNDLED), ("installed", voices_folder())):
        for folder in sorted(home.iterdir()) if home.is_dir() else []:
            if folder.name in found or folder.name.startswith(".") or not (folder / MANIFEST_FILE).is_file():
                continue
            try:
                manifest, problem = _read_manifest(folder), None
            except VoiceError as error:
                manifest, problem = None, str(error)
            found[folder.name] = Listed(folder.name, folder, origin, manifest, problem)
    return [found[name] for name in sorted(found)]


def install_voice(path: str | os.PathLike[str], *, replace: bool = False) -> Voice:
    """Copy a voice to where names are looked up.

    Parameters
    ----------
    path : str or path
        A folder or a .zip.
    replace : bool
        Replace an installed voice of the same name.

    Returns
    -------
    Voice
        The installed one.  A voice that is already installed, bit for bit, is left alone.

    Raises
    ------
    VoiceError
        The voice is damaged, or its name is taken.
    """
    if not Path(path).exists():
        raise VoiceError(f"{path}: no such folder or .zip to install a voice from")
    voice = Voice.open(Path(path))
    _check_name(voice)
    if (BUNDLED / voice.name / MANIFEST_FILE).is_file():
        raise VoiceError(f"{path}: a bundled voice has the name {voice.name!r}; give this one another name")
    target = voices_folder() / voice.name
    if target.exists() and not replace:
        if (target / MANIFEST_FILE).is_file() and _same(target, voice):
            return open_folder(target)
        raise VoiceError(f"{target}: another voice {voice.name!r} is installed; replace it with --replace")
    try:
        with atomic_folder(target) as making:
            for name in (MANIFEST_FILE, *voice.manifest.files):
                (making / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(voice.path / name, making / name)
            open_folder(making, shown=voice.path)
    except OSError as error:
        raise VoiceError(f"{target}: cannot install the voice: {error.strerror or error}") from None
    return Voice(voice.name, target, voice.manifest)


def open_folder(folder: Path, shown: Path | None = None) -> Voice:
    """Check a voice's folder and return the voice; raise `VoiceError` if it is not whole.

    `shown` stands for the folder in errors, when the folder itself means nothing to the caller.
    """
    manifest = _read_manifest(folder)
    inside = folder.resolve()
    for name, digest in manifest.files.items():
        path, label = folder / name, (shown or folder) / name
        if not path.resolve().is_relative_to(inside):
            raise VoiceError(f"{label}: a link that leaves the voice's folder")
        if not path.is_file():
            raise VoiceError(f"{label}: missing, though {MANIFEST_FILE} lists it; get the voice again")
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise VoiceError(f"{label}: cannot be read: {error.strerror}") from None
        if found != digest:
            raise VoiceError(f"{label}: wrong checksum, the file is damaged or was changed; get the voice again")
    return Voice(manifest.name, folder, manifest)


def open_zip(path: Path) -> Voice:
    """Unpack a zipped voice, once, to the cache, and return it checked."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        target = _cache() / digest
        try:
            return open_folder(target)
        except VoiceError:  # not unpacked yet, or damaged since
            try:
                with atomic_folder(target) as making:
                    unzip(path, making)
                    open_folder(making, shown=path)
            except OSError:
                if not (target / MANIFEST_FILE).is_file():  # else another process was faster
                    raise
        return open_folder(target)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise VoiceError(f"{path}: not a readable .zip of a voice: {error}") from None
    except OSError as error:
        raise VoiceError(f"{path}: cannot unpack the voice: {error.strerror or error}") from None


def _find(where: str | os.PathLike[str]) -> Path:
    text = os.fspath(where)
    is_name = isinstance(where, str) and not any(mark in text for mark in "/\\") and text not in ("", ".", "..")
    path = Path(text)
    try:
        if is_name:
            for home in (BUNDLED, voices_folder()):
                if (home / text / MANIFEST_FILE).is_file():
                    return home / text
        if text and path.exists():
            return path
    except OSError as error:  # a name too long, a folder closed to us
        raise VoiceError(f"{text:.80}: cannot be opened: {error.strerror}") from None
    if is_name and path.suffix.lower() != ".zip":
        hint = suggest(text, (voice.name for voice in list_voices()), "voices here")
        raise VoiceError(f"unknown voice {text!r}{hint}")
    raise VoiceError(f"{text!r}: no such voice folder or .zip")


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST_FILE
    if not path.resolve().is_relative_to(folder.resolve()):
        raise VoiceError(f"{path}: a link that leaves the voice's folder")
    try:
        text = path.read_bytes()
    except OSError as error:
        if folder.is_file():
            raise VoiceError(f"{folder}: neither a voice's folder nor a .zip of one") from None
        raise VoiceError(f"{path}: cannot be read ({error.strerror}); is this a voice's folder?") from None
    return decode_manifest(text, str(path))


def _check_name(voice: Voice) -> None:
    name = voice.name
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    if not (plain.isascii() and plain.isalnum()) or name.startswith("."):
        raise VoiceError(
            f"{voice.path}: cannot install a voice named {name!r}; a name has letters, digits, '-', '_' and '.'"
        )


def _same(folder: Path, voice: Voice) -> bool:
    return (folder / MANIFEST_FILE).read_bytes() == (voice.path / MANIFEST_FILE).read_bytes()


def _cache() -> Path:
    """Return a folder of this user for unpacked voices; a temporary one where no cache can be written."""
    home = cache_folder("voices")
    try:
        home.mkdir(parents=True, exist_ok=True)
        if os.access(home, os.W_OK):
            return home
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="vrnn-engine-"))
