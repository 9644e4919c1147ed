"""Lists the files of the web page: those that a server sends, and that `vrnn-engine web` copies."""

import re
from pathlib import Path

_STATIC = Path(__file__).parents[1] / "static"
_VENDOR = "vendor"


def page_files() -> dict[str, Path]:
    """Return the files of the page and its player: address relative to the page, with slashes -> path.

    The files of onnxruntime-web are not among them: only a page that computes the voice itself needs those
    (`runtime_files`).
    """
    return _files(_STATIC, leave_out=_VENDOR)


def runtime_files() -> dict[str, Path]:
    """Return the files of onnxruntime-web: address relative to the page, with slashes -> path.

    A file that ends in `.xz` is compressed; browsers cannot read it.  A module `NAME.mjs` has the address `NAME.js`:
    many web servers do not know the ending `.mjs`, and browsers load no module of an unknown type.
    """
    return {f"{_VENDOR}/{re.sub('[.]mjs$', '.js', name)}": path for name, path in _files(_STATIC / _VENDOR).items()}


def _files(folder: Path, leave_out: str | None = None) -> dict[str, Path]:
    paths = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    visible = {name: path for name, path in paths.items() if not any(part.startswith(".") for part in name.parts)}
    return {name.as_posix(): path for name, path in visible.items() if name.parts[0] != leave_out}
