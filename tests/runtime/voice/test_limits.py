"""What the manifest of a voice may say: names, ranges, sizes; each broken rule is an error that names it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import toy_voice

from vrnn_engine import VoiceError
from vrnn_engine.runtime.graph.install import install_voice
from vrnn_engine.runtime.hands.saved_hands import SavedHands
from vrnn_engine.runtime.live.saved import SavedFolder
from vrnn_engine.runtime.voice.manifest import decode_manifest, json_schema
from vrnn_engine.runtime.voice.voice import Voice

Edit = Callable[[dict[str, Any]], Any]

NAMES = ["../escape", "/somewhere/pen", "a/b", "a\\b", ".hidden", "", "..", "new\nline", "end\n", "bell\x07", "\x1b[2J"]
NAMES += ["\x9b2J", "right\u202eto left", "serial:x", "a?b", "x" * 65, "nul\0", "-", " a"]


def control(**values: object) -> Edit:
    return lambda manifest: manifest["controls"][0].update(values)


def of(field: str, **values: object) -> Edit:
    return lambda manifest: manifest[field].update(values)


def add_input(manifest: dict[str, Any]) -> None:
    manifest["graphs"][0]["inputs"]["control.\x1b]0;title\x07"] = [1]


def shapes(field: str, *wanted: list[int]) -> Edit:
    """Return an edit that adds inputs or outputs to the step graph."""
    return lambda m: m["graphs"][0][field].update({f"a{at}": shape for at, shape in enumerate(wanted)})


def add_controls(manifest: dict[str, Any]) -> None:
    first = manifest["controls"][0]
    manifest["controls"] += [first | {"name": f"a{at}", "shape": [2**16]} for at in range(16)]


def use_document(manifest: dict[str, Any]) -> None:
    manifest["graphs"][0]["file"] = "CARD.md"


EDITS: list[tuple[Edit, str]] = [
    (lambda m: m.update(schema_version=0), "`int` >= 1"),
    (lambda m: m.update(rate=10**6), "`int` <= 768000"),
    (lambda m: m.update(frame_size=2**20), "`int` <= 262144"),
    (lambda m: m.update(unit="u" * 200), "length <= 128"),
    (lambda m: m.update(graphs=[]), "length >= 1"),
    (lambda m: m.update(controls=m["controls"] * 100), "length <= 256"),
    (lambda m: m["controls"].append(m["controls"][0]), "control latent.temperature is described twice"),
    (lambda m: m["graphs"].append(m["graphs"][0]), "graph step/fp32 is described twice"),
    (control(default=3.0), "default 3, which is not between 0 and 2"),
    (control(minimum=3.0), "default 1, which is not between 3 and 2"),
    (control(maximum=1e12), "`float` <= 1000000000.0"),
    (control(name="\x1b[31mred"), "has characters other than letters"),
    (control(description="d" * 2000), "length <= 1024"),
    (control(shape=[1] * 9), "length <= 8"),
    (control(shape=[]), "control latent.temperature has no axis; the shape of one number is [1]"),
    (control(shape=[2**25]), "`int` <= 16777216"),
    (control(shape=[10**400]), "`int` <= 16777216"),
    (control(shape=[2**62]), "`int` <= 16777216"),
    (control(shape=[2**11, 2**10]), "the controls together have more than 1,048,576 values for each row"),
    (add_controls, "the controls together have more than 1,048,576 values for each row"),
    (shapes("inputs", [2**24] * 8), "the inputs of step.onnx together have more than 16,777,216 values for each row"),
    (shapes("inputs", *[[2**22]] * 4), "the inputs of step.onnx together have more than 16,777,216 values"),
    (shapes("outputs", *[[2**22]] * 4), "the outputs of step.onnx together have more than 16,777,216 values"),
    (add_input, "has characters other than letters"),
    (of("parity", tolerance=0.5), "`float` <= 0.01"),
    (of("parity", tolerance=0.0), "`float` > 0.0"),
    (of("parity", frames=10**6), "`int` <= 10000"),
    (of("parity", file="nowhere.npz"), "no checksum for 'nowhere.npz'"),
    (of("normalisation", std=[0.0]), "all greater than 0"),
    (of("normalisation", std=[1.0, 1.0]), "as many values"),
    (use_document, "'CARD.md', which is a document"),
    (lambda m: m.update(modality="pen"), "frame_size is 200, but a frame of a pen has 3 values"),
]


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    return toy_voice.build(tmp_path / "spoiled")


@pytest.mark.parametrize(("edit", "message"), EDITS)
def test_a_manifest_that_breaks_a_rule_is_refused_in_one_line(spoiled: Path, edit: Edit, message: str) -> None:
    toy_voice.change(spoiled, edit)
    with pytest.raises(VoiceError) as caught:
        Voice.open(spoiled)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_voice_with_the_name_of_another_place_is_refused(spoiled: Path, homes: Path, name: str) -> None:
    toy_voice.change(spoiled, lambda manifest: manifest.update(name=name))
    for use in (Voice.open, install_voice):
        with pytest.raises(VoiceError):
            use(spoiled)
    assert not (homes / "installed").exists()


@pytest.mark.parametrize("name", NAMES)
def test_saved_files_stay_in_the_folder_of_their_voice(name: str) -> None:
    for kind in (SavedHands, SavedFolder):
        with pytest.raises(Exception, match="a voice cannot be named"):
            kind(name)


def test_the_published_schema_has_the_limits() -> None:
    found = json.dumps(json_schema())
    limits = ('"maximum": 768000', '"maximum": 262144', '"maxLength": 64', '"maxItems": 256', '"maximum": 16777216')
    for limit in limits:
        assert limit in found


@given(st.text(), st.floats(), st.floats(), st.floats(), st.integers())
def test_what_is_read_keeps_the_rules(
    valid: dict[str, Any], name: str, default: float, minimum: float, maximum: float, rate: int
) -> None:
    ranges = {"default": default, "minimum": minimum, "maximum": maximum}
    changed = valid | {"name": name, "rate": rate, "controls": [valid["controls"][0] | ranges]}
    try:
        found = decode_manifest(json.dumps(changed).encode(), "voice.json")
    except VoiceError:
        return
    assert "/" not in found.name
    assert found.name.isprintable()
    assert found.controls[0].minimum <= found.controls[0].default <= found.controls[0].maximum
    assert 1 <= found.rate <= 768_000


@pytest.fixture(scope="module")
def valid(toy_audio: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((toy_audio / "voice.json").read_text())
    return manifest
