"""What is left on the disk: unpacked voices within a limit, scratch folders, and what `voices clean` removes."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import toy_voice
from support.command import environment

from vrnn_engine.base.atomic.scratch import ScratchFolder
from vrnn_engine.runtime.graph.install import install_voice
from vrnn_engine.runtime.live.saved import SavedFolder
from vrnn_engine.runtime.voice.cleaning import clean
from vrnn_engine.runtime.voice.unpacked import trim
from vrnn_engine.runtime.voice.voice import Voice

OPEN = (
    "import sys, time; from vrnn_engine import Voice\n"
    "Voice.open(sys.argv[1]); print('open', flush=True); time.sleep(60)"
)


@pytest.fixture
def archives(tmp_path: Path) -> list[Path]:
    """Three voices, zipped."""
    made = []
    for number in range(3):
        folder = toy_voice.build(tmp_path / "made" / f"toy-{number}")
        (folder / "CARD.md").write_text(f"number {number}")
        made.append(Path(shutil.make_archive(str(tmp_path / f"toy-{number}"), "zip", folder)))
    return made


def unpack_and_die(archive: Path) -> Path:
    """Unpack a voice in another process, and return its folder."""
    before = set(unpacked(archive.parent))
    subprocess.run([sys.executable, "-c", OPEN.replace("time.sleep(60)", "1"), archive], env=environment(), check=True)
    (new,) = set(unpacked(archive.parent)) - before
    return new


def unpacked(tmp_path: Path) -> list[Path]:
    cache = tmp_path / "cache" / "voices"
    return sorted(cache.iterdir()) if cache.exists() else []


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_cache_is_trimmed_to_its_limit_and_what_was_used_last_stays(archives: list[Path], tmp_path: Path) -> None:
    folders = [unpack_and_die(archive) for archive in archives]
    for age, folder in zip((100, 300, 200), folders, strict=True):
        os.utime(folder, (folder.stat().st_mtime - age,) * 2)
    sizes = [size(folder) for folder in folders]
    assert trim(sum(sizes)) == 0
    assert trim(sum(sizes) - 1) == sizes[1]
    assert unpacked(tmp_path) == sorted([folders[0], folders[2]])
    assert trim(sizes[0]) == sizes[2]
    assert unpacked(tmp_path) == [folders[0]]


def test_a_voice_that_a_process_uses_is_never_removed(archives: list[Path], tmp_path: Path) -> None:
    other = unpack_and_die(archives[0])
    with subprocess.Popen(
        [sys.executable, "-c", OPEN, archives[1]], env=environment(), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"open\n"
        (used,) = set(unpacked(tmp_path)) - {other}
        removed = size(other)
        assert clean()[0].size == removed
        assert unpacked(tmp_path) == [used]
        process.send_signal(signal.SIGKILL)
    assert clean()[0].size > 0
    assert unpacked(tmp_path) == []
    mine = Voice.open(archives[2])
    assert clean()[0].size == 0
    assert mine.path.exists()


def test_a_scratch_folder_of_a_killed_process_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "import os, sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from vrnn_engine.base.atomic.scratch import ScratchFolder\n"
        "folder = ScratchFolder(); open(folder.name + '/a', 'w').write('left'); os.kill(os.getpid(), 9)\n"
    )
    with ScratchFolder() as mine:
        assert subprocess.run([sys.executable, "-c", code, tmp_path], env=environment()).returncode == -9
        assert len(list(tmp_path.glob("vrnn-engine-scratch-*"))) == 2
        with ScratchFolder() as other:
            assert sorted(map(str, tmp_path.glob("vrnn-engine-scratch-*"))) == sorted([mine, other])
    assert list(tmp_path.glob("vrnn-engine-scratch-*")) == []


def test_clean_says_what_it_removes_and_keeps_what_is_the_users(run, archives: list[Path], tmp_path: Path) -> None:
    installed = install_voice(archives[0])  # this process uses the unpacked copy
    unpack_and_die(archives[1])
    state = SavedFolder("toy", tmp_path / "moments").write_state("here", b"state")
    left = [tmp_path / "installed" / ".toy-0.0123abcd.part", state.parent / ".gone.moment.0123abcd.part"]
    left[0].mkdir()
    (left[0] / "a").write_bytes(bytes(1000))
    left[1].write_bytes(bytes(500))
    (tmp_path / "cache" / "tried").mkdir()
    (tmp_path / "cache" / "tried" / "0123abcd").touch()
    (tmp_path / "cache" / "corpora" / "abc").mkdir(parents=True)
    (tmp_path / "cache" / "corpora" / "abc" / "train.int16").write_bytes(bytes(700))
    done = run("voices", "clean", "--json")
    found = json.loads(done.stdout)
    assert found["leftovers of interrupted processes"] >= 1500
    assert found["unpacked voices"] > 0
    assert not any(path.exists() for path in left)
    assert not (tmp_path / "cache" / "tried").exists()
    assert installed.path.exists()
    assert state.read_bytes() == b"state"
    assert (tmp_path / "cache" / "corpora" / "abc").exists()
    done = run("voices", "clean", "--corpora")
    assert done.stdout.splitlines() == [
        "removed 0 bytes of unpacked voices",
        "removed 0 bytes of leftovers of interrupted processes",
        "removed 700 bytes of decoded recordings",
    ]
