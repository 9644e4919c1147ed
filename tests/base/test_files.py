"""Files and folders that appear under their name complete, or not at all."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import environment

from vrnn_engine.base.atomic_folder import atomic_folder
from vrnn_engine.base.file_kinds import non_file_kind
from vrnn_engine.base.files import AtomicFile, write_atomically
from vrnn_engine.errors import CheckpointError, SinkError, StreamError


@pytest.fixture
def umask_027() -> Iterator[None]:
    old = os.umask(0o027)
    yield
    os.umask(old)


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def hidden_names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def run_until_killed(code: str, folder: Path) -> None:
    """Run code that waits after it has written a part of something, and kill it there."""
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], env=environment()) as process:
        deadline = time.monotonic() + 30
        while not (folder / "half-written").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)


def test_a_file_appears_when_it_is_committed(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "a")
    file.append(b"one")
    assert not (tmp_path / "a").exists()
    file.commit()
    assert (tmp_path / "a").read_bytes() == b"one"
    assert hidden_names(tmp_path) == []


def test_an_abort_keeps_the_earlier_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"before")
    file = AtomicFile(tmp_path / "a")
    file.append(b"after")
    file.abort()
    file.abort()
    assert (tmp_path / "a").read_bytes() == b"before"
    assert hidden_names(tmp_path) == []


def test_an_error_in_the_block_keeps_the_earlier_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"before")
    with pytest.raises(ZeroDivisionError), AtomicFile(tmp_path / "a") as file:
        file.append(b"after")
        raise ZeroDivisionError
    assert (tmp_path / "a").read_bytes() == b"before"
    assert hidden_names(tmp_path) == []
    with AtomicFile(tmp_path / "a") as file:
        file.append(b"after")
    assert (tmp_path / "a").read_bytes() == b"after"


def test_a_full_disk_keeps_the_earlier_file(tiny_disk: Path) -> None:
    write_atomically(tiny_disk / "a", b"before")
    with pytest.raises(CheckpointError, match=rf"^cannot write {tiny_disk}/a: No space left on device$"):
        write_atomically(tiny_disk / "a", bytes(1 << 20), CheckpointError)
    file = AtomicFile(tiny_disk / "a")
    assert file.write(bytes(1 << 20)) == 0  # as libsndfile calls it: no exception passes through
    assert file.failure is not None
    with pytest.raises(SinkError, match="No space left on device"):
        file.commit()
    assert [path.name for path in tiny_disk.iterdir()] == ["a"]
    assert (tiny_disk / "a").read_bytes() == b"before"


def test_a_killed_process_keeps_the_earlier_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"before")
    code = (
        "import sys, time; from pathlib import Path; from vrnn_engine.base.files import AtomicFile\n"
        "folder = Path(sys.argv[1]); file = AtomicFile(folder / 'a'); file.append(b'after')\n"
        "(folder / 'half-written').touch(); time.sleep(60)\n"
    )
    run_until_killed(code, tmp_path)
    assert (tmp_path / "a").read_bytes() == b"before"
    write_atomically(tmp_path / "a", b"later")
    assert (tmp_path / "a").read_bytes() == b"later"


def test_a_mount_point_gets_the_content(mounted_file: Path) -> None:
    """A single file that is mounted into a container cannot be replaced by a rename."""
    before = mounted_file.stat().st_ino
    mounted_file.write_bytes(b"a longer content than the next")
    write_atomically(mounted_file, b"later")
    assert (mounted_file.read_bytes(), mounted_file.stat().st_ino) == (b"later", before)
    assert list(mounted_file.parent.glob(".*")) == []


def test_a_complete_file_that_cannot_be_put_in_place_is_kept(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "a")
    file.append(b"finished")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").touch()
    with pytest.raises(SinkError, match=rf"^cannot write {tmp_path}/a: .*; the complete file is (.*)$") as caught:
        file.commit()
    file.abort()
    assert Path(str(caught.value).rpartition(" is ")[2]).read_bytes() == b"finished"


def test_the_umask_decides_who_may_read(tmp_path: Path, umask_027: None) -> None:
    write_atomically(tmp_path / "a", b"x")
    assert permissions(tmp_path / "a") == 0o640
    with atomic_folder(tmp_path / "folder"):
        pass
    assert permissions(tmp_path / "folder") == 0o750


def test_parent_folders_are_created_on_demand_only(tmp_path: Path) -> None:
    path = tmp_path / "none" / "deeper" / "a"
    with pytest.raises(SinkError, match=rf"^cannot write {path}: there is no folder {path.parent}; make it first$"):
        write_atomically(path, b"x")
    write_atomically(path, b"x", parents=True)
    assert path.read_bytes() == b"x"
    with pytest.raises(StreamError, match=rf"^cannot write {path}/b: "):
        write_atomically(path / "b", b"x", StreamError, parents=True)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
def test_a_folder_in_which_no_file_can_be_made_is_not_called_missing() -> None:
    with pytest.raises(
        SinkError, match=r"^cannot write /proc/x\.wav: no file can be made in /proc; choose another fold"
    ):
        write_atomically("/proc/x.wav", b"x")


def test_what_is_at_a_path_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    assert non_file_kind(tmp_path) == "a folder"
    assert non_file_kind(tmp_path / "pipe") == "a pipe"
    assert non_file_kind("/dev/null") == "a device"
    assert non_file_kind(tmp_path / "file") is None
    with pytest.raises(FileNotFoundError):
        non_file_kind(tmp_path / "none")


def test_a_folder_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    with atomic_folder(target) as folder:
        (folder / "a").write_bytes(b"x")
        assert folder.parent == target.parent
        assert not target.exists()
    assert (target / "a").read_bytes() == b"x"
    assert hidden_names(target.parent) == []


@pytest.mark.parametrize("earlier", ["folder", "file", "link"])
def test_a_folder_replaces_what_was_there(tmp_path: Path, earlier: str) -> None:
    target, elsewhere = tmp_path / "here" / "folder", tmp_path / "elsewhere"
    target.parent.mkdir()
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    if earlier == "folder":
        target.mkdir()
        (target / "old").touch()
    elif earlier == "file":
        target.touch()
    else:
        target.symlink_to(elsewhere)
    with atomic_folder(target) as folder:
        (folder / "a").touch()
        assert os.path.lexists(target)
    assert [path.name for path in target.iterdir()] == ["a"]
    assert not target.is_symlink()
    assert hidden_names(target.parent) == []
    assert (elsewhere / "kept").exists()


def test_an_error_keeps_the_earlier_folder(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(ZeroDivisionError), atomic_folder(target) as folder:
        (folder / "a").touch()
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "old"]


def test_a_rename_that_fails_puts_the_earlier_folder_back(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(FileNotFoundError), atomic_folder(target) as folder:
        folder.rmdir()  # now it cannot be renamed
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "old"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_earlier_folder_is_never_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """Simulated: the new folder cannot be renamed, nor the earlier one be renamed back."""

    def rename(self: Path, target: Path) -> Path:
        if target == tmp_path / "folder":
            raise error if self.suffix == ".part" else OSError
        return real(self, target)

    real = Path.rename
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()
    monkeypatch.setattr("vrnn_engine.base.atomic_folder.exchange", lambda *paths: False)
    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(error), atomic_folder(tmp_path / "folder"):
        pass
    (earlier,) = tmp_path.iterdir()
    assert earlier.suffix == ".old"
    assert (earlier / "old").exists()


def test_a_killed_process_keeps_the_earlier_folder(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").touch()
    code = (
        "import sys, time; from pathlib import Path; from vrnn_engine.base.atomic_folder import atomic_folder\n"
        "parent = Path(sys.argv[1])\n"
        "with atomic_folder(parent / 'folder') as folder:\n"
        "    (folder / 'a').touch(); (parent / 'half-written').touch(); time.sleep(60)\n"
    )
    run_until_killed(code, tmp_path)
    assert [path.name for path in target.iterdir()] == ["old"]
