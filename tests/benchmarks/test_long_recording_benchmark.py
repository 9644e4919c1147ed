"""benchmarks/long_recording.py: it resynthesises the whole recording, and reports its memory all along."""

import re
import subprocess
import sys
from pathlib import Path

from support.command import ROOT, environment


def test_the_whole_recording_is_measured(toy_audio: Path) -> None:
    words = ["--voice", str(toy_audio), "--minutes", "0.25"]
    command = [sys.executable, str(ROOT / "benchmarks" / "long_recording.py"), *words]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert "0.25 minutes of 48 kHz stereo, 3 MiB, resynthesise by " in done.stdout
    assert re.search(r"first sound after \d+\.\d\d s", done.stdout)
    assert "15.0 of 15.0 s of sound read" in done.stdout
    if sys.platform == "linux":
        (memory,) = re.findall(r"resident memory after each tenth, MiB: (.*)", done.stdout)
        assert len(memory.split()) in (9, 10)
