"""Options of a target, written as a query: `page.svg?width=120&margin=8`.  Typed by a struct of the sink's own."""

from typing import Annotated, TypeVar

import msgspec

from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import SinkError

Positive = Annotated[float, msgspec.Meta(gt=0, le=100_000)]
"""A number that is none of 0, infinite and NaN."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a sink may be told; a subclass has a field for each option, with its default."""


T = TypeVar("T", bound=Options)


def split_target(target: str) -> tuple[str, dict[str, str]]:
    """Return a target without its query, and the options in that; raise `SinkError` if they are not NAME=VALUE."""
    place, _, query = target.partition("?")
    if not query:
        return place, {}
    from urllib.parse import unquote_plus

    given = {}
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise SinkError(f"{place}: {part!r} is no option; they are written NAME=VALUE, with & between them")
        given[unquote_plus(name)] = unquote_plus(value)
    return place, given


def read_options(place: str, given: dict[str, str], known: type[T]) -> T:
    """Return options by their types; raise `SinkError` that names the known ones, or says what a value may be."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(known)}
    values = {}
    for name, text in given.items():
        if name not in fields:
            raise SinkError(f"{place} has no option {name!r}{suggest(name, fields, 'there are')}")
        try:
            values[name] = msgspec.convert(text, fields[name].type, strict=False)
        except msgspec.ValidationError:
            wanted = _words(msgspec.inspect.type_info(fields[name].type))
            raise SinkError(f"{place}: the option {name} cannot be {text!r}; give {wanted}") from None
    for name, field in fields.items():
        if field.required and name not in values:
            wanted = _words(msgspec.inspect.type_info(field.type))
            raise SinkError(f"{place} needs the option {name}: {wanted}")
    return msgspec.convert(values, known)


def add_option(target: str, name: str, value: object) -> str:
    """Return a target with one more option."""
    return f"{target}{'&' if '?' in target else '?'}{name}={value}"


def _words(kind: msgspec.inspect.Type) -> str:
    """Say what a value of a type may be."""
    match kind:
        case msgspec.inspect.Metadata(extra_json_schema={"description": str(words)}):
            return words
        case msgspec.inspect.LiteralType(values=values):
            return " or ".join(map(str, values))
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.UnionType(types=types):
            return _words(types[0])
        case msgspec.inspect.FloatType(gt=gt, ge=ge, le=le) | msgspec.inspect.IntType(gt=gt, ge=ge, le=le):
            number = "a number" if isinstance(kind, msgspec.inspect.FloatType) else "a whole number"
            least = f" above {gt:g}" if gt is not None else f" from {ge:g}" if ge is not None else ""
            return number + least + (f" up to {le:g}" if le is not None else "")
    return "text"
