"""What keeps the package readable: few modules in a folder, short files and functions, each error worded once."""

import ast
import collections
import re
from pathlib import Path

import pytest
from support.command import ROOT

PACKAGE = ROOT / "vrnn_engine"
MOST_MODULES = 15
MOST_LINES_OF_FILE = 300
MOST_LINES_OF_FUNCTION = 60


def folders() -> list[Path]:
    """Return the folders with modules, without cli/, which has one module for each verb."""
    return sorted({path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE / "cli"})


def functions(source: str) -> dict[str, int]:
    """Return the number of lines of each function's body, without its docstring.

    The parameters are left out as well: those of a verb are a table of its options.
    """
    lengths = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            lengths[f"{node.name} (line {node.lineno})"] = body[-1].end_lineno - body[0].lineno + 1 if body else 0
    return lengths


def test_only_the_body_of_a_function_is_counted() -> None:
    source = 'def f(\n    x,\n):\n    """One.\n\n    Two.\n    """\n    y = x\n\n    return y\n'
    assert functions(source) == {"f (line 1)": 3}


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_has_few_modules(folder: Path) -> None:
    modules = sorted(path.name for path in folder.glob("*.py") if path.name != "__init__.py")
    assert len(modules) <= MOST_MODULES, modules


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    long = {str(path.relative_to(ROOT)): lines for path, lines in lengths.items() if lines > MOST_LINES_OF_FILE}
    assert not long


def test_functions_are_short() -> None:
    long = {
        f"{path.relative_to(ROOT)}: {name}": lines
        for path in PACKAGE.rglob("*.py")
        for name, lines in functions(path.read_text()).items()
        if lines > MOST_LINES_OF_FUNCTION
    }
    assert not long


def raised(source: str) -> set[str]:
    """Return the words of the errors that a module raises, with `…` for the values in them."""
    words = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Raise(exc=ast.Call(args=[ast.Constant(value=str(text)), *_])):
                words.add(text)
            case ast.Raise(exc=ast.Call(args=[ast.JoinedStr(values=parts), *_])):
                words.add("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts))
    return words


def test_the_words_of_raised_errors_are_found() -> None:
    source = 'raise A("one")\nraise B(f"{x}: two {y:g}") from None\nraise C(three)\nraise D\nprint("four")\n'
    assert raised(source) == {"one", "…: two …"}


def test_no_two_modules_raise_the_same_words() -> None:
    """Whoever rewords an error then changes one file."""
    modules = collections.defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for words in raised(path.read_text()):
            modules[words].append(str(path.relative_to(ROOT)))
    assert len(modules) > 200
    assert {words: found for words, found in modules.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    "package", ["base", "runtime", "exporters", "data", "models", "training", "evaluation", "diagnostics"]
)
def test_errors_of_the_library_name_no_option_of_the_command_line(package: str) -> None:
    """An application that embeds the library shows them to people who have no command line."""
    option = re.compile(r"(?<![\w-])--[a-z]")
    found = [
        f"{path.relative_to(ROOT)}: {words}"
        for path in sorted((PACKAGE / package).rglob("*.py"))
        for words in raised(path.read_text())
        if option.search(re.sub(r"vrnn-engine [a-z ]+--[a-z]+", "", words))
    ]
    assert found == []
