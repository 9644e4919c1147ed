"""Every block of shell and Python in the README and in docs/ runs, except those that say why they are not run here.

A block under the line `<!-- not run: REASON -->` is left out.  A block under `<!-- continues -->` runs after the block
before it, in the same folder; every other block runs alone, in an empty folder.  A block must leave exactly the files
there that it says it writes.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"(?:<!-- (?:not run: (?P<reason>[^\n]+?)|(?P<continues>continues)) -->\n+)?"
    r"```(?P<language>sh|python)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
INDENTED = re.compile(
    r"^ {4,}(?:\$ )?(?:\.venv/bin/\w+|vrnn-engine|python|pip|torchrun|make|import|from) .*", re.MULTILINE
)
"""A command in an indented block, which would not be run."""
WRITES = {
    "sh": r"(?:--to|--record|--out|--triton|>|mkdir(?: -p)?|ink convert [\w.]+) '?([\w./-]+)",
    "python": r'(?:to=|open\()"([\w./-]+)"',
}
SLOW = ("vrnn-engine train", "vrnn-engine export")


class Block(NamedTuple):
    """A fenced block of code."""

    language: str
    code: str
    reason: str | None
    continues: bool
    where: str


def blocks(document: Path) -> list[Block]:
    text, name = document.read_text(), document.relative_to(ROOT).as_posix()
    return [
        Block(
            m["language"],
            m["code"],
            m["reason"],
            m["continues"] is not None,
            f"{name}-{text.count(chr(10), 0, m.start('code')) + 1}",
        )
        for m in FENCE.finditer(text)
    ]


def chains(document: Path) -> list[list[Block]]:
    """Return the blocks that run, those that share a folder together."""
    found: list[list[Block]] = []
    for block in blocks(document):
        if block.reason is None:
            if block.continues:
                found[-1].append(block)
            else:
                found.append([block])
    return found


def marked(chain: list[Block]) -> object:
    slow = any(words in block.code for block in chain for words in SLOW)
    return pytest.param(chain, id=chain[0].where, marks=[pytest.mark.slow] if slow else [])


RUN = [chain for document in DOCUMENTS for chain in chains(document)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_block_escapes_the_pattern(document: Path) -> None:
    text, found = document.read_text(), blocks(document)
    assert len(found) == len(re.findall(r"^```(?:sh|python)\b", text, re.M))
    assert len(re.findall(r"^<!-- not run:", text, re.M)) == sum(block.reason is not None for block in found)
    assert len(re.findall(r"^<!-- continues", text, re.M)) == sum(block.continues for block in found)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_stand_in_fences_that_name_their_language(document: Path) -> None:
    """An indented block, and a fence without a language or with `bash` or `py`, would not be run."""
    text = document.read_text()
    fences = re.findall(r"^```(.*)$", text, re.M)
    known = {"sh", "python", "toml", "json", "text"}
    assert set(fences[::2]) <= known
    assert set(fences[1::2]) <= {""}
    assert INDENTED.findall(re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)) == []


def test_shell_and_python_are_run_from_the_readme_and_from_docs() -> None:
    tried = {(block.where.startswith("README"), block.language) for chain in RUN for block in chain}
    assert len(tried) == 4


@pytest.mark.parametrize("chain", [marked(chain) for chain in RUN])
def test_blocks_run(chain: list[Block], work: Path) -> None:
    work.mkdir()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    promised: set[str] = set()
    for block in chain:
        command = [sys.executable, "-"] if block.language == "python" else ["bash", "-euo", "pipefail", "-s"]
        done = subprocess.run(
            command, input=block.code, capture_output=True, text=True, cwd=work, env={**os.environ, "PATH": path}
        )
        assert done.returncode == 0, f"{block.where}: {done.stderr}"
        promised |= {name for name in re.findall(WRITES[block.language], block.code) if name not in ("-", "null")}
    assert all((work / name).is_dir() or (work / name).stat().st_size > 0 for name in promised)
    assert {path.name for path in work.iterdir()} == {name.split("/")[0] for name in promised}
