"""`vrnn-engine web`: the folder is complete, always the same, names no other host, and replaces nothing of others."""

import gzip
import hashlib
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import toy_voice
from support.command import Run, environment, the_error

from vrnn_engine import Engine, Voice
from vrnn_engine.errors import SinkError, VoiceError
from vrnn_engine.serve.web.browser_voice import browser_voice
from vrnn_engine.serve.web.site import write_site

CODE = (".js", ".mjs", ".html", ".css", ".svg")
NAMES = re.compile(r"""["'`(]([\w./-]+\.(?:js|mjs|css|svg|json|html|gz|png))["'`)]""")
"""Names of files in code: an import, an address to fetch, a `src`, a `url()`."""
OF_A_VOICE = {"voice.json"}
"""Names that code adds to the address of a voice's folder."""
COMMENTS = re.compile(r"/\*.*?\*/|<!--.*?-->|(?<!:)//[^\n]*", re.DOTALL)
NAMED_HOSTS = {"www.w3.org", "web.dev"}
"""Namespaces of SVG, and a message of onnxruntime-web."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the two bundled voices."""
    out = tmp_path_factory.mktemp("site") / "page"
    write_site([Voice.open("blizzard"), Voice.open("handwriting")], out)
    return out


@pytest.fixture(scope="module")
def toy_site(tmp_path_factory: pytest.TempPathFactory, toy_audio: Path, toy_pen: Path) -> Path:
    """The page of two toy voices; do not change it."""
    out = tmp_path_factory.mktemp("site") / "page"
    write_site([Voice.open(toy_audio), Voice.open(toy_pen)], out)
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_files_that_the_code_names_are_there(site: Path) -> None:
    present = files(site)
    assert {"index.html", "style.css", "app.js"} <= present.keys()
    for name, data in present.items():
        if name.endswith(CODE) and not name.startswith("vendor/"):
            for found in NAMES.findall(COMMENTS.sub("", data.decode())):
                folders = (posixpath.dirname(name), "", "vendor/onnxruntime-web")
                places = {posixpath.normpath(posixpath.join(folder, found)) for folder in folders}
                assert found in OF_A_VOICE or places & present.keys(), f"{name} names {found}"


def test_modules_have_a_name_whose_type_all_servers_know(site: Path) -> None:
    names = files(site).keys()
    assert {"vendor/onnxruntime-web/ort.wasm.min.js", "vendor/onnxruntime-web/ort-wasm-simd-threaded.js"} <= names
    assert not any(name.endswith(".mjs") for name in names)


def test_no_file_names_another_host(site: Path) -> None:
    """Documents may: the licences, and the card and manifest of a voice."""
    for name, data in files(site).items():
        if name.endswith((*CODE, "config.json")):
            hosts = set(re.findall(r"(?:https?|wss?)://([\w.-]+\w)", COMMENTS.sub("", data.decode())))
            assert hosts <= NAMED_HOSTS, name


def test_the_checksums_fit(site: Path) -> None:
    present = files(site)
    lines = present.pop("SHA256SUMS").decode().splitlines()
    assert lines == [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in sorted(present.items())]


def test_browsers_can_read_the_wasm(site: Path) -> None:
    folder = site / "vendor" / "onnxruntime-web"
    wasm = gzip.decompress((folder / "ort-wasm-simd-threaded.wasm.gz").read_bytes())
    package = Path(__file__).parents[2] / "vrnn_engine" / "serve" / "static" / "vendor" / "onnxruntime-web"
    assert f"{hashlib.sha256(wasm).hexdigest()}  ort-wasm-simd-threaded.wasm\n" in (package / "SHA256SUMS").read_text()
    assert (folder / "LICENSE").read_text().startswith("MIT License")
    assert "Eigen" in (folder / "ThirdPartyNotices.txt").read_text()
    assert not list(site.rglob("*.xz"))


def test_the_configuration_names_the_voices(site: Path) -> None:
    voices = ["voices/blizzard/", "voices/handwriting/"]
    assert json.loads((site / "config.json").read_text()) == {"mode": "local", "voice": voices[0], "voices": voices}


@pytest.mark.parametrize("name", ["blizzard", "handwriting"])
def test_a_voice_of_the_page_generates_what_the_whole_voice_does(site: Path, name: str) -> None:
    small, whole = Voice.open(site / "voices" / name), Voice.open(name)
    assert set(files(small.path)) == {"voice.json", "CARD.md", "step.onnx", "weights.bin", "parity.npz"}
    assert [graph.role for graph in small.manifest.graphs] == ["step"]
    assert small.manifest.controls == whole.manifest.controls
    frames = [Engine.load(voice, "cpu").stream(seed=7).read(20) for voice in (small, whole)]
    assert np.array_equal(*frames)
    sizes = [(voice.path / "weights.bin").stat().st_size for voice in (small, whole)]
    assert sizes[0] < sizes[1], "the encoder's weights are not needed"


def test_two_runs_write_equal_bytes(tmp_path: Path, toy_site: Path, toy_audio: Path, toy_pen: Path) -> None:
    site = write_site([Voice.open(toy_audio), Voice.open(toy_pen)], tmp_path / "again")
    present = files(tmp_path / "again")
    assert present == files(toy_site)
    assert site.sizes == {name: len(data) for name, data in present.items()}


def test_weights_may_be_in_the_graph_or_in_a_file_of_any_name(toy_site: Path) -> None:
    documents = {"voice.json", "CARD.md", "parity.npz"}
    audio, pen = (set(files(toy_site / "voices" / name)) for name in ("toy-audio", "toy-pen"))
    assert audio == {"step.onnx", *documents}
    assert pen == {"step.onnx", "step.onnx.data", *documents}


def test_a_name_becomes_an_address(tmp_path: Path) -> None:
    voice = Voice.open(toy_voice.build(tmp_path / "toy", name="Ä voice 1"))
    write_site([voice], tmp_path / "page")
    assert json.loads((tmp_path / "page" / "config.json").read_text())["voice"] == "voices/-voice-1/"
    assert json.loads((tmp_path / "page" / "voices" / "-voice-1" / "voice.json").read_text())["name"] == "Ä voice 1"


def test_two_voices_of_one_name_are_refused(tmp_path: Path, toy_audio: Path) -> None:
    with pytest.raises(VoiceError, match="two voices are named 'toy-audio'"):
        write_site([Voice.open(toy_audio)] * 2, tmp_path / "page")
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize(("precision", "works"), [("fp16", True), ("int8", False)])
def test_only_weights_that_browsers_compute_fast_are_taken(tmp_path: Path, precision: str, works: bool) -> None:
    toy_voice.build(tmp_path / "toy")
    toy_voice.change(tmp_path / "toy", lambda manifest: manifest["graphs"][0].update(precision=precision))
    voice = Voice.open(tmp_path / "toy")
    if works:
        write_site([voice], tmp_path / "page")
    else:
        with pytest.raises(VoiceError, match=r"has only int8 weights, .*; export it with fp32 weights$"):
            write_site([voice], tmp_path / "page")


def test_a_graph_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    voice = toy_voice.build(tmp_path / "toy")
    (voice / "step.onnx").write_bytes(b"\xff" * 20)
    toy_voice.reseal(voice)
    with pytest.raises(VoiceError, match=r"step\.onnx: not a readable ONNX graph: "):
        write_site([Voice.open(voice)], tmp_path / "page")


def test_its_own_folder_is_replaced_and_an_empty_one_used(tmp_path: Path, toy_site: Path, toy_pen: Path) -> None:
    out = tmp_path / "page"
    shutil.copytree(toy_site, out)
    write_site([Voice.open(toy_pen)], out)
    assert [path.name for path in (out / "voices").iterdir()] == ["toy-pen"]
    (tmp_path / "empty").mkdir()
    write_site([Voice.open(toy_pen)], tmp_path / "empty")
    assert files(tmp_path / "empty") == files(out)


@pytest.mark.parametrize("change", ["a file more", "a changed file", "a foreign folder"])
def test_files_of_others_are_not_replaced(tmp_path: Path, toy_site: Path, toy_audio: Path, change: str) -> None:
    out = tmp_path / "page"
    name = "config.json" if change == "a changed file" else "CNAME"
    if change == "a foreign folder":
        out.mkdir()
    else:
        shutil.copytree(toy_site, out)
    (out / name).write_text("mine")
    before = files(out)
    with pytest.raises(SinkError, match=f"page: has '{name}', which is not of a page"):
        write_site([Voice.open(toy_audio)], out)
    assert files(out) == before


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_a_card_that_leads_out_of_the_voice_is_not_published(tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    card = toy_voice.build(tmp_path / "toy") / "CARD.md"
    card.unlink()
    if kind == "file":
        card.symlink_to(secret)
    else:
        os.mkfifo(card)
    assert not [name for name in browser_voice(Voice.open(card.parent)) if name.endswith(".md")]


def test_a_failed_run_leaves_the_earlier_page(tmp_path: Path, toy_site: Path, toy_audio: Path) -> None:
    shutil.copytree(toy_site, tmp_path / "page")
    voice = Voice.open(toy_audio)
    broken = Voice("broken", toy_voice.build(tmp_path / "toy"), voice.manifest)
    (broken.path / "parity.npz").unlink()
    with pytest.raises(VoiceError, match=r"parity\.npz: cannot be read: "):
        write_site([voice, broken], tmp_path / "page")
    assert files(tmp_path / "page") == files(toy_site)
    assert {path.name for path in tmp_path.iterdir()} == {"page", "toy"}


def test_the_command_takes_names_folders_and_archives(run: Run, work: Path, toy_audio: Path, toy_pen: Path) -> None:
    for voice, name in ((toy_audio, "by-name"), (toy_pen, "by-archive")):
        shutil.copytree(voice, work / name)
        toy_voice.change(work / name, lambda manifest, name=name: manifest.update(name=name))
    assert run("voices", "install", "by-name").returncode == 0
    shutil.make_archive(str(work / "archive"), "zip", work / "by-archive")
    done = run("web", "by-name", "archive.zip", toy_pen, "--out", "my page")
    assert done.returncode == 0, done.stderr
    size, how = done.stderr.splitlines()
    assert re.fullmatch(r"my page: \d+ files, \d+\.\d MB", size)
    assert how == "to look at it: python -m http.server --directory 'my page', then open http://127.0.0.1:8000"
    voices = {path.name for path in (work / "my page" / "voices").iterdir()}
    assert voices == {"by-name", "by-archive", "toy-pen"}


def test_the_command_answers_in_json_and_replaces_by_force(run: Run, work: Path, toy_audio: Path) -> None:
    (work / "page").mkdir()
    (work / "page" / "mine").write_text("")
    assert the_error(run("web", toy_audio, "--out", "page")).endswith("or replace all (--force)")
    done = run("web", toy_audio, "--out", "page", "--force", "--json")
    found, present = json.loads(done.stdout), files(work / "page")
    assert found == {
        "path": "page",
        "bytes": sum(map(len, present.values())),
        "files": {name: len(data) for name, data in present.items()},
    }
    assert "mine" not in present


def test_errors_of_the_command_are_one_line(run: Run, work: Path, toy_audio: Path) -> None:
    assert "unknown voice 'blizard'; did you mean 'blizzard'" in the_error(run("web", "blizard", "--out", "page"))
    (work / "file").write_text("")
    assert the_error(run("web", toy_audio, "--out", "file")).endswith("file: a file has this name; name a folder")
    assert "is the current folder or above it" in the_error(run("web", toy_audio, "--out", "..", "--force"))
    assert run("web", toy_audio).returncode == 2


def test_the_command_needs_no_extra(tmp_path: Path, toy_audio: Path) -> None:
    code = f"""
import sys
from vrnn_engine.cli.main import run
sys.argv[1:] = ["web", {str(toy_audio)!r}, "--out", {str(tmp_path / "page")!r}]
try:
    run()
finally:
    print(*{{name.partition(".")[0] for name in sys.modules}})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page" / "config.json").is_file()
    needless = {"torch", "onnx", "onnxruntime", "fastapi", "starlette", "uvicorn", "websockets", "prometheus_client"}
    assert not needless & set(done.stdout.split())
