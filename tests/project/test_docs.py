"""What docs/ publishes is what the code says.  As a script: writes the JSON Schema of `voice.json` to stdout."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vrnn_engine.data.style import Style
from vrnn_engine.models.config import EmphasisConfig, ModelConfig, SlowCells, SourceFilter
from vrnn_engine.models.families import OPTIONAL
from vrnn_engine.runtime.voice.manifest import SCHEMA_VERSION, json_schema
from vrnn_engine.training.recipe import About, PenData, Schedule, SpeechData, load_recipe

ROOT = Path(__file__).resolve().parents[2]
TITLE = f"Manifest of a vrnn-engine voice (voice.json), schema version {SCHEMA_VERSION}"
PICTURES = {".svg", ".jpg", ".png"}
PARTS = {"slow_cells", "source_filter", "emphasis", "style"}
"""Tables of their own."""
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


def test_every_document_is_in_the_index_and_every_picture_in_a_document() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    shown = "".join(document.read_text() for document in DOCUMENTS)
    for path in (ROOT / "docs").iterdir():
        if path.suffix in PICTURES:
            assert f"({path.name})" in shown
        elif path.name != "README.md" and path.suffix != ".lock":
            assert f"({path.name})" in index


def test_the_fields_of_recipes_are_those_of_the_document_and_its_recipe_loads(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "training.md").read_text()
    for kind in (About, ModelConfig, SlowCells, SourceFilter, EmphasisConfig, SpeechData, PenData, Style, Schedule):
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
