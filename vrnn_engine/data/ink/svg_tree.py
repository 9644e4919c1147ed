"""Reads an SVG as a tree that has only what decides about shapes, and whose shapes take a limited amount of work.

svgelements expands `<use>` before anything is counted, inherits attributes and transforms at each element, and has
regular expressions that take quadratic or cubic time for some texts.  So a file is counted and cleaned first.
"""

import re
from pathlib import Path
from xml.etree.ElementTree import Element

from vrnn_engine.base.reading.xml_tree import DEEPEST, read_tree

MOST_SHAPES = 100_000
"""Largest number of elements, those that `<use>` repeats included."""
MOST_OUTLINE = 8 << 20
"""Largest number of characters of outlines (`d` and `points`), those that `<use>` repeats included."""
MOST_INHERITED = 100_000_000
"""Largest number of characters of transforms and styles, counted again at each element that they hold for."""
MOST_DIGITS = 30
"""Largest number of digits in a row."""

_SVG = "{http://www.w3.org/2000/svg}"
_NAMES = {"id", "class", "href", "{http://www.w3.org/1999/xlink}href"}
_STYLES = {
    "display",
    "visibility",
    "transform",
    "x",
    "y",
    "width",
    "height",
    "rx",
    "ry",
    "cx",
    "cy",
    "r",
}
_KEPT = _NAMES | _STYLES | {"style", "d", "points", "x1", "y1", "x2", "y2", "viewBox", "preserveAspectRatio"}
_TRANSFORM = re.compile(r"(?:[A-Za-z][A-Za-z0-9]* ?\([^()]*\)[ ,;]*)*")
_LONG_NUMBER = re.compile(rf"\d{{{MOST_DIGITS + 1}}}")
_SHORT = 200
"""A style with a transform has at most this number of characters; so has the transform of a view box."""


def read_svg_tree(path: Path) -> Element:
    """Return the root of an SVG, with the attributes that decide about shapes.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    OSError, ValueError
        As `read_tree`; or the file has a number of more than `MOST_DIGITS` digits or a transform with brackets in
        brackets, or more shapes, outlines or inherited text than the limits above.
    """
    root = read_tree(path)
    sheet = moves = 0  # characters of the style sheets, and of those that have transforms
    for element in root.iter():
        is_style = _tag(element) == "style"
        element.text = _clean_sheet(element.text or "") if is_style else None
        element.tail = None
        sheet += len(element.text or "")
        moves += len(element.text or "") if "transform" in (element.text or "") else 0
        attributes = {name: " ".join(value.split()) for name, value in element.attrib.items() if name in _KEPT}
        if "style" in attributes:
            attributes["style"] = _declarations(attributes["style"])
        for name in attributes.keys() - _NAMES:
            _check_value(name, attributes[name])
        if _tag(element) == "path":
            attributes.setdefault("d", "")  # svgelements fails without an outline
        element.attrib.clear()
        element.attrib.update(attributes)
    _check_size(root, sheet, moves)
    return root


def _tag(element: Element) -> str:
    return str(element.tag).removeprefix(_SVG)


def _clean_sheet(text: str) -> str:
    """Return the rules of a style sheet that decide about shapes."""
    rules = []
    for rule in _without_comments(text).split("}")[:-1]:
        selector, _, body = rule.partition("{")
        if kept := _declarations(body):
            rules.append(f"{' '.join(selector.split())}{{{kept}}}")
    return "".join(rules)


def _without_comments(text: str) -> str:
    first, *others = text.split("/*")
    return " ".join([first, *(other.partition("*/")[2] for other in others)])


def _declarations(body: str) -> str:
    """Return the declarations of a style that decide about shapes."""
    pairs = (declaration.partition(":") for declaration in body.split(";"))
    cleaned = ((name.strip(), " ".join(value.split())) for name, _, value in pairs)
    kept = [(name, value) for name, value in cleaned if name in _STYLES]
    for name, value in kept:
        _check_value(name, value)
    return "".join(f"{name}:{value};" for name, value in kept)


def _check_value(name: str, value: str) -> None:
    if _LONG_NUMBER.search(value):
        raise ValueError(f"its {name} has a number of more than {MOST_DIGITS} digits")
    if name == "transform" and "(" in value and not _TRANSFORM.fullmatch(value):
        raise ValueError(f"it has a transform that cannot be read: {value:.40}")
    if name == "style" and len(value) > _SHORT and "transform" in value:
        raise ValueError("it has a long style with a transform; use the attribute transform")


def _check_size(root: Element, sheet: int, moves: int) -> None:
    """Raise `ValueError` if a tree is too large once `<use>` is expanded.  Elements are visited as often as drawn."""
    named = {element.get("id"): element for element in root.iter()}
    shapes = outline = inherited = 0
    waiting = [(root, 0, 0, 0)]  # an element, its depth, the text and the outline that it inherits
    while waiting:
        element, depth, text, drawn = waiting.pop()
        tag = _tag(element)
        classes = len(element.get("class", "").split(" "))
        text += len(element.get("transform", "")) + len(element.get("style", "")) + 8 * len(element.attrib)
        text += _SHORT if tag == "svg" else 0  # the transform of its view box
        text += (3 + classes) * moves
        drawn = len(element.get("d", "")) + len(element.get("points", "")) or drawn
        shapes += 1
        outline += drawn if tag in ("path", "polyline", "polygon") else 0
        inherited += text + (3 + classes) * sheet
        if shapes > MOST_SHAPES or outline > MOST_OUTLINE or inherited > MOST_INHERITED:
            raise ValueError("it has too many shapes, too long outlines or too many transforms; divide it")
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} of its elements lie within or use each other")
        waiting += [(child, depth + 1, text, drawn) for child in element]
        if tag == "use":
            link = element.get("href", element.get("{http://www.w3.org/1999/xlink}href", ""))
            if (target := named.get(link[1:])) is not None:
                waiting.append((target, depth + 1, text, drawn))
