"""benchmarks/fingerprints.py prints the same lines for the same bits, and other lines for others."""

import subprocess
import sys
from pathlib import Path

import onnx
from onnx import numpy_helper
from support import toy_voice
from support.command import ROOT, environment

from vrnn_engine import Voice

sys.path.insert(0, str(ROOT / "benchmarks"))
from fingerprints import BLOCK_SIZES, ROWS, SEEDS, SETTINGS, fingerprints

OTHER_CASES = 6
"""Controls moved, snapshot, fork, reseed, prime, timeline."""


def change_one_weight(graph: onnx.GraphProto) -> None:
    """Change one weight of the decoder in its sixth digit."""
    for tensor in graph.initializer:
        if tensor.name == "Wd":
            weights = numpy_helper.to_array(tensor).copy()
            weights[0, 0] *= 1 + 1e-5
            tensor.CopyFrom(numpy_helper.from_array(weights, "Wd"))


def test_the_command_prints_a_line_for_each_case(toy_audio: Path, toy_pen: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "fingerprints.py"), "--frames", "24"]
    command += ["--voice", str(toy_audio), "--voice", str(toy_pen)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no event of the timeline failed
    lines = done.stdout.splitlines()
    assert len(lines) == 2 * (len(SEEDS) + len(SETTINGS) + len(BLOCK_SIZES) + len(ROWS) + OTHER_CASES)
    assert lines == [*fingerprints(Voice.open(toy_audio), 24), *fingerprints(Voice.open(toy_pen), 24)]
    of_blocks = {line.split()[-1] for line in lines[: len(lines) // 2] if " blocks of " in line}
    assert len(of_blocks) == 1


def test_a_small_change_of_one_weight_shows_in_every_line(toy_audio: Path, tmp_path: Path) -> None:
    changed = Voice.open(toy_voice.build(tmp_path / "changed", edit_step=change_one_weight))
    for line, other in zip(fingerprints(Voice.open(toy_audio)), fingerprints(changed), strict=True):
        assert line.rpartition(": ")[0] == other.rpartition(": ")[0]
        assert line != other
