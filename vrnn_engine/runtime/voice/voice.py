"""Opens a voice from disk, and checks its files before they are used."""

import contextlib
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from vrnn_engine.base.atomic_folder import atomic_folder
from vrnn_engine.base.file_errors import read_error
from vrnn_engine.base.reading.arrays import read_npz
from vrnn_engine.base.reading.decoding import one_line
from vrnn_engine.base.reading.limits import MOST_ARRAYS, MOST_TEXT, file_size, read_file, too_large
from vrnn_engine.errors import VoiceError
from vrnn_engine.runtime.voice.archive import MAX_UNZIPPED, unzip
from vrnn_engine.runtime.voice.lookup import BUNDLED, find_voice
from vrnn_engine.runtime.voice.manifest import (
    CARD_FILE,
    MANIFEST_FILE,
    TRAINING_FILE,
    Graph,
    Manifest,
    is_document,
    read_manifest,
)
from vrnn_engine.runtime.voice.trust import SIZE, lifted_limits
from vrnn_engine.runtime.voice.unpacked import trim, unpacked_folder, use


@dataclass(frozen=True)
class Voice:
    """A voice whose files have been checked.  `Voice.open` returns one.

    Attributes
    ----------
    name : str
        Name of the voice, from its manifest.
    path : Path
        Its folder.  A .zip is unpacked into a folder in the user's cache.
    manifest : Manifest
        Its manifest: rate, controls, graphs, provenance and so on.
    trust : tuple of str
        The limits on its graphs that were lifted; see `Voice.open`.
    needs_trial : bool
        Whether its graphs are so large that the limits on them do not keep the time of loading short, or have operators
        of unknown size; `Engine.load` then loads them in another process first.  False if `trust` has `size`.

    Examples
    --------
    >>> voice = Voice.open("blizzard")
    >>> voice.manifest.rate
    16000
    """

    name: str
    path: Path
    manifest: Manifest = field(repr=False)
    trust: tuple[str, ...] = field(default=(), repr=False)
    needs_trial: bool = field(default=False, repr=False)

    @classmethod
    def open(cls, where: "str | os.PathLike[str] | Voice", trust: str | Iterable[str] | None = ()) -> "Voice":
        """Find a voice, and check its files and what its graphs may do.

        Parameters
        ----------
        where : str, path or Voice
            A name (bundled voices take precedence over installed ones), a folder, or a .zip of a folder.  A `Voice` is
            returned unchanged.
        trust : str or iterable of str
            Limits on what the graphs may do that are lifted, because you trust the author of the voice: `operators`
            (which operators they may have), `size` (how many nodes they may have, and how much memory and work a step
            may take, and that no row of a batch reads another). The environment variable `VRNN_ENGINE_TRUST` lifts
            limits too. Bundled voices are not checked.

        Returns
        -------
        Voice
            The voice.  Its graphs have not been loaded yet.

        Raises
        ------
        VoiceError
            The voice is unknown or damaged, one of its paths leaves its folder, a graph exceeds a limit, or `trust`
            names no limit.
        """
        if isinstance(where, Voice):
            return where
        limits, found = lifted_limits(trust), find_voice(where)
        if found.suffix.lower() == ".zip" and found.is_file():
            return _open_zip(found, limits)
        return check_folder(found, trust=limits)

    def graph(self, role: str, precision: str | None = None) -> Graph:
        """Return the manifest's entry of a graph.

        Parameters
        ----------
        role : str
            `step`, `observe` or `resynthesise`.
        precision : str, optional
            `fp32`, `fp16`, `int8` or `int4`; by default the precision of the first graph listed.

        Raises
        ------
        VoiceError
            The voice has no such graph.
        """
        for graph in self.manifest.graphs:
            if graph.role == role and precision in (None, graph.precision):
                return graph
        return self.manifest.graph(role, "fp32" if precision is None else precision)  # raises, and lists the graphs

    def fingerprint(self, precision: str | None = None) -> str:
        """Return a sha256 that identifies what a step graph computes.

        The fingerprint depends on the step graph and on all weights, but not on the documents, the other graphs, the
        parity vectors or the training file.

        Parameters
        ----------
        precision : str, optional
            Precision of the step graph; by default the first listed.

        Raises
        ------
        VoiceError
            The voice has no such graph.
        """
        manifest = self.manifest
        step = self.graph("step", precision).file
        others = {graph.file for graph in manifest.graphs} | {manifest.parity.file, TRAINING_FILE}
        entries = sorted(
            (path, digest)
            for path, digest in manifest.files.items()
            if path == step or (path not in others and not is_document(path))
        )
        return hashlib.sha256(repr(entries).encode()).hexdigest()

    def parity(self) -> dict[str, np.ndarray]:
        """Read the parity vectors.

        Returns
        -------
        dict of str to float32 array [T, ...]
            Noise, frames and outputs of the graphs; see `Parity`.

        Raises
        ------
        VoiceError
            The file cannot be read.
        """
        path = self.path / self.manifest.parity.file
        try:
            arrays = read_npz(path, MOST_ARRAYS)
            if other := [name for name, array in arrays.items() if array.dtype.kind not in "biuf"]:
                raise ValueError(f"the array {other[0]!r:.40} has no numbers")
            with np.errstate(over="ignore"):
                return {name: array.astype(np.float32) for name, array in arrays.items()}
        except (OSError, ValueError) as error:
            raise VoiceError(f"{path}: not a readable .npz of parity vectors: {one_line(error)}") from None

    def card(self) -> bytes | None:
        """Read the card, `CARD.md`: what one should know about the voice before one uses it.

        Returns
        -------
        bytes or None
            None if there is no card, or it is a link out of the voice's folder: no checksum covers a card, so such a
            link could show any file of this machine.

        Raises
        ------
        VoiceError
            The file cannot be read.
        """
        path = self.path / CARD_FILE
        if not path.is_file() or not path.resolve().is_relative_to(self.path.resolve()):
            return None
        try:
            return read_file(path, MOST_TEXT)
        except OSError as error:
            raise read_error(path, error, VoiceError) from None


def check_folder(folder: Path, shown: Path | None = None, trust: tuple[str, ...] = ()) -> Voice:
    """Check the manifest, the graphs and all files of a voice's folder, but for documents, which anybody may correct.

    Parameters
    ----------
    folder : Path
        The folder.
    shown : Path, optional
        Path that errors name in place of the folder, e.g. the archive from which it was unpacked.
    trust : tuple of str
        Limits on the graphs that are lifted.

    Returns
    -------
    Voice
        The voice in this folder.

    Raises
    ------
    VoiceError
        The manifest is not valid, a file is missing or has the wrong checksum, or a graph exceeds a limit.
    """
    manifest = read_manifest(folder)
    size = 0
    for name, digest in manifest.files.items():
        if is_document(name):  # voices exported by 0.2.0 or earlier list CARD.md
            continue
        path, label = folder / name, (shown or folder) / name
        if not path.is_file():
            raise VoiceError(f"{label}: missing, though {MANIFEST_FILE} lists it; get the voice again")
        try:
            if (size := size + file_size(path)) > MAX_UNZIPPED:
                raise too_large(MAX_UNZIPPED, str(path))
            found = _sha256(path)
        except OSError as error:
            raise read_error(label, error, VoiceError) from None
        if found != digest:
            raise VoiceError(f"{label}: wrong checksum, the file is damaged or was changed; get the voice again")
    if folder.parent == BUNDLED:  # the package vouches for its own voices, and starts faster without this check
        return Voice(manifest.name, folder, manifest, trust)
    from vrnn_engine.runtime.voice.graph_file.check import check_graphs

    small = check_graphs(folder, manifest, trust, shown)
    return Voice(manifest.name, folder, manifest, trust, needs_trial=not small and SIZE not in trust)


def _open_zip(path: Path, trust: tuple[str, ...]) -> Voice:
    """Unpack a zipped voice into the cache, unless it is there already, and return it checked."""
    try:
        target = unpacked_folder() / _sha256(path)
        use(target)  # before the check, so that no other process removes it meanwhile
        if target.is_dir():
            with contextlib.suppress(VoiceError):  # damaged since
                return check_folder(target, trust=trust)
        return _unpack(path, target, trust)
    except ValueError as error:
        raise VoiceError(f"{path}: not a readable .zip of a voice: {error}") from None
    except OSError as error:
        raise VoiceError(f"{path}: cannot unpack the voice: {error.strerror or error}") from None


def _unpack(path: Path, target: Path, trust: tuple[str, ...]) -> Voice:
    """Unpack a zipped voice into a folder of the cache, and return it checked."""
    try:
        with atomic_folder(target, durable=False) as folder:  # it can be unpacked again
            unzip(path, folder)
            voice = replace(check_folder(folder, shown=path, trust=trust), path=target)
        use(target)
    except OSError:
        if not (target / MANIFEST_FILE).is_file():  # otherwise another process was faster
            raise
        use(target)
        voice = check_folder(target, trust=trust)
    trim()
    return voice


def _sha256(path: Path) -> str:
    if file_size(path) > MAX_UNZIPPED:
        raise too_large(MAX_UNZIPPED, str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
