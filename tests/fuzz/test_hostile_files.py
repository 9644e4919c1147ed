"""Pipes, devices, files that are too large and files that claim too much are refused in one line, without waiting."""

import dataclasses
import io
import json
import os
import struct
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from support import tiny_models, toy_voice
from support.command import Run
from support.memory import begin_peak, peak_bytes
from support.recipes import pen_recipe
from support.snapshots import HEAD, seal

from vrnn_engine import Engine, Stream
from vrnn_engine.base.reading.arrays import read_npy, read_npz
from vrnn_engine.data.ink.convert import read_ink, read_texts
from vrnn_engine.data.line_files import load_lines
from vrnn_engine.errors import CheckpointError, VRNNEngineError
from vrnn_engine.runtime.hands.saved_hands import SavedHands
from vrnn_engine.runtime.live.control.midi_map import MidiMap
from vrnn_engine.runtime.live.saved import SavedFolder
from vrnn_engine.runtime.live.timeline import read_timeline
from vrnn_engine.runtime.live.trajectories import find_trajectory
from vrnn_engine.runtime.recording import read_recording
from vrnn_engine.runtime.recording.pipe import open_pipe
from vrnn_engine.runtime.sinks.ink.plotters.progress import read_progress
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from vrnn_engine.training.recipe import load_recipe


def fifo(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def sparse(path: Path) -> None:
    """Make a file of 5 GiB that takes no space on the disk."""
    with path.open("wb") as file:
        file.truncate(5 << 30)


SPOILS = [fifo, endless, folder, sparse]


@pytest.fixture
def stream(engine: Engine) -> Stream:
    return engine.stream(3)


Read = Callable[[Path, Stream], object]
READERS: dict[str, tuple[str, Read]] = {
    "manifest": ("voice.json", lambda path, _: Voice.open(path.parent)),
    "saved state": ("one.moment", lambda path, _: SavedFolder(".", path.parent).read_state("one")),
    "trajectory": ("one.npy", lambda path, stream: find_trajectory("one", SavedFolder(".", path.parent), stream)),
    "hand": ("one.json", lambda path, _: SavedHands(".", path.parent).load("one")),
    "timeline": ("events.jsonl", lambda path, _: read_timeline(path, 80.0)),
    "progress": ("plot.json", lambda path, _: read_progress(path)),
    "MIDI bindings": ("midi.json", lambda path, _: MidiMap(path)),
    "recipe": ("recipe.toml", lambda path, _: load_recipe(str(path))),
    "texts": ("texts.txt", lambda path, _: read_texts(path)),
    "SVG": ("page.svg", lambda path, _: read_ink(path)),
    "InkML": ("page.inkml", lambda path, _: read_ink(path)),
    "CSV": ("page.csv", lambda path, _: read_ink(path)),
    "stroke-3": ("page.npz", lambda path, _: read_ink(path)),
    "corpus of arrays": ("lines.npz", lambda path, _: load_lines(path)),
    "corpus of JSON lines": ("lines.jsonl", lambda path, _: load_lines(path)),
    "checkpoint": ("best.pt", lambda path, _: load_checkpoint(path)),
}


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_or_too_large_is_refused_without_being_read(
    tmp_path: Path, stream: Stream, name: str, spoil: Callable[[Path], None]
) -> None:
    (tmp_path / "files").mkdir()
    file, read = READERS[name]
    spoil(tmp_path / "files" / file)
    before = begin_peak()
    with pytest.raises(VRNNEngineError) as caught:
        read(tmp_path / "files" / file, stream)
    assert len(str(caught.value).splitlines()) == 1
    assert peak_bytes() - before < 40 << 20, "the file was read"


def test_a_pipe_that_a_shell_has_opened_is_read_as_text(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b'{"do": "reset", "frame": 3}\n')
    os.close(writing)
    assert [event.frame for event in read_timeline(f"/dev/fd/{reading}", 80.0).events] == [3]
    os.close(reading)


def test_damaged_voices_are_listed_with_their_faults_and_hide_no_other(run: Run, homes: Path) -> None:
    home = homes / "installed"
    for name in ("deep", "latin", "pipe", "large", "good"):
        toy_voice.build(home / name, name=name)
    (home / "deep" / "voice.json").write_bytes(b"[" * 10_000)
    (home / "latin" / "voice.json").write_bytes(b'{"schema_version": 1, "name": "\xff"}')
    (home / "pipe" / "voice.json").unlink()
    fifo(home / "pipe" / "voice.json")
    sparse(home / "large" / "voice.json")
    done = run("voices", "list", "--json")
    assert done.returncode == 0, done.stderr
    problems = {voice["name"]: voice["problem"] for voice in json.loads(done.stdout)}
    assert problems.pop("good") is None
    assert problems.pop("blizzard") is None
    assert problems.pop("handwriting") is None
    assert sorted(problems) == ["deep", "large", "latin", "pipe"]
    assert all(len(problem.splitlines()) == 1 for problem in problems.values())
    assert "it is a pipe, not a file" in problems["pipe"]
    assert "more than 16 MiB" in problems["large"]
    plain = run("voices", "list")
    assert plain.returncode == 0
    assert "Traceback" not in plain.stderr
    assert len(plain.stderr.splitlines()) == 4


def header(shape: tuple[int, ...], kind: str) -> bytes:
    """Return an array that claims a shape and a type, and has eight bytes."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue() + bytes(8)


HEADERS = [
    header((2**40,), "<f4"),
    header((2**40, 2**40, 2**40), "<f8"),
    header((-1,), "<f4"),
    header((1,), "|O"),
    header((1,), "<M8[s]"),
]


@pytest.mark.parametrize("data", HEADERS)
def test_an_array_that_claims_more_than_it_has_or_objects_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "one.npy").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "one.npz", "w") as archive:
        archive.writestr("one.npy", data)
    for read, name in ((read_npy, "one.npy"), (read_npz, "one.npz")):
        with pytest.raises(ValueError, match=r"does not fit into its|the shape of an array is|has elements of type"):
            read(tmp_path / name, 1 << 30)


def test_an_npz_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("dx.npy", "w", force_zip64=True) as member,
    ):
        member.write(header((300 << 18,), "<f4"))
        for _ in range(300):
            member.write(bytes(1 << 20))
    assert (tmp_path / "bomb.npz").stat().st_size < 1 << 20
    with pytest.raises(ValueError, match="more than 256 MiB"):
        read_npz(tmp_path / "bomb.npz", 256 << 20)
    assert read_npz(tmp_path / "bomb.npz", 256 << 20, ("dy",)) == {}


def test_a_wav_stream_with_a_huge_chunk_before_its_samples_takes_little_memory(tmp_path: Path, engine: Engine) -> None:
    """The chunk claims 4 GiB, and 64 MiB of it arrive."""
    os.mkfifo(tmp_path / "pipe")

    def write() -> None:
        with (tmp_path / "pipe").open("wb") as pipe:
            pipe.write(b"RIFF\xff\xff\xff\xffWAVELIST\xfe\xff\xff\xff")
            for _ in range(64):
                pipe.write(bytes(1 << 20))

    writer = threading.Thread(target=write)
    writer.start()
    before = begin_peak()
    with pytest.raises(VRNNEngineError, match="ends in its header"):
        read_recording(tmp_path / "pipe", engine.voice.manifest)
    writer.join()
    assert peak_bytes() - before < 32 << 20


def test_a_line_from_a_pipe_that_never_ends_is_refused(tmp_path: Path) -> None:
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb", buffering=0) as pipe:
            for _ in range(40):
                pipe.write(bytes(1 << 16))

    writer = threading.Thread(target=write)
    writer.start()
    pipe = open_pipe(f"/dev/fd/{reading}")
    assert pipe is not None
    with pytest.raises(VRNNEngineError, match="a line has more than 1 MiB"):
        list(pipe.lines())
    while os.read(reading, 1 << 16):
        pass
    writer.join()
    pipe.close()
    os.close(reading)


# Checkpoints


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "best.pt"
    weights = tiny_models.model("pen-gmm").state_dict()
    save_checkpoint(Checkpoint(pen_recipe(), weights, (0.0, 0.0), (1.0, 1.0), {"bound": 1.0}, "", {}), path)
    return path


def test_a_checkpoint_with_one_flipped_bit_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    data = checkpoint.read_bytes()
    rng = np.random.default_rng(0)
    places = [*rng.integers(0, len(data), 300), *range(len(data) - 120, len(data))]  # all of the checksum and the end
    path = tmp_path / "best.pt"
    for place in places:
        path.write_bytes(data[:place] + bytes([data[place] ^ (1 << int(rng.integers(8)))]) + data[place + 1 :])
        with pytest.raises(CheckpointError, match=r"^[^\n]*best\.pt: (damaged|not a checkpoint)"):
            load_checkpoint(path)


def test_a_checkpoint_of_an_earlier_version_without_a_checksum_is_loaded(checkpoint: Path, tmp_path: Path) -> None:
    data = checkpoint.read_bytes()
    at = data.rindex(b"vrnn-engine blake2b ")
    path = tmp_path / "best.pt"
    path.write_bytes(data[: at - 2] + b"\0\0")
    assert load_checkpoint(path).metrics == {"bound": 1.0}


def test_a_checkpoint_whose_recipe_has_a_huge_model_takes_no_memory(checkpoint: Path) -> None:
    trained = load_checkpoint(checkpoint)
    model = msgspec.structs.replace(trained.recipe.model, recurrent_size=1_000_000)
    recipe = msgspec.structs.replace(trained.recipe, model=model)
    with pytest.raises(CheckpointError, match="do not fit the model"):
        dataclasses.replace(trained, recipe=recipe).build()


# Snapshots


def test_a_snapshot_that_no_stream_can_have_changes_nothing(stream: Stream) -> None:
    def forged(**changes: object) -> bytes:
        fields = msgspec.msgpack.decode(stream.snapshot()[HEAD:]) | changes
        return seal(msgspec.msgpack.encode(fields))

    stream.read(3)
    before = stream.snapshot()
    state = msgspec.msgpack.decode(before[HEAD:])["state"]
    shape, data = state["h"]["shape"], state["h"]["data"]

    def tensor(shape: list[int], data: bytes) -> dict[str, object]:
        return {"shape": shape, "data": data}

    for bad in (
        {"frame": 2**64 - 1},
        {"frame": 2**53 + 1},
        {"seed": -1},
        {"latent": tensor([4], struct.pack("<4f", 0, 0, 0, float("nan")))},
        {"latent": tensor([5], bytes(20))},
        {"latent": tensor([-1], bytes(16))},
        {"latent": tensor([2**62, 2**62], b"")},
        {"state": state | {"h": tensor(shape, struct.pack("<f", float("inf")) + data[4:])}},
        {"state": state | {"h": tensor([*shape, 1], data)}},
        {"controls": {"latent.shift": [float("nan")] * 4}},
        {"controls": {"latent.shift": [0.5] * 4, "unknown": [1.0]}},
    ):
        with pytest.raises(VRNNEngineError):
            stream.restore(forged(**bad))
        assert stream.snapshot() == before, bad
