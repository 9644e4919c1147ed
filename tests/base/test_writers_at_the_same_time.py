"""Writers of one path, and those who clear away, do not take what another writer still uses for abandoned."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vrnn_engine.base.atomic.leftovers import offer_back, remove, remove_leftovers
from vrnn_engine.base.atomic.scratch import ScratchFolder
from vrnn_engine.base.atomic_folder import atomic_folder
from vrnn_engine.base.files import AtomicFile, write_atomically

Before = Callable[[str, Callable[[Path], object]], None]


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Before]:
    """Call a function, once, before the next step of some kind on a hidden or scratch path, as another process might.

    A step is an audit event of Python, such as `open` or `os.rename`.
    """
    actions: dict[str, Callable[[Path], object]] = {}

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in actions and isinstance(arguments[0], str | os.PathLike):
            path = Path(os.fsdecode(arguments[0]))
            if path.parent == tmp_path and (path.suffix == ".part" or "scratch" in path.name):
                actions.pop(event)(path)

    sys.addaudithook(hook)  # it cannot be removed, but does nothing without actions
    yield actions.__setitem__
    assert actions == {}, "this step did not occur"


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[list[Path]]:
    """The folder of the test, once for each time that it is listed."""
    found: list[Path] = []
    watching = [True]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in ("os.scandir", "os.listdir") and Path(os.fsdecode(arguments[0])) == tmp_path:  # type: ignore[arg-type]
            found.append(tmp_path)

    sys.addaudithook(hook)
    yield found
    watching.clear()


def test_a_file_that_is_being_renamed_is_not_abandoned(tmp_path: Path, before: Before) -> None:
    before("os.rename", lambda path: remove_leftovers(path.parent))
    write_atomically(tmp_path / "a", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"content"


def test_a_file_that_is_being_removed_is_not_offered_back(tmp_path: Path, before: Before) -> None:
    file = AtomicFile(tmp_path / "a", take=True)
    file.append(b"content")
    before("os.remove", lambda path: offer_back(path.parent / "a"))
    file.abort()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_removed_before_it_is_locked_is_made_again(tmp_path: Path, before: Before) -> None:
    before("open", remove)
    with atomic_folder(tmp_path / "target") as folder:
        (folder / "a").touch()
    assert (tmp_path / "target" / "a").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_scratch_folder_that_is_removed_before_it_is_locked_is_made_again(
    tmp_path: Path, before: Before, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before("open", remove)
    with ScratchFolder() as folder:
        assert os.path.isdir(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_process_lists_the_folder_of_a_file_once(tmp_path: Path, listed: list[Path]) -> None:
    left = tmp_path / ".a.01234567.part"
    left.touch()
    for _ in range(3):
        write_atomically(tmp_path / "a", b"content", durable=False)
    assert listed == [tmp_path]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    write_atomically(tmp_path / "b", b"content", durable=False)
    assert listed[1:] == [tmp_path, tmp_path]  # one of them by this test


def test_threads_write_one_path_while_others_clear_away(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for _ in range(200):
            with AtomicFile(tmp_path / "a", take=number % 2 == 0, durable=False) as file:
                file.append(b"content")
            remove_leftovers(tmp_path)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))  # raises what a thread has raised
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
