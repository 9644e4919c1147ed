"""Readers of voices: folders, archives and parity vectors."""

import hashlib
import io
import json
import os
import shutil
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from support import toy_voice
from support.fuzz.arrays import damaged_arrays
from support.fuzz.damage import damage_bytes, damage_value, to_json
from support.fuzz.reader import Reader
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.voice.lookup import list_voices
from vrnn_engine.runtime.voice.manifest import read_manifest
from vrnn_engine.runtime.voice.voice import Voice

Files = dict[str, bytes]
"""Content of the files of a voice, by name."""


def _files(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _sealed(files: Files, name: str) -> Files:
    """Return files with the right checksum of one of them."""
    manifest = json.loads(files["voice.json"])
    manifest["files"][name] = hashlib.sha256(files[name]).hexdigest()
    return {**files, "voice.json": json.dumps(manifest).encode()}


def _damaged(files: Files, rng: Random) -> Files:
    """Return files of which one is damaged; often the manifest, and sometimes with the right checksum."""
    if rng.random() < 0.4:
        return {**files, "voice.json": to_json(damage_value(json.loads(files["voice.json"]), rng))}
    name = rng.choice(("voice.json", *sorted(files)))
    if rng.random() < 0.1:
        return {other: data for other, data in files.items() if other != name}
    changed = {**files, name: damage_bytes(files[name], rng)}
    return _sealed(changed, name) if name != "voice.json" and rng.random() < 0.5 else changed


def _write(folder: Path, files: Files) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _what(voice: Voice) -> Any:
    return voice.manifest, voice.fingerprint(), {name: one.tobytes() for name, one in voice.parity().items()}


def folders(home: Path) -> Reader:
    """A voice's folder: it is opened, and it is installed beside the bundled voices, which are listed."""
    files = _files(toy_voice.build(home / "toy"))
    os.environ["VRNN_ENGINE_VOICES"] = str(home / "installed")

    def read(given: Files) -> Any:
        folder = home / "installed" / "toy-audio"
        _write(folder, given)
        listed = {one.name: one for one in list_voices()}
        assert listed["blizzard"].manifest is not None, "a damaged voice hides the others"
        return _what(Voice.open(folder))

    return Reader(files, lambda rng: _damaged(files, rng), read)


def manifests(home: Path) -> Reader:
    """The manifest of a voice, without the files that it names."""
    data = (toy_voice.build(home / "toy") / "voice.json").read_bytes()
    value, folder = json.loads(data), home / "changed"

    def damaged(rng: Random) -> bytes:
        return to_json(damage_value(value, rng)) if rng.random() < 0.7 else damage_bytes(data, rng)

    def read(given: bytes) -> Any:
        _write(folder, {"voice.json": given})
        return read_manifest(folder)

    return Reader(data, damaged, read)


def archives(home: Path) -> Reader:
    """A .zip of a voice, in any compression, whose bytes or whose files are damaged."""
    files = _files(toy_voice.build(home / "toy"))
    cache, path = home / "cache", home / "voice.zip"
    os.environ["VRNN_ENGINE_CACHE"] = str(cache)
    kinds = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)

    def packed(content: Files, kind: int) -> bytes:
        with zipfile.ZipFile(path, "w", kind) as archive:
            for name, data in content.items():
                archive.writestr(name, data)
        return path.read_bytes()

    whole = [packed(files, kind) for kind in kinds]

    def damaged(rng: Random) -> bytes:
        number = rng.randint(0, 3)
        if rng.random() < 0.2:
            return packed(_damaged(files, rng), kinds[number])
        return damage_bytes(whole[number], rng)

    def read(path: Path) -> Any:
        shutil.rmtree(cache, ignore_errors=True)
        return _what(Voice.open(path))

    return Reader.of_file(path, whole[1], read, damaged)


def parity(home: Path) -> Reader:
    """The parity vectors of a voice whose manifest has the right checksum of them."""
    files = _files(toy_voice.build(home / "toy"))
    folder = home / "changed"

    def read(data: bytes) -> Any:
        _write(folder, _sealed({**files, "parity.npz": data}, "parity.npz"))
        return verify(Voice.open(folder)).differences

    with np.load(io.BytesIO(files["parity.npz"])) as whole:
        valid, damaged = damaged_arrays(dict(whole))
    return Reader(valid, damaged, read)


READERS = {"voice-folders": folders, "manifests": manifests, "voice-archives": archives, "parity": parity}
