"""The bundled recipe of sound on few recordings, on the command line."""

import pytest
from support.command import run_command as run
from support.corpora import make_speech

from vrnn_engine.training.checkpoint import load_checkpoint


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "names", "seconds"),
    [("speech", [f"take{i}.wav" for i in range(9)], 17), ("speech/single.flac", ["single.flac"], 170)],
    ids=["nine recordings", "a single recording"],
)
def test_two_updates_of_blizzard_train_and_warn(tmp_path, data, names, seconds):
    make_speech(tmp_path / "speech", names, rate=16000, seconds=seconds)
    done = run("train", "blizzard", "--data", data, "--updates", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "blizzard: resampling begins at update 2,600, and the run ends at 2" in done.stderr
    assert "update 2/2: bound" in done.stderr
    best = load_checkpoint(tmp_path / "runs" / "blizzard" / "best.pt")
    assert best.recipe.training.updates == 2
    assert {"valid_elbo_per_frame", "test_elbo_per_frame"} <= set(best.metrics)
