"""The documents agree with the code and with each other.

As a script: writes the JSON Schema of `voice.json` to stdout.
"""

import ast
import importlib.util
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

import vrnn_engine.errors
from vrnn_engine.data.options import Augment, TextLines
from vrnn_engine.data.style import Style
from vrnn_engine.models.config import EmphasisConfig, ModelConfig, SlowCells, SourceFilter, TextConfig
from vrnn_engine.models.families import OPTIONAL
from vrnn_engine.runtime.voice.graph_file.rules.operators import LISTED
from vrnn_engine.runtime.voice.manifest import SCHEMA_VERSION, json_schema
from vrnn_engine.training.recipe import About, PenData, Schedule, SpeechData, load_recipe

ROOT = Path(__file__).resolve().parents[2]
TITLE = f"Manifest of a vrnn-engine voice (voice.json), schema version {SCHEMA_VERSION}"
PARTS = {"slow_cells", "source_filter", "emphasis", "style", "text", "augment"}
"""Tables of their own."""
ENTRY_POINTS = ("vrnn_engine.sinks", "vrnn_engine.sources")
ROOMS = {path.name for folder in (ROOT, ROOT / "vrnn_engine") for path in folder.iterdir() if path.is_dir()}
"""Folders that a path in a document may begin with."""
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def published_schema() -> dict[str, Any]:
    """The schema as it stands in docs/, which needs a dialect and a title besides what the code gives."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": TITLE, **json_schema()}


def test_published_schema_is_the_one_in_the_code() -> None:
    published = json.loads((ROOT / "docs" / "voice.schema.json").read_text())
    assert published == published_schema(), "run `make schema`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    broken = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not broken


def test_the_operators_that_a_voice_may_use_are_those_in_the_code() -> None:
    text = (ROOT / "docs" / "voice-format.md").read_text()
    for domain, start in (("", "whose sizes can be computed:"), ("com.microsoft", "Of the domain `com.microsoft`:")):
        found = text.split(start)[1].lstrip().split(".\n")[0].split(",")
        assert [name.strip() for name in found] == sorted(LISTED[domain])


def test_every_page_is_in_the_navigation_and_in_the_index_or_its_section() -> None:
    named = set(re.findall(r"([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert named == pages | {"CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"}
    indexes = [ROOT / "docs" / "README.md", ROOT / "docs" / "first-hour" / "README.md"]
    linked = {
        (index.parent / link).resolve()
        for index in indexes
        for link in re.findall(r"\]\(([^)#\s]+)", index.read_text())
        if "://" not in link
    }
    assert {(ROOT / "docs" / page).resolve() for page in pages} <= linked | set(indexes)


def test_every_picture_sound_and_table_is_linked_from_a_document() -> None:
    text = "".join(document.read_text() for document in DOCUMENTS)
    for path in (ROOT / "docs").iterdir():
        if path.is_file() and path.suffix not in {".md", ".lock"}:
            assert f"{path.name})" in text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_lists_and_tables_have_an_empty_line_before_them(document: Path) -> None:
    """GitHub shows them all the same, the site would not."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    missing = re.findall(r"^(?![-|#>\s]|\d+\. )[^\n]+\n(?=[-*] |1\. |\|)[^\n]*", text, re.M)
    assert missing == []


def test_the_reference_covers_what_the_package_exports_and_names_what_exists() -> None:
    pages = "".join(path.read_text() for path in (ROOT / "docs" / "reference").glob("*.md"))
    named = re.findall(r"^::: ([\w.]+)$", pages, re.M)
    for name in named:
        assert pkgutil.resolve_name(name)
    errors = {name for name in vars(vrnn_engine.errors) if name.endswith("Error")}
    assert "vrnn_engine.errors" in named
    assert {f"vrnn_engine.{name}" for name in set(vrnn_engine.__all__) - errors - {"__version__"}} <= set(named)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_names_and_paths_in_documents_exist(document: Path) -> None:
    if document.name == "CHANGELOG.md":
        return  # it also has what is no longer there
    spans = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    )
    for span in spans:
        if re.fullmatch(r"vrnn_engine(\.\w+)+", span) and span not in ENTRY_POINTS:
            assert pkgutil.resolve_name(span)
        elif re.fullmatch(r"[\w.-]+/[\w./-]*(\.py|\.toml|/)", span) and span.split("/")[0] in ROOMS:
            assert (ROOT / span).exists() or (ROOT / "vrnn_engine" / span).exists(), span


def test_ten_small_changes_touch_at_most_three_files_that_exist() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("## Ten small changes and the files they touch")[2]
    rows = re.findall(r"^\| (\[.*) \| (.*) \|$", section.partition("\n## ")[0], re.M)
    assert len(rows) == 10
    for change, files in rows:
        named = re.findall(r"`([^`]+)`", files)
        assert 1 <= len(named) <= 3, change
        assert all((ROOT / "vrnn_engine" / name).exists() for name in named), change


def test_the_reference_of_the_command_line_has_every_command() -> None:
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    asked = re.findall(r"^<!-- help: ?(.*?) ?-->$", page, re.M)
    under = [f"{verb} {command}" for verb in ("voices", "hands", "ink") for command in commands(verb)]
    assert sorted(asked) == sorted(["", *commands(), *under])


def commands(*words: str) -> list[str]:
    """Return the commands that the help of the command line lists."""
    done = subprocess.run([sys.executable, "-m", "vrnn_engine", *words, "--help"], capture_output=True, text=True)
    return re.findall(r"^  (\w+)  ", done.stdout.partition("Commands:")[2], re.M)


def test_troubleshooting_quotes_messages_that_the_code_has() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    quoted = re.findall(r"^\| `([^`]+)` \|", page, re.M)
    assert len(quoted) > 40
    said = [text for path in (ROOT / "vrnn_engine").rglob("*.py") for text in messages(path)]
    assert [message for message in quoted if not any(has_parts(text, message.split("…")) for text in said)] == []


def has_parts(text: str, parts: list[str]) -> bool:
    """Return whether a text has these parts, one after the other."""
    at = 0
    for part in parts:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


def messages(path: Path) -> Iterator[str]:
    """Yield every text of a module, the values that are put into it as `…`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


def test_the_citation_is_of_this_version() -> None:
    text = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^version: (.+)$", text, re.M) == [vrnn_engine.__version__]
    assert "arXiv:1506.02216" in text


def test_links_out_of_docs_become_pages_of_the_site() -> None:
    hooks = site_hooks()
    links = "[a](../../examples/osc_sketch.py) [b](../../CONTRIBUTING.md#adding-things) [c](../live.md)"
    text = f"{links}\n```\n[d](../../x)\n```"
    written, linked = hooks.rewrite(text, "docs/how-to")
    assert linked == {"examples/osc_sketch.py", "CONTRIBUTING.md"}
    assert "[a](../repository/examples/osc_sketch.py.md)" in written
    assert "[b](../CONTRIBUTING.md#adding-things) [c](../live.md)" in written
    assert "[d](../../x)" in written
    assert hooks.rewrite("[e](docs/live.md)", "")[0] == "[e](live.md)"
    with pytest.raises(ValueError, match="leads to no file"):
        hooks.rewrite("[f](../nowhere.py)", "docs")


def test_the_help_of_a_command_takes_the_place_of_its_mark() -> None:
    hooks = site_hooks()
    assert hooks.with_help("a\n<!-- help: voices list -->\nb", lambda words: words) == "a\n```text\nvoices list\n```\nb"
    assert "--seconds" in hooks.command_help("stream")
    with pytest.raises(ValueError, match="nothing --help failed"):
        hooks.command_help("nothing")


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<script src="https://cdn.example/x.js"></script>', True),
        ('<link rel="stylesheet" href="//fonts.example/x.css">', True),
        ('<link rel="canonical" href="https://docs.example/">', False),
        ('<a href="https://arxiv.org/abs/1506.02216">paper</a><img src="handwriting.svg">', False),
    ],
)
def test_a_page_that_loads_from_another_host_is_found(html: str, found: bool) -> None:
    assert bool(site_hooks().foreign(html)) is found


def site_hooks() -> ModuleType:
    """Return the module of the site's hooks, which is in no package."""
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "hooks" / "site.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_fields_of_recipes_are_those_of_the_document_and_its_recipe_loads(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "training.md").read_text()
    models = (ModelConfig, SlowCells, SourceFilter, EmphasisConfig, TextConfig)
    for kind in (About, *models, SpeechData, Augment, PenData, Style, TextLines, Schedule):
        (table,) = (
            part
            for part in text.split("\n\n")
            if part.startswith("| `[")
            and all(f"`{name}`" in part for name in kind.__struct_fields__ if name not in PARTS)
        )
        named = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
        assert named == set(kind.__struct_fields__) - PARTS
        for field in msgspec.structs.fields(kind):
            if isinstance(field.default, int | float | str) and field.name not in OPTIONAL:
                (row,) = (row for row in table.splitlines() if f"`{field.name}`" in row.split("|")[1])
                assert str(field.default).lower() in row.split("|")[2]
    (recipe,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "mine.toml").write_text(recipe)
    assert load_recipe(str(tmp_path / "mine.toml")).name == "mine"


if __name__ == "__main__":
    json.dump(published_schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
