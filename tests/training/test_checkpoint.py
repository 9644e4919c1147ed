"""Checkpoints: files that cannot be read or written give one clear error."""

import dataclasses
import pickle

import pytest
import torch
from support import tiny_models
from support.corpora import make_ink
from support.recipes import pen_recipe

from vrnn_engine.errors import CheckpointError
from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from vrnn_engine.training.trainer import train


@pytest.fixture(scope="module")
def ink(tmp_path_factory):
    return make_ink(tmp_path_factory.mktemp("ink") / "ink.npz")


class Evil:
    def __reduce__(self):
        return (open, ("pwned", "w"))


FOREIGN = {"empty", "pickle", "plain pickle", "sound", "other"}


@pytest.mark.parametrize(
    "spoil", ["missing", "truncated", "empty", "pickle", "plain pickle", "sound", "other", "lacking", "newer"]
)
def test_bad_checkpoint_raises_one_line_and_executes_nothing(ink, tmp_path, monkeypatch, spoil):
    monkeypatch.chdir(tmp_path)
    train(pen_recipe(updates=1), ink, tmp_path)
    path = tmp_path / "best.pt"
    if spoil == "missing":
        path.unlink()
    elif spoil == "truncated":
        path.write_bytes(path.read_bytes()[:-500])
    elif spoil == "empty":
        path.write_bytes(b"")
    elif spoil == "pickle":
        torch.save({"magic": Evil()}, path)
    elif spoil == "plain pickle":
        path.write_bytes(pickle.dumps({"magic": 1}))
    elif spoil == "sound":
        path.write_bytes(b"RIFF\x24\0\0\0WAVEfmt")
    elif spoil == "lacking":
        fields = torch.load(path, weights_only=True)
        del fields["recipe"]["model"]["basis"]
        torch.save(fields, path)
    elif spoil == "other":
        torch.save({"weights": torch.zeros(3)}, path)
    else:
        fields = torch.load(path, weights_only=True)
        torch.save(fields | {"version": 99}, path)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "pwned").exists()
    assert ("not a checkpoint of vrnn-engine" in str(caught.value)) == (spoil in FOREIGN)


def test_checkpoint_that_cannot_be_written_leaves_the_old_one(tiny_disk):
    weights = tiny_models.model("pen-gmm").state_dict()
    kept = Checkpoint(pen_recipe(), weights, (0.0, 0.0), (1.0, 1.0), {"which": 1.0}, "", {})
    save_checkpoint(kept, tiny_disk / "best.pt")
    old = (tiny_disk / "best.pt").read_bytes()
    (tiny_disk / "other").write_bytes(bytes(60_000 - len(old) // 4096 * 4096 - 16_384))  # the next one fits in part
    with pytest.raises(CheckpointError, match=r"cannot write .*best\.pt: No space left on device") as caught:
        save_checkpoint(dataclasses.replace(kept, metrics={"which": 2.0}), tiny_disk / "best.pt")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tiny_disk.iterdir()) == ["best.pt", "other"]
    assert (tiny_disk / "best.pt").read_bytes() == old
    assert load_checkpoint(tiny_disk / "best.pt").metrics == {"which": 1.0}


def test_checkpoint_in_a_missing_folder_raises_an_error(tmp_path):
    kept = Checkpoint(pen_recipe(), {}, (0.0, 0.0), (1.0, 1.0), {}, "", {})
    with pytest.raises(CheckpointError, match=r"cannot write .*best\.pt: there is no folder .*none; make it first"):
        save_checkpoint(kept, tmp_path / "none" / "best.pt")
