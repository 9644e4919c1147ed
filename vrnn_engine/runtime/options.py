"""Parses the options of a target or an input, which form a query: `page.svg?width=120&margin=8`, `-?rate=16000`.

A sink or an input declares its options as a subclass of `Options`, whose types convert and check the values.
"""

from typing import Annotated, TypeVar

import msgspec

from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import SinkError, VRNNEngineError
from vrnn_engine.runtime.targets import find_target

Positive = Annotated[float, msgspec.Meta(gt=0, le=100_000)]
"""A positive, finite number; the upper limit also excludes infinity."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base class of the options of a sink or an input.  A subclass has one field, with a default, for each option."""


OptionsType = TypeVar("OptionsType", bound=Options)


def split_place(target: str) -> tuple[str, str]:
    """Split a target into its place and its query.

    The query begins after the first `?` before which there is a built-in target, so that a file's name may contain a
    `?`, as in `what?.wav`.

    Parameters
    ----------
    target : str
        For example `page.svg?width=120&margin=8`.

    Returns
    -------
    place : str
        The target without options.
    query : str
        What follows the `?`; empty if there is none.

    Examples
    --------
    >>> split_place("what?.wav")
    ('what?.wav', '')
    >>> split_place("what?.svg?width=120")
    ('what?.svg', 'width=120')
    """
    parts = target.split("?")
    for count in range(1, len(parts)):
        place = "?".join(parts[:count])
        if find_target(place):
            return place, "?".join(parts[count:])
    if find_target(target):
        return target, ""
    place, _, query = target.partition("?")
    return place, query


def split_target(target: str, error_class: type[VRNNEngineError] = SinkError) -> tuple[str, dict[str, str]]:
    """Split a target into its place and its options.

    Parameters
    ----------
    target : str
        For example `page.svg?width=120&margin=8`; `+` and `%XX` in options are decoded.
    error_class : type
        Class of the errors raised.

    Returns
    -------
    place : str
        The target without options.
    given : dict of str to str
        The options as written, by name.

    Raises
    ------
    VRNNEngineError
        Of class `error_class`: the options are not written NAME=VALUE, or one is given twice.

    Examples
    --------
    >>> split_target("page.svg?width=120&margin=8")
    ('page.svg', {'width': '120', 'margin': '8'})
    """
    place, query = split_place(target)
    if not query:
        return place, {}
    from urllib.parse import unquote_plus

    given: dict[str, str] = {}
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise error_class(
                f"{place}: {part!r} is not an option; write NAME=VALUE, with & between options, after the first ?"
            )
        name = unquote_plus(name)
        if name in given:
            raise error_class(f"{place}: the option {name} is given twice; give it once")
        given[name] = unquote_plus(value)
    return place, given


def read_options(
    place: str, given: dict[str, str], known: type[OptionsType], error_class: type[VRNNEngineError] = SinkError
) -> OptionsType:
    """Convert options to their types.

    Parameters
    ----------
    place : str
        The target without options, for messages.
    given : dict of str to str
        The options as written, by name.
    known : type
        The subclass of `Options` to return.
    error_class : type
        Class of the errors raised.

    Returns
    -------
    Options
        An instance of `known`.

    Raises
    ------
    VRNNEngineError
        Of class `error_class`: an option is unknown (the message lists the known ones), has a wrong value, or is
        required and missing.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(known)}
    values = {}
    for name, text in given.items():
        if name not in fields:
            raise error_class(f"{place} has no option {name!r}{suggest(name, fields, 'its options')}")
        try:
            values[name] = msgspec.convert(text, fields[name].type, strict=False)
        except msgspec.ValidationError:
            wanted = _describe(msgspec.inspect.type_info(fields[name].type))
            raise error_class(f"{place}: the option {name} cannot be {text!r}; give {wanted}") from None
    for name, field in fields.items():
        if field.required and name not in values:
            wanted = _describe(msgspec.inspect.type_info(field.type))
            raise error_class(f"{place} needs the option {name}: {wanted}")
    return msgspec.convert(values, known)


def add_option(target: str, name: str, value: object) -> str:
    """Return a target with one more option.

    Parameters
    ----------
    target : str
        The target, with or without options.
    name : str
        Name of the option.
    value : object
        Its value; written as `str(value)`.

    Examples
    --------
    >>> add_option("page.svg?width=120", "margin", 8)
    'page.svg?width=120&margin=8'
    """
    return f"{target}{'&' if split_place(target)[1] else '?'}{name}={value}"


def _describe(kind: msgspec.inspect.Type) -> str:
    """Return a description of the values of a type, for an error message."""
    match kind:
        case msgspec.inspect.Metadata(extra_json_schema={"description": str(words)}):
            return words
        case msgspec.inspect.LiteralType(values=values):
            return " or ".join(map(str, values))
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.UnionType(types=types):
            return _describe(types[0])
        case msgspec.inspect.FloatType(gt=gt, ge=ge, le=le) | msgspec.inspect.IntType(gt=gt, ge=ge, le=le):
            number = "a number" if isinstance(kind, msgspec.inspect.FloatType) else "a whole number"
            least = f" above {gt:g}" if gt is not None else f" from {ge:g}" if ge is not None else ""
            return number + least + (f" up to {le:g}" if le is not None else "")
    return "text"
