"""A folder that a static server can serve: the player, onnxruntime-web and voices, as `vrnn-engine web` writes them."""

import gzip
import lzma
import shutil
from pathlib import Path

from vrnn_engine.serve.web.page_files import page_files, runtime_files

HTML = '<!doctype html><meta charset="utf-8"><title>A player</title><link rel="icon" href="data:,">'
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'; img-src data:"
)
"""The content security policy of the page: it needs no inline script, no `eval` and no other host."""


def write_page(folder: Path, **voices: Path) -> None:
    """Write the player, onnxruntime-web, and voices in folders of their names.

    Parameters
    ----------
    folder : Path
    **voices : Path
        Folder of a voice, by the name that it gets.
    """
    for name, path in page_files().items():
        _copy(path, folder / name)
    for name, path in runtime_files().items():
        if name.endswith(".xz"):
            target = folder / name.removesuffix(".xz")
            packed = gzip.compress(lzma.decompress(path.read_bytes()), 1)
            target.with_name(target.name + ".gz").write_bytes(packed)
        else:
            _copy(path, folder / name)
    for name, path in voices.items():
        shutil.copytree(path, folder / name)
    (folder / "index.html").write_text(HTML)


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
