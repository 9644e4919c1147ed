"""The commands that a checkpoint names: all steps that led to its weights."""

import msgspec
from support.corpora import make_ink
from support.recipes import pen_recipe

from vrnn_engine.training.checkpoint import Checkpoint, load_checkpoint
from vrnn_engine.training.command import training_command
from vrnn_engine.training.trainer import train

FIRST = "vrnn-engine train tiny-pen.toml --data DATA"


def test_a_run_that_starts_from_another_names_all_steps(tmp_path):
    ink = make_ink(tmp_path / "ink.npz")
    train(pen_recipe(updates=2, kl_warmup=0), ink, tmp_path / "a")
    train(pen_recipe(updates=3, kl_warmup=0), ink, tmp_path / "a", resume=True)
    begun = f"{FIRST} --updates 2; the same with --resume --updates 3"
    assert training_command(load_checkpoint(tmp_path / "a" / "last.pt")) == begun
    other = msgspec.structs.replace(pen_recipe(updates=1, kl_warmup=0), name="fine")
    train(other, ink, tmp_path / "b", start=tmp_path / "a" / "last.pt")
    fine = "vrnn-engine train fine.toml --data DATA --from runs/tiny-pen/best.pt"
    for name in ("best.pt", "last.pt"):
        assert training_command(load_checkpoint(tmp_path / "b" / name)) == f"{begun}; {fine}"
    train(other, ink, tmp_path / "c", start=tmp_path / "b" / "best.pt")
    again = "vrnn-engine train fine.toml --data DATA --from runs/fine/best.pt --out runs/fine-2"
    assert training_command(load_checkpoint(tmp_path / "c" / "best.pt")) == f"{begun}; {fine}; {again}"
    train(pen_recipe(updates=1, kl_warmup=0), ink, tmp_path / "d", start=tmp_path / "c" / "best.pt")
    assert training_command(load_checkpoint(tmp_path / "d" / "best.pt")) == (
        f"{begun}; {fine}; {again}; {FIRST} --from runs/fine-2/best.pt --out runs/tiny-pen-2"
    )


def test_a_run_that_is_resumed_keeps_its_steps(tmp_path):
    ink = make_ink(tmp_path / "ink.npz")
    train(pen_recipe(updates=1, kl_warmup=0), ink, tmp_path / "a")
    train(pen_recipe(updates=1, kl_warmup=0), ink, tmp_path / "b", start=tmp_path / "a" / "best.pt")
    train(pen_recipe(updates=2, kl_warmup=0), ink, tmp_path / "b", resume=True)
    assert training_command(load_checkpoint(tmp_path / "b" / "last.pt")) == (
        f"{FIRST}; {FIRST} --from runs/tiny-pen/best.pt --out runs/tiny-pen-2 --updates 1; "
        "the same with --resume --updates 2"
    )


def test_the_steps_of_a_voice_are_those_of_its_manifest():
    """A checkpoint that was read from a voice has no state to resume from."""
    checkpoint = Checkpoint(pen_recipe(), {}, (), (), {}, "", {}, earlier="one; two")
    assert training_command(checkpoint) == "one; two"
