"""Every block of shell and Python in the README and in docs/ runs, except those that say why they are not run here.

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

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]+?) -->\n+)?```(?P<language>sh|python)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    language: str
    code: str
    reason: str | None
    where: str


def blocks(document: Path) -> list[Block]:
    text = document.read_text()
    return [
        Block(m["language"], m["code"], m["reason"], f"{document.name}-{text.count(chr(10), 0, m.start('code')) + 1}")
        for m in FENCE.finditer(text)
    ]


RUN = [block for document in DOCUMENTS for block in blocks(document) if block.reason is None]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_blocks_are_found(document: Path) -> None:
    """No fence escapes the pattern above."""
    text, found = document.read_text(), blocks(document)
    assert len(found) == len(re.findall(r"^```(?:sh|python)\b", text, re.M))
    assert len(re.findall(r"<!-- not run:", text)) == sum(block.reason is not None for block in found)


def test_both_languages_are_tried_in_readme_and_docs() -> None:
    tried = {(block.where.startswith("README"), block.language) for block in RUN}
    assert len(tried) == 4


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.where)
def test_block_runs(block: Block, work: Path) -> None:
    work.mkdir()
    command = [sys.executable, "-"] if block.language == "python" else ["bash", "-euo", "pipefail", "-s"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        command, input=block.code, capture_output=True, text=True, cwd=work, env={**os.environ, "PATH": path}
    )
    assert done.returncode == 0, done.stderr
    writes = r"(?:--to|--record|>) ([\w.]+\.\w+)" if block.language == "sh" else r'to="([\w.]+\.\w+)"'
    promised = re.findall(writes, block.code)
    assert all((work / name).stat().st_size > 0 for name in promised)
    assert {path.name for path in work.iterdir()} == set(promised)
