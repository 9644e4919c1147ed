"""Makes the package's copy of onnxruntime-web anew from npm, and its licences from PyPI (`make onnxruntime-web`).

    python tools/onnxruntime_web.py             the version in VERSION; fails if a file differs from SHA256SUMS
    python tools/onnxruntime_web.py --to 1.31.0 another version; writes VERSION and SHA256SUMS anew

SHA256SUMS lists the files that are stored, and the original of each that is stored compressed.  Needs npm.
"""

import argparse
import hashlib
import lzma
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "vrnn_engine" / "serve" / "static" / "vendor" / "onnxruntime-web"
CODE = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""Files of the npm package: the API, and the build for CPUs with its glue code."""
LICENCES = ("LICENSE", "ThirdPartyNotices.txt")
"""Files of the wheel of the same version: the npm package has none, though its code is under the same licences."""
COMPRESSED = ("ort-wasm-simd-threaded.wasm", "ThirdPartyNotices.txt")
XZ = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]
"""Compression settings; wasm is not aligned, so its position within a word (lp, pb) predicts nothing."""


def download(version: str) -> dict[str, bytes]:
    """Return the original files of a version, by name."""
    with tempfile.TemporaryDirectory() as folder:
        npm = ["npm", "pack", "--silent", f"onnxruntime-web@{version}", "--pack-destination", folder]
        subprocess.run(npm, check=True, stdout=subprocess.DEVNULL)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        pip += ["--platform", "manylinux_2_28_x86_64", "--python-version", "3.11", "--dest", folder]
        subprocess.run([*pip, f"onnxruntime=={version}"], check=True)
        (package,), (wheel,) = Path(folder).glob("*.tgz"), Path(folder).glob("*.whl")
        with tarfile.open(package) as archive:
            code = {name: archive.extractfile(f"package/dist/{name}").read() for name in CODE}
        with zipfile.ZipFile(wheel) as archive:
            return code | {name: archive.read(f"onnxruntime/{name}") for name in LICENCES}


def stored(originals: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of the folder, by name, but SHA256SUMS and VERSION."""
    compressed = {f"{name}.xz": lzma.compress(originals[name], filters=XZ) for name in COMPRESSED}
    return {name: data for name, data in originals.items() if name not in COMPRESSED} | compressed


def checksums(files: dict[str, bytes]) -> str:
    """Return the content of SHA256SUMS."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))


def main() -> None:
    """Download, compress, compare and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", metavar="VERSION", help="the version to change to")
    wanted = parser.parse_args().to
    originals = download(wanted or (FOLDER / "VERSION").read_text().strip())
    files = stored(originals)
    sums = checksums(originals | files)
    listed = FOLDER / "SHA256SUMS"
    if wanted is None and sums != listed.read_text():
        changed = {line.split()[1] for line in set(sums.splitlines()) ^ set(listed.read_text().splitlines())}
        # If only the .xz differ, then this Python's liblzma compresses differently from the one that made them.
        sys.exit(f"error: other checksums than in {listed}: {', '.join(sorted(changed))}; nothing was written")
    for name, data in files.items():
        (FOLDER / name).write_bytes(data)
    if wanted:
        (FOLDER / "VERSION").write_text(f"{wanted}\n")
        listed.write_text(sums)
    print(f"{FOLDER}: {len(files)} files, {sum(map(len, files.values())) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
