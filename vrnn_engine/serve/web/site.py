"""Writes a folder from which any web server lets browsers play voices, which they compute themselves."""

import gzip
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from vrnn_engine.base.atomic_folder import atomic_folder
from vrnn_engine.base.file_errors import write_error
from vrnn_engine.errors import SinkError, VoiceError
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.serve.web.browser_voice import browser_voice
from vrnn_engine.serve.web.page_files import page_files, runtime_files

_CHECKSUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Site:
    """A folder that was written.

    Attributes
    ----------
    path : Path
        The folder.
    sizes : dict of str to int
        Size in bytes of each file, by its path relative to the folder, with slashes.
    """

    path: Path
    sizes: dict[str, int]


def write_site(voices: Sequence[Voice], out: Path, force: bool = False) -> Site:
    """Write the page, its player, onnxruntime-web and the voices into a folder.

    Equal voices give equal bytes.  `SHA256SUMS` in the folder lists all files; later calls read there what they may
    replace.

    Parameters
    ----------
    voices : sequence of Voice
        One or more; the page opens with the first one.
    out : Path
        The folder.  An earlier one is replaced if this function wrote all files in it.
    force : bool
        Replace an earlier folder whatever is in it.

    Returns
    -------
    Site
        The folder and its files.

    Raises
    ------
    VoiceError
        A browser cannot compute a voice, or two voices have the same name.
    SinkError
        The folder has files that this function did not write, or it cannot be written.
    """
    folders = _voice_folders(voices)
    target = Path(os.path.realpath(out))
    _check_target(target, out, force)
    sizes, digests = {}, {}
    try:
        with atomic_folder(target) as making:
            for name, data in _contents(folders):
                path = making / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                sizes[name], digests[name] = len(data), hashlib.sha256(data).hexdigest()
            sums = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()
            (making / _CHECKSUMS).write_bytes(sums)
    except OSError as error:
        raise write_error(out, error) from error
    return Site(out, sizes | {_CHECKSUMS: len(sums)})


def _voice_folders(voices: Sequence[Voice]) -> dict[str, Voice]:
    """Return the voices by their folders relative to the page; a name becomes an address without escapes."""
    folders: dict[str, Voice] = {}
    for voice in voices:
        if voice.manifest.channels > 1:
            raise VoiceError(f"voice {voice.name!r} is stereo, and a page plays mono; use `vrnn-engine stream`")
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", voice.name).strip(".") or "voice"
        folder = f"voices/{name}/"
        if folder in folders:
            raise VoiceError(f"two voices are named {name!r}; give one of them another name in its voice.json")
        folders[folder] = voice
    return folders


def _contents(folders: dict[str, Voice]) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each file of the folder but its checksums."""
    for folder, voice in folders.items():
        yield from ((folder + name, data) for name, data in browser_voice(voice).items())
    for name, path in page_files().items():
        yield name, path.read_bytes()
    yield from _runtime()
    config = {"mode": "local", "voice": next(iter(folders)), "voices": list(folders)}
    yield "config.json", msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n"


def _runtime() -> Iterator[tuple[str, bytes]]:
    """Yield the files of onnxruntime-web; the wasm is compressed as browsers can read it."""
    try:
        import lzma
    except ImportError:
        raise SinkError("this Python has no module lzma, which unpacks onnxruntime-web; use another Python") from None
    for name, path in runtime_files().items():
        if path.name == _CHECKSUMS:  # those of the package, whose files have other names
            continue
        data = path.read_bytes()
        if path.suffix == ".xz":
            name, data = name.removesuffix(".xz"), lzma.decompress(data)
        if name.endswith(".wasm"):
            name, data = f"{name}.gz", gzip.compress(data, 6, mtime=0)  # 9 takes twice the time for 0.4 % less
        yield name, data


def _check_target(target: Path, shown: Path, force: bool) -> None:
    """Raise an error if a folder may not be replaced."""
    try:
        if target.exists() and not target.is_dir():
            raise SinkError(f"{shown}: a file has this name; name a folder")
        if Path.cwd().is_relative_to(target):
            raise SinkError(f"{shown}: is the current folder or above it, and would be replaced; name a new folder")
        if not force and (foreign := _foreign_file(target)):
            raise SinkError(
                f"{shown}: has {foreign!r}, which is not of a page; name another folder, or replace all", ("force",)
            )
    except OSError as error:
        raise write_error(shown, error) from error


def _foreign_file(folder: Path) -> str | None:
    """Return a file of a folder that `write_site` has not written, or that was changed since; None if there is none."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if not path.is_dir()}
    sums = files.pop(_CHECKSUMS, None)
    lines = sums.read_text("utf-8", "replace").splitlines() if sums else []
    digests = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name, path in files.items():
        if name not in digests or hashlib.sha256(path.read_bytes()).hexdigest() != digests[name]:
            return name
    return None
