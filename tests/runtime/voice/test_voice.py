"""Voices: lookup by name, folder or zip; checks that refuse damaged and unsafe ones; installation; parity."""

import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support import toy_voice

from vrnn_engine import Engine, VoiceError
from vrnn_engine.runtime.graph.install import install_voice
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.voice import archive, lookup
from vrnn_engine.runtime.voice import voice as voice_module
from vrnn_engine.runtime.voice.lookup import list_voices
from vrnn_engine.runtime.voice.voice import Voice


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    """Folder of a toy voice that a test may damage."""
    return toy_voice.build(tmp_path / "spoiled", external=True)


def zipped(folder: Path, path: Path, top: str = "", extra: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, top + file.relative_to(folder).as_posix())
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return path


def refused(where: object, message: str) -> str:
    with pytest.raises(VoiceError, match=message) as caught:
        Engine.load(where, device="cpu")  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Lookup


def test_a_voice_is_opened_from_its_folder(toy_audio: Path) -> None:
    for where in (toy_audio, str(toy_audio)):
        voice = Voice.open(where)
        assert (voice.name, voice.path, voice.manifest.rate) == ("toy-audio", toy_audio, 16000)
    assert Voice.open(voice) is voice


def test_a_bundled_voice_hides_an_installed_one(
    toy_audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = install_voice(toy_audio)
    assert Voice.open("toy-audio").path == installed.path == tmp_path / "installed" / "toy-audio"
    monkeypatch.setattr(lookup, "BUNDLED", tmp_path / "bundled")
    shutil.copytree(toy_audio, tmp_path / "bundled" / "toy-audio")
    assert Voice.open("toy-audio").path == tmp_path / "bundled" / "toy-audio"
    assert [(v.name, v.origin) for v in list_voices()] == [("toy-audio", "bundled")]


def test_an_unknown_name_suggests_a_similar_one(toy_audio: Path) -> None:
    install_voice(toy_audio)
    message = refused("toy-adio", "unknown voice 'toy-adio'; did you mean 'toy-audio'")
    assert message.count("toy-audio") == 2  # suggested, and listed


@pytest.mark.parametrize("where", ["no/such/folder", "", "missing.zip", "..", "x" * 300, "a\0b"])
def test_a_path_without_a_voice_is_refused(where: str) -> None:
    refused(where, "no such|cannot be opened|unknown voice|cannot be read")


def test_the_list_says_why_a_voice_is_broken(toy_audio: Path, homes: Path) -> None:
    install_voice(toy_audio)
    (homes / "installed" / "wreck").mkdir()
    (homes / "installed" / "wreck" / "voice.json").write_text("{")
    found = {voice.name: voice for voice in list_voices() if voice.origin == "installed"}
    assert found["toy-audio"].manifest is not None
    assert found["toy-audio"].problem is None
    assert "not a valid voice manifest" in str(found["wreck"].problem)


# Archives


@pytest.mark.parametrize("top", ["", "toy-audio/"])
def test_a_zip_streams_as_its_folder_does(toy_audio: Path, tmp_path: Path, top: str) -> None:
    path = zipped(toy_audio, tmp_path / "toy_voice.zip", top, extra={top + "unlisted.txt": b"not taken along"})
    voice = Voice.open(path)
    assert voice.path.parent == tmp_path / "cache" / "voices"
    assert not (voice.path / "unlisted.txt").exists()
    expected = Engine.load(toy_audio, device="cpu").stream(1).read(5)
    np.testing.assert_array_equal(Engine.load(str(path), device="cpu").stream(1).read(5), expected)


def test_a_zip_is_unpacked_once_and_again_if_the_copy_is_damaged(toy_audio: Path, tmp_path: Path) -> None:
    path = zipped(toy_audio, tmp_path / "toy_voice.zip")
    graph = Voice.open(path).path / "step.onnx"
    made = graph.stat().st_ino
    assert Voice.open(path).path == graph.parent
    assert graph.stat().st_ino == made
    graph.write_bytes(b"damaged")
    assert Voice.open(path).path == graph.parent
    assert graph.read_bytes() == (toy_audio / "step.onnx").read_bytes()
    assert len(list((tmp_path / "cache" / "voices").iterdir())) == 1


def test_each_opening_of_a_zip_checks_its_files_once(
    toy_audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked, check = [], voice_module.check_folder

    def watched(folder: Path, *given: Any, **more: Any) -> Voice:
        checked.append(folder)
        return check(folder, *given, **more)

    monkeypatch.setattr(voice_module, "check_folder", watched)
    path = zipped(toy_audio, tmp_path / "toy_voice.zip")
    for opening in (1, 2):
        voice = Voice.open(path)
        assert voice.path.parent == tmp_path / "cache" / "voices"
        assert len(checked) == opening
    assert checked[1] == voice.path


@pytest.mark.parametrize("entry", ["../evil.txt", "/tmp/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:/evil.txt"])
def test_a_zip_with_an_entry_outside_the_folder_is_refused(toy_audio: Path, tmp_path: Path, entry: str) -> None:
    path = zipped(toy_audio, tmp_path / "toy_voice.zip", extra={entry: b"evil"})
    refused(path, "leaves the voice's folder")
    assert not list(tmp_path.rglob("evil.txt"))
    assert list((tmp_path / "cache" / "voices").iterdir()) == []


def test_a_zip_with_a_symbolic_link_is_refused(toy_audio: Path, tmp_path: Path) -> None:
    path = zipped(toy_audio, tmp_path / "toy_voice.zip")
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(path, "is a symbolic link")


def test_damaged_zips_are_refused(toy_audio: Path, tmp_path: Path) -> None:
    whole = zipped(toy_audio, tmp_path / "toy_voice.zip").read_bytes()
    for name, data, message in (
        ("cut.zip", whole[: len(whole) // 2], r"not a readable \.zip"),
        ("text.zip", b"hello", r"not a readable \.zip"),
        ("byte.zip", whole.replace(b"# A toy", b"# A tox"), r"not a readable \.zip|wrong checksum"),
    ):
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, message)
    shutil.copytree(toy_audio, tmp_path / "other")
    (tmp_path / "other" / "step.onnx").write_bytes(b"another graph")
    refused(zipped(tmp_path / "other", tmp_path / "other.zip"), r"other\.zip/step\.onnx: wrong checksum")
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("readme.txt", "no voice")
    refused(tmp_path / "none.zip", r"no voice\.json in it")
    assert list((tmp_path / "cache" / "voices").iterdir()) == []


def test_a_zip_bomb_is_refused(toy_audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNZIPPED", 1000)
    refused(zipped(toy_audio, tmp_path / "toy_voice.zip"), "unpacks to more than")


# Checks of files and manifest


@pytest.mark.parametrize("name", ["step.onnx", "step.onnx.data", "observe.onnx", "parity.npz"])
def test_a_changed_file_is_refused(spoiled: Path, name: str) -> None:
    data = bytearray((spoiled / name).read_bytes())
    data[-1] ^= 1
    (spoiled / name).write_bytes(data)
    refused(spoiled, f"{name}: wrong checksum")


@pytest.mark.parametrize("change", ["corrected", "removed"])
@pytest.mark.parametrize("listed", [True, False])
def test_the_card_may_be_corrected(spoiled: Path, homes: Path, change: str, listed: bool) -> None:
    """Voices of 0.2.0 and earlier list the checksum of CARD.md, later ones do not."""
    card = spoiled / "CARD.md"
    files = json.loads((spoiled / "voice.json").read_text())["files"]
    assert "CARD.md" in files
    if not listed:
        toy_voice.change(spoiled, lambda manifest: manifest["files"].pop("CARD.md"))
    if change == "corrected":
        card.write_text("# A voice without a typo")
    else:
        card.unlink()
    before = Voice.open(spoiled).fingerprint()
    installed = install_voice(spoiled)
    assert installed.fingerprint() == before
    copy = homes / "installed" / installed.name / "CARD.md"
    assert copy.exists() == (change == "corrected")
    assert Voice.open(installed.name).name == installed.name
    assert Voice.open(zipped(spoiled, spoiled.parent / "corrected.zip")).fingerprint() == before


def test_a_missing_file_is_refused(spoiled: Path) -> None:
    (spoiled / "step.onnx.data").unlink()
    refused(spoiled, r"step\.onnx\.data: missing")


def _file(path: str) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest["files"].update({path: "0" * 64})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_file("../outside"), "leaves the voice's folder"),
        (_file("/etc/passwd"), "leaves the voice's folder"),
        (_file("a/../../b"), "leaves the voice's folder"),
        (lambda m: m["parity"].update(file="../parity.npz"), "leaves the voice's folder"),
        (lambda m: m["graphs"][0].update(file="../step.onnx"), "leaves the voice's folder"),
        (lambda m: m["files"].pop("step.onnx"), r"no checksum for 'step\.onnx'"),
        (lambda m: m.update(schema_version=5, anything="new"), "newer than this vrnn-engine understands"),
        (lambda m: m.pop("rate"), "missing required field `rate`"),
        (lambda m: m.update(colour="red"), "colour"),
        (lambda m: m.update(rate="fast"), "rate"),
        (lambda m: m.update(frame_size=100), "differs from the manifest's frame_size, 100"),
        (lambda m: m.update(graphs=m["graphs"][1:]), "has no step graph"),
    ],
)
def test_an_invalid_manifest_is_refused(spoiled: Path, edit: Callable[[dict[str, Any]], None], message: str) -> None:
    toy_voice.change(spoiled, edit)
    refused(spoiled, message)


def test_a_folder_or_file_without_a_manifest_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, r"voice\.json: cannot be read")
    (tmp_path / "file").touch()
    refused(tmp_path / "file", "neither a voice's folder nor")


# Checks of graphs


def _value(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _extra_input(graph: onnx.GraphProto) -> None:
    graph.input.append(_value("control.volume", ["B", 1]))


def _missing_input(graph: onnx.GraphProto) -> None:
    index = [value.name for value in graph.input].index("control.output.temperature")
    del graph.input[index]
    graph.initializer.append(helper.make_tensor("control.output.temperature", TensorProto.FLOAT, [1], [1.0]))


def _extra_output(graph: onnx.GraphProto) -> None:
    graph.output.append(_value("mean", ["B", 200]))


def _missing_output(graph: onnx.GraphProto) -> None:
    del graph.output[[value.name for value in graph.output].index("prior.std")]


def _fixed_batch(graph: onnx.GraphProto) -> None:
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1


def _other_size(graph: onnx.GraphProto) -> None:
    graph.node.append(helper.make_node("Concat", ["mean", "mean"], ["long"], axis=1))
    output = next(value for value in graph.output if value.name == "frame")
    for node in graph.node:
        for index, name in enumerate(node.output):
            if name == "frame":
                node.output[index] = "short"
        for index, name in enumerate(node.input):
            if name == "frame":
                node.input[index] = "short"
    graph.node.append(helper.make_node("Concat", ["short", "short"], ["frame"], axis=1))
    output.type.tensor_type.shape.dim[1].dim_value = 400


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_extra_input, r"the graph has input control\.volume, which the manifest lacks"),
        (_missing_input, r"the graph has no input control\.output\.temperature, which the manifest declares"),
        (_extra_output, "the graph has output mean, which the manifest lacks"),
        (_missing_output, r"the graph has no output prior\.std, which the manifest declares"),
        (_fixed_batch, "its first axis is not a dynamic batch"),
        (_other_size, r"output frame has shape \[400\] per row, but the manifest says \[200\]"),
    ],
)
def test_a_graph_that_differs_from_the_manifest_is_refused(
    tmp_path: Path, edit: Callable[[onnx.GraphProto], None], message: str
) -> None:
    refused(toy_voice.build(tmp_path / "voice", edit_step=edit), message)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: m.update(controls=m["controls"][1:]), r"no control latent\.temperature of shape \[1\]"),
        (lambda m: m["controls"][0].update(shape=[4]), r"no control latent\.temperature of shape \[1\]"),
        (lambda m: m["graphs"][1].update(role="step", precision="fp16"), "does not belong in a step graph"),
    ],
)
def test_a_graph_that_breaks_the_contract_is_refused(
    spoiled: Path, edit: Callable[[dict[str, Any]], None], message: str
) -> None:
    def change(manifest: dict[str, Any]) -> None:
        edit(manifest)
        manifest["graphs"].sort(key=lambda graph: graph["file"])  # observe.onnx first

    toy_voice.change(spoiled, change)
    refused(spoiled, message)


def test_a_state_without_a_next_state_is_refused(tmp_path: Path) -> None:
    def forget(graph: onnx.GraphProto) -> None:
        del graph.output[[value.name for value in graph.output].index("next.tail")]

    folder = toy_voice.build(tmp_path / "voice", edit_step=forget)
    toy_voice.change(folder, lambda manifest: manifest["graphs"][0]["outputs"].pop("next.tail"))
    refused(folder, r"state\.tail and next\.tail are not a pair of equal shapes")


def test_a_file_that_is_not_a_graph_is_refused(spoiled: Path) -> None:
    (spoiled / "step.onnx").write_bytes(b"no graph\nat all")
    toy_voice.reseal(spoiled)
    refused(spoiled, r"step\.onnx: not a readable ONNX graph")


# Installation


def test_a_zip_is_installed_and_installing_it_again_changes_nothing(toy_audio: Path, tmp_path: Path) -> None:
    path = zipped(toy_audio, tmp_path / "toy_voice.zip")
    first = install_voice(path)
    assert first.path == tmp_path / "installed" / "toy-audio"
    assert install_voice(path).path == first.path
    verify(Voice.open("toy-audio"))


def test_another_voice_of_the_same_name_is_replaced_on_request(toy_audio: Path, spoiled: Path, homes: Path) -> None:
    install_voice(toy_audio)
    toy_voice.change(spoiled, lambda manifest: manifest.update(family="another"))
    with pytest.raises(VoiceError, match="another voice 'toy-audio' is installed"):
        install_voice(spoiled)
    assert Voice.open("toy-audio").manifest.family == "toy"
    assert install_voice(spoiled, replace=True).manifest.family == "another"
    assert Voice.open("toy-audio").manifest.family == "another"
    assert [path.name for path in (homes / "installed").iterdir()] == ["toy-audio"]


def test_installing_a_damaged_voice_leaves_nothing(spoiled: Path, homes: Path) -> None:
    (spoiled / "observe.onnx").write_text("changed")
    with pytest.raises(VoiceError, match="wrong checksum"):
        install_voice(spoiled)
    assert not (homes / "installed").exists()


@pytest.mark.parametrize("name", ["a voice", "été"])
def test_a_voice_with_each_allowed_name_is_installed(spoiled: Path, name: str, homes: Path) -> None:
    toy_voice.change(spoiled, lambda manifest: manifest.update(name=name))
    assert install_voice(spoiled).path == homes / "installed" / name
    assert Voice.open(name).name == name
    assert [voice.name for voice in list_voices() if voice.origin == "installed"] == [name]


def test_installing_from_a_missing_path_is_an_error() -> None:
    with pytest.raises(VoiceError, match="no such folder"):
        install_voice("nowhere")


# Parity


@pytest.mark.parametrize("modality", ["audio", "pen"])
def test_the_graphs_agree_with_the_numpy_reference(toy_audio: Path, toy_pen: Path, modality: str) -> None:
    report = verify(Voice.open(toy_audio if modality == "audio" else toy_pen))
    assert set(report.differences) == {"frame", "observe.posterior.mean", "observe.kl", "observe.log_likelihood"}
    assert max(report.differences.values()) < 1e-5
    assert report.frames == toy_voice.FRAMES


@pytest.mark.parametrize("name", ["frame", "observe.kl"])
def test_a_difference_from_the_parity_vectors_is_an_error(spoiled: Path, name: str) -> None:
    with np.load(spoiled / "parity.npz") as arrays:
        vectors = {key: arrays[key] for key in arrays.files if name != "frame" or not key.startswith("observe.")}
    vectors[name][-1] += 3e-4 * np.abs(vectors[name]).max()
    np.savez(spoiled / "parity.npz", **vectors)
    toy_voice.reseal(spoiled)
    with pytest.raises(VoiceError, match=f"{name} differs from PyTorch's by"):
        verify(Voice.open(spoiled))


def test_missing_parity_vectors_are_an_error(spoiled: Path) -> None:
    (spoiled / "parity.npz").write_bytes(b"PK\x03\x04")
    toy_voice.reseal(spoiled)
    with pytest.raises(VoiceError, match="not a readable"):
        verify(Voice.open(spoiled))
    np.savez(spoiled / "parity.npz", frame=np.zeros((toy_voice.FRAMES, 200)))
    toy_voice.reseal(spoiled)
    with pytest.raises(VoiceError, match=r"needs an array noise\.latent of shape \[100, 4\]"):
        verify(Voice.open(spoiled))


def test_the_fingerprint_changes_with_the_weights_only(toy_audio: Path, spoiled: Path) -> None:
    before = Voice.open(spoiled).fingerprint()
    assert before != Voice.open(toy_audio).fingerprint()
    (spoiled / "CARD.md").write_text("another card")
    toy_voice.reseal(spoiled)
    assert Voice.open(spoiled).fingerprint() == before
    data = bytearray((spoiled / "step.onnx.data").read_bytes())
    data[0] ^= 1
    (spoiled / "step.onnx.data").write_bytes(data)
    toy_voice.reseal(spoiled)
    assert Voice.open(spoiled).fingerprint() != before
    assert json.loads((spoiled / "voice.json").read_text())["files"]["step.onnx.data"]
