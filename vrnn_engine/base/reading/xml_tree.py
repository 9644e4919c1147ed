"""Reads an XML file as a tree, and refuses one that would become far larger in memory than the file is."""

import os
from xml.etree import ElementTree
from xml.parsers import expat

from vrnn_engine.base.reading.decoding import guard_damage
from vrnn_engine.base.reading.limits import MOST_TEXT, read_file

MOST_ELEMENTS = 1_000_000
"""Largest number of elements: each takes some hundred bytes."""
DEEPEST = 200
"""Largest number of elements that lie within each other."""
LONGEST_NAME = 200
"""Largest number of characters of a name with its namespace, which each name repeats."""


def read_tree(path: str | os.PathLike[str]) -> ElementTree.Element:
    """Return the root element of an XML file.

    Parameters
    ----------
    path : str or path
        The file, of at most `MOST_TEXT` bytes.

    Raises
    ------
    OSError
        The file cannot be read, or is larger.
    ValueError
        It is not XML, has an unknown encoding, more elements, deeper ones or longer names than the limits, or entities
        and attributes that expand to more than `MOST_TEXT` characters.
    """
    data = read_file(path, MOST_TEXT)

    def parse() -> ElementTree.Element:
        _Limits(data).check()
        return ElementTree.fromstring(data)

    return guard_damage(parse)


class _Limits:
    """Parses a file without keeping anything, and raises `ValueError` at the first limit that is reached."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._references = data.count(b"&")
        self._expanded = self._elements = self._depth = 0

    def check(self) -> None:
        parser = expat.ParserCreate(namespace_separator="}")
        parser.EntityDeclHandler = self._declare
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        try:
            parser.Parse(self._data, True)
        except expat.ExpatError:
            return  # ElementTree finds the same fault, and says it as callers expect

    def _declare(self, name: str, parameter: bool, value: str | None, *places: str | None) -> None:
        if value is None:  # an external entity, which is not read
            return
        self._expanded += self._references * len(value)
        if "&" in value or self._expanded > MOST_TEXT:
            raise ValueError(f"its entity {name:.40} contains others, or makes it larger than {MOST_TEXT >> 20} MiB")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._depth += 1
        if self._elements > MOST_ELEMENTS:
            raise ValueError(f"it has more than {MOST_ELEMENTS} elements")
        if self._depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} of its elements lie within each other")
        self._expanded += sum(map(len, attributes.values()))  # a DTD may give values to each element
        if self._expanded > MOST_TEXT:
            raise ValueError(f"its attributes make it larger than {MOST_TEXT >> 20} MiB")
        if max(map(len, (name, *attributes))) > LONGEST_NAME:
            raise ValueError(f"a name and its namespace have more than {LONGEST_NAME} characters")

    def _end(self, name: str) -> None:
        self._depth -= 1
