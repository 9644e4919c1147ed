"""The copy of onnxruntime-web in the package: its files are those of npm, whole, and come with their licences."""

import hashlib
import importlib.util
import lzma

import pytest
from support.command import ROOT

FOLDER = ROOT / "vrnn_engine" / "serve" / "static" / "vendor" / "onnxruntime-web"
SUMS = {
    name: digest
    for digest, _, name in (line.partition("  ") for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
}


def content(name: str) -> bytes:
    """Return a file of the folder; the original of one that is stored compressed."""
    path = FOLDER / name
    return path.read_bytes() if path.exists() else lzma.decompress((FOLDER / f"{name}.xz").read_bytes())


@pytest.mark.parametrize("name", SUMS)
def test_the_checksum_of_each_file_and_of_what_is_compressed_in_it(name: str) -> None:
    assert hashlib.sha256(content(name)).hexdigest() == SUMS[name]


def test_all_files_are_listed() -> None:
    stored = {path.name for path in FOLDER.iterdir()}
    assert stored - {"SHA256SUMS", "VERSION"} <= SUMS.keys()
    assert SUMS.keys() - stored == {"ort-wasm-simd-threaded.wasm", "ThirdPartyNotices.txt"}


def test_the_api_loads_the_glue_code_and_the_wasm_and_is_of_the_version_named() -> None:
    api, glue = content("ort.wasm.min.mjs"), content("ort-wasm-simd-threaded.mjs")
    version = (FOLDER / "VERSION").read_text().strip()
    assert api.startswith(f"/*!\n * ONNX Runtime Web v{version}\n".encode())
    assert b'"ort-wasm-simd-threaded.mjs"' in api
    assert b'"ort-wasm-simd-threaded.wasm"' in glue
    assert content("ort-wasm-simd-threaded.wasm").startswith(b"\0asm")


def test_the_licences_are_those_of_microsoft_and_of_what_it_uses() -> None:
    assert content("LICENSE").startswith(b"MIT License")
    notices = content("ThirdPartyNotices.txt")
    assert b"Eigen" in notices
    assert b"protobuf" in notices


def test_the_compression_is_reproducible() -> None:
    """Of the notices, which are small."""
    spec = importlib.util.spec_from_file_location("onnxruntime_web", ROOT / "tools" / "onnxruntime_web.py")
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    name = "ThirdPartyNotices.txt"
    assert lzma.compress(content(name), filters=tool.XZ) == (FOLDER / f"{name}.xz").read_bytes()
