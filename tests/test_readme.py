"""Every block of shell and Python in the README runs, except those that say why they are not run here.

A block under the line `<!-- not run: REASON -->` is left out.  Each block runs alone, in an empty folder,
and must leave the files there that it says it writes.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]+?) -->\n+)?```(?P<language>sh|python)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    language: str
    code: str
    reason: str | None
    line: int


def blocks() -> list[Block]:
    text = README.read_text()
    return [
        Block(m["language"], m["code"], m["reason"], text.count("\n", 0, m.start("code")) + 1)
        for m in FENCE.finditer(text)
    ]


RUN = [block for block in blocks() if block.reason is None]


def test_blocks_are_found() -> None:
    """No fence escapes the pattern above, and both languages are really tried."""
    text = README.read_text()
    assert len(blocks()) == len(re.findall(r"^```(?:sh|python)\b", text, re.M))
    assert len(re.findall(r"<!-- not run:", text)) == sum(block.reason is not None for block in blocks())
    assert {"sh", "python"} == {block.language for block in RUN}


@pytest.mark.parametrize("block", RUN, ids=[f"{block.language}-line-{block.line}" for block in RUN])
def test_block_runs(block: Block, tmp_path: Path) -> None:
    command = [sys.executable, "-"] if block.language == "python" else ["bash", "-euo", "pipefail", "-s"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        command, input=block.code, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PATH": path}
    )
    assert done.returncode == 0, done.stderr
    promised = re.findall(r"(?:--to|--record|>) ([\w.]+\.\w+)", block.code) if block.language == "sh" else []
    assert all((tmp_path / name).stat().st_size > 0 for name in promised)
    assert {path.name for path in tmp_path.iterdir()} == set(promised)
