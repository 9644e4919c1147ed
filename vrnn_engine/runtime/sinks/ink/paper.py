"""Reads the options of a page, including the name and orientation of its paper."""

from typing import TypeVar

import msgspec

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.options import read_options
from vrnn_engine.runtime.sinks.ink.page import PAPERS, PageOptions

PageOptionsType = TypeVar("PageOptionsType", bound=PageOptions)


def read_page_options(place: str, given: dict[str, str], known: type[PageOptionsType]) -> PageOptionsType:
    """Convert the options of a page, and set its width and height from a name of paper and an orientation.

    Parameters
    ----------
    place : str
        The target without options, for messages.
    given : dict of str to str
        The options as written, by name.
    known : type
        The subclass of `PageOptions` to return.

    Raises
    ------
    SinkError
        An option is wrong, `paper` is given together with a width or height, or `orientation` without a height.
    """
    if "paper" in given:
        given = given | {"paper": given["paper"].lower()}
    options = read_options(place, known.with_defaults(given), known)
    if options.paper is not None and not {"width", "height"}.isdisjoint(given):
        raise SinkError(f"{place}: give either paper={options.paper}, or a width and a height")
    width, height = PAPERS[options.paper] if options.paper is not None else (options.width, options.height)
    if options.orientation is not None:
        if height is None:
            raise SinkError(f"{place}: a page without a height has no orientation; give a paper, or a height")
        width, height = sorted((width, height), reverse=options.orientation == "landscape")
    return msgspec.structs.replace(options, width=width, height=height)
