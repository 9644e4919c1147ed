"""The docstrings that the reference of the docs is made of: every parameter, return value and field is described."""

import re
from collections.abc import Iterator

import griffe
import pytest
from support.command import ROOT

REFERENCE = ROOT / "docs" / "reference"
NOTHING = {None, "None", "NoReturn"}


def documented() -> list[str]:
    """Return the names that the pages of the reference show."""
    pages = "\n".join(page.read_text() for page in sorted(REFERENCE.glob("*.md")))
    return re.findall(r"^::: (\S+)$", pages, re.MULTILINE)


@pytest.fixture(scope="module")
def package() -> griffe.Object:
    return griffe.load("vrnn_engine", search_paths=[ROOT], docstring_parser="numpy", resolve_aliases=True)


def functions(found: griffe.Object) -> Iterator[griffe.Function]:
    """Yield the public functions of a module or class, or the function itself."""
    if found.is_function:
        yield found
        return
    for member in found.members.values():
        if member.is_alias or member.name.startswith("_"):
            continue
        if member.is_function or member.is_class:
            yield from functions(member)


def faults(function: griffe.Function) -> list[str]:
    """Return what a function's docstring lacks."""
    where = function.path
    if function.docstring is None:
        return [f"{where}: no docstring"]
    sections = {section.kind.value: section.value for section in function.docstring.parse("numpy")}
    described = {name.strip(" *") for item in sections.get("parameters", []) for name in item.name.split(",")}
    wanted = {parameter.name for parameter in function.parameters} - {"self", "cls"}
    found = [f"{where}: no parameter {name}" for name in sorted(wanted - described)]
    found += [f"{where}: there is no parameter {name}" for name in sorted(described - wanted)]
    summary = function.docstring.value.split("\n\n")[0]
    gives = str(function.returns) if function.returns is not None else None
    says = re.match(r"(Return|Yield)\b", summary) or {"returns", "yields"} & sections.keys()
    if gives not in NOTHING and not says:
        found.append(f"{where}: does not say what it returns")
    return found


def test_faults_are_found() -> None:
    source = '''
def documented(a: int, *more: int) -> int:
    """Return a number.

    Parameters
    ----------
    a : int
        The first.
    *more : int
        The others.
    """

def bare(a: int) -> int:
    """Count."""

def stale() -> None:
    """Count.

    Parameters
    ----------
    a : int
        Gone.
    """
'''
    module = griffe.visit("made_up", filepath=ROOT / "made_up.py", code=source)
    assert [fault for function in functions(module) for fault in faults(function)] == [
        "made_up.bare: no parameter a",
        "made_up.bare: does not say what it returns",
        "made_up.stale: there is no parameter a",
    ]


@pytest.mark.parametrize("name", documented())
def test_public_docstrings_are_complete(name: str, package: griffe.Object) -> None:
    found = package[name.removeprefix("vrnn_engine.")]
    found = found.final_target if found.is_alias else found
    assert found.docstring is not None
    assert not [fault for function in functions(found) for fault in faults(function)]
