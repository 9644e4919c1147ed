"""Removes what this package has left on the disk and nothing needs: unpacked voices, leftovers of killed processes."""

from dataclasses import dataclass
from pathlib import Path

from vrnn_engine.base.atomic.leftovers import remove, remove_leftovers, restore_earlier_folders
from vrnn_engine.base.atomic.locks import abandoned
from vrnn_engine.base.atomic.scratch import remove_scratch_folders
from vrnn_engine.base.folders import cache_folder, hands_folder, saved_folder, voices_folder
from vrnn_engine.runtime.voice.unpacked import trim


@dataclass(frozen=True)
class Removed:
    """What `clean` has removed of one kind.

    Attributes
    ----------
    what : str
        The kind, e.g. `unpacked voices`.
    size : int
        Number of bytes.
    """

    what: str
    size: int


def clean(corpora: bool = False) -> list[Removed]:
    """Remove unpacked voices, and what killed processes have left in the folders of this package.

    The notes of which large voices were tried are removed too; they are empty files.  Files that a running process uses
    are kept, and so are installed voices, saved states and hands.

    Parameters
    ----------
    corpora : bool
        Remove decoded recordings of corpora as well; the next training decodes them again.

    Returns
    -------
    list of Removed
        One for each kind, also if nothing was removed.
    """
    restore_earlier_folders(voices_folder())
    homes = [voices_folder(), cache_folder("voices"), cache_folder("corpora")]
    for parent in (saved_folder(), hands_folder()):
        homes += [path for path in parent.glob("*") if path.is_dir()]
    remove(cache_folder("tried"))
    removed = [
        Removed("unpacked voices", trim(0)),
        Removed("leftovers of interrupted processes", sum(map(remove_leftovers, homes)) + remove_scratch_folders()),
    ]
    if corpora:
        removed.append(Removed("decoded recordings", sum(map(_remove_unused, _folders(cache_folder("corpora"))))))
    return removed


def _folders(parent: Path) -> list[Path]:
    return [path for path in parent.glob("*") if path.is_dir() and not path.name.startswith(".")]


def _remove_unused(folder: Path) -> int:
    with abandoned(folder) as free:
        return remove(folder) if free else 0
