"""Sinks: each target finds its sink; files hold exactly what was written, and appear only when complete."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vrnn_engine.base.files import AtomicFile
from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.options import add_option, split_target
from vrnn_engine.runtime.sinks import Format, Sink, audiofile, make_sink
from vrnn_engine.runtime.sinks.audiofile import AudioFileSink
from vrnn_engine.runtime.sinks.pcm import to_pcm16
from vrnn_engine.runtime.targets import TARGETS, Target, list_targets

AUDIO = Format("audio", 16000, 200, "full scale", "toy")
PEN = Format("pen", 100, 3, "mm", "toy")


def noise(samples: int, peak: float = 0.9) -> np.ndarray:
    return np.random.default_rng(0).uniform(-peak, peak, samples).astype(np.float32)


def send(target: Path, format: Format, *blocks: np.ndarray) -> Sink:
    sink = make_sink(target)
    sink.open(format)
    for block in blocks:
        sink.write(block)
    sink.close()
    return sink


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("speakers", "SpeakersSink"),
        ("speakers:USB, 2", "SpeakersSink"),
        ("speakers:odd.wav", "SpeakersSink"),
        ("-", "StdoutSink"),
        ("null", "NullSink"),
        ("a.wav", "AudioFileSink"),
        ("b/A.FLAC", "AudioFileSink"),
        ("C:\\x.svg", "SvgSink"),
        ("a.jsonl", "JsonLinesSink"),
        ("a.hpgl?pen=2", "HpglSink"),
        ("a.PLT", "HpglSink"),
        ("a.nc?feed=9", "GcodeSink"),
        ("a.GCODE", "GcodeSink"),
        ("terminal?width=80", "TerminalSink"),
        ("serial:/dev/x.svg?format=gcode", "SerialSink"),
        ("serial:COM3?format=hpgl", "SerialSink"),
    ],
)
def test_a_target_finds_its_sink(target: str, kind: str) -> None:
    assert type(make_sink(target)).__name__ == kind


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.forms[-1])
def test_each_target_of_the_table_has_a_sink_that_takes_its_modalities(target: Target, tmp_path: Path) -> None:
    for form in target.forms:
        text = form.replace("FILE", str(tmp_path / "a")) + ("?format=gcode" if target.scheme == "serial" else "")
        sink = make_sink(text)
        assert f"{type(sink).__module__}:{type(sink).__name__}" == f"vrnn_engine.runtime.sinks.{target.sink}"
        for format in (AUDIO, PEN):
            fits = format.modality in target.modalities
            assert (form in list_targets(format.modality)) == fits
            message = error_of_opening(make_sink(text), format)
            assert (f"but voice 'toy' makes {'sound' if format is AUDIO else 'ink'}; " in message) == (not fits)
            assert (list_targets(format.modality) in message) == (not fits)


def error_of_opening(sink: Sink, format: Format) -> str:
    """Return the error of opening a sink, or nothing if there is none."""
    try:
        sink.open(format)
    except SinkError as error:
        return str(error)
    sink.abort()
    return ""


@pytest.mark.parametrize("target", ["", "out.mp3", "wav", "terminal:x", "null:x", "folder"])
def test_an_unknown_target_is_an_error_that_lists_the_targets(target: str) -> None:
    with pytest.raises(SinkError, match=r"unknown target .*speakers, .*FILE\.wav"):
        make_sink(target)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "a.svg?widht=3",
            "a.svg has no option 'widht'; did you mean 'width'.* its options: align, animate, height, ink,",
        ),
        ("a.svg?width=wide", "a.svg: the option width cannot be 'wide'; give a number above 0"),
        ("a.svg?width=nan", "give a number above 0"),
        ("a.svg?width=inf", "give a number above 0"),
        ("a.svg?height=-1", "give a number above 0"),
        ("a.svg?margin=-1", "give a number from 0"),
        ("a.svg?layers=7", "give line or pen or stroke"),
        ("a.svg?paper=b5", "give a2 or a3 or a4 or a5 or a6 or legal or letter or tabloid"),
        ("a.svg?paper=a4&width=100", "a.svg: give either paper=a4, or a width and a height"),
        ("a.svg?orientation=landscape", "a page without a height has no orientation; give a paper, or a height"),
        ("a.plt?plotter=7476a", "give 7440a or 7475a or generic"),
        ("a.plt?rotate=45", "give 0 or 90 or 180 or 270"),
        ("a.plt?start=%07", "give printable ASCII on one line, and %1B for an escape character"),
        ("a.nc?dialect=mach3", "give grbl or klipper or marlin"),
        ("a.svg?width=9&width=8", "a.svg: the option width is given twice; give it once"),
        ("a.svg?width", "a.svg: 'width' is not an option; write NAME=VALUE"),
        ("a.svg?=3", "'=3' is not an option"),
        ("a.hpgl?pen=9", "give a whole number from 1 up to 8"),
        ("a.hpgl?pen=1.5", "give a whole number from 1 up to 8"),
        ("a.hpgl?feed=100", "a.hpgl has no option 'feed'"),
        ("a.jsonl?width=100", "a.jsonl takes no options"),
        ("-?x=1", "- has no option 'x'"),
        ("speakers?x=1", "speakers has no option 'x'; its options: ceiling, channels, strict, volume"),
        ("speakers?strict=yes", "give true or false"),
        ("terminal?height=100", "terminal has no option 'height'"),
        ("serial:/dev/x", r"name the plotter's language: serial:/dev/x\?format=gcode"),
        ("serial:/dev/x?format=pdf", r"\?format=gcode .* or \?format=hpgl"),
        ("serial:/dev/x?format=hpgl&feed=100", "has no option 'feed'.* baud, flow, format"),
        ("serial:/dev/x?format=gcode&flow=off", "give none or rtscts or xonxoff"),
        ("a.gcode?down=M3%0AG0+Z-9", r"down cannot be 'M3\\nG0 Z-9'; give printable ASCII on one line, in commands of"),
        ("a.gcode?up=M5%0A", "give printable ASCII"),
        ("a.gcode?start=%18", "give printable ASCII"),
        ("a.gcode?start=%C2%84", "give printable ASCII"),
        (
            f"serial:/dev/x?format=gcode&down=M3;G4+P{'1' * 80}",
            "the option down .* commands of at most 79 characters separated by ;",
        ),
        ("serial", "name the plotter's port"),
        ("serial:?format=gcode", "name the plotter's port"),
    ],
)
def test_a_wrong_option_is_an_error_that_says_what_is_possible(target: str, message: str) -> None:
    with pytest.raises(SinkError, match=message):
        make_sink(target)


@pytest.mark.parametrize("name", ["what?.wav", "what?.flac", "a?b?.jsonl", "why?.svg", "x?.hpgl", "x=1?y=2.gcode"])
def test_a_question_mark_in_the_name_of_a_file_is_part_of_the_name(name: str, tmp_path: Path) -> None:
    sink = make_sink(tmp_path / name)
    sink.open(AUDIO if name.endswith(("wav", "flac", "jsonl")) else PEN)
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_options_may_follow_a_name_with_a_question_mark(tmp_path: Path) -> None:
    sink = make_sink(add_option(str(tmp_path / "why?.svg"), "width", 120))
    sink.open(PEN)
    sink.close()
    assert 'width="120mm"' in (tmp_path / "why?.svg").read_text()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("a.wav?b.wav", r"a\.wav takes no options, which begin at the first \?; leave out \?b\.wav"),
        ("what?.mp3", r"unknown target 'what' \(without the options, which begin at the first \?\)"),
        ("a.svg?b", "'b' is not an option; .* after the first \\?"),
    ],
)
def test_a_question_mark_that_begins_options_is_explained(target: str, message: str) -> None:
    with pytest.raises(SinkError, match=message):
        make_sink(target)


def test_a_paper_may_be_written_in_capitals(tmp_path: Path) -> None:
    sink = make_sink(tmp_path / "a.svg?paper=A5")
    sink.open(PEN)
    sink.close()
    assert 'width="148mm" height="210mm"' in (tmp_path / "a.svg").read_text()


def test_options_are_decoded() -> None:
    assert split_target("a.svg?down=M3+S90%3BG4&x=1") == ("a.svg", {"down": "M3 S90;G4", "x": "1"})
    assert split_target("C:\\a.svg?") == ("C:\\a.svg", {})
    assert add_option(add_option("a.svg", "width", 3), "ink", 1) == "a.svg?width=3&ink=1"


@pytest.mark.parametrize(
    ("target", "format", "fitting"),
    [
        ("a.svg", AUDIO, "FILE.wav"),
        ("a.wav", PEN, "FILE.svg"),
        ("a.flac", PEN, "FILE.svg"),
        ("speakers", PEN, "FILE.svg, FILE.hpgl"),
        ("terminal", AUDIO, "FILE.wav"),
        ("a.hpgl", AUDIO, "FILE.wav"),
        ("serial:/dev/x?format=gcode", AUDIO, "FILE.wav"),
    ],
)
def test_a_sink_of_the_other_modality_lists_the_targets_that_fit(
    target: str, format: Format, fitting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SinkError, match=re.escape(fitting)):
        make_sink(target).open(format)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_sound_files_hold_the_samples(tmp_path: Path, ending: str) -> None:
    sent, path = noise(1234), tmp_path / f"a.{ending}"
    send(path, AUDIO, sent[:200], sent[200:])
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.subtype, info.format) == (16000, 1, "PCM_16", ending.upper())
    samples, _ = soundfile.read(path, dtype="float32")
    assert np.abs(samples - sent).max() <= 0.5 / 32768 + 1e-7
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_samples_beyond_full_scale_are_clipped_and_counted(tmp_path: Path) -> None:
    sink = send(tmp_path / "a.wav", AUDIO, np.array([1.5, -2, 1.0, -1.0, 0.5], np.float32))
    assert isinstance(sink, AudioFileSink)
    assert sink.clipped == 2
    samples, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert samples.tolist() == [32767, -32768, 32767, -32768, 16384]


def test_a_wav_that_is_full_continues_in_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    monkeypatch.setattr(audiofile, "MOST_WAV_SAMPLES", 1000)
    ramp = (np.arange(2500) / 2**15).astype(np.float32)
    sink = make_sink(tmp_path / "take.wav")
    sink.open(AUDIO)
    for first in range(0, 2500, 300):
        sink.write(ramp[first : first + 300])
    sink.close()
    parts = [soundfile.read(tmp_path / name, dtype="float32")[0] for name in ("take.wav", "take-2.wav", "take-3.wav")]
    assert [len(part) for part in parts] == [1000, 1000, 500]
    np.testing.assert_array_equal(np.concatenate(parts), ramp)
    assert logged[0].endswith(f"take.wav is as long as a WAV file can be; the sound continues in {tmp_path}/take-2.wav")
    assert len(list(tmp_path.iterdir())) == 3


def test_the_longest_wav_has_a_header_of_32_bits() -> None:
    assert 2**32 - 4096 < 2 * audiofile.MOST_WAV_SAMPLES + 44 < 2**32


def test_a_flac_has_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiofile, "MOST_WAV_SAMPLES", 100)
    sink = make_sink(tmp_path / "take.flac")
    sink.open(AUDIO)
    sink.write(np.zeros(500, np.float32))
    sink.close()
    assert soundfile.info(tmp_path / "take.flac").frames == 500


def test_pcm_is_little_endian() -> None:
    samples, clipped = to_pcm16(np.array([1 / 32768, -1 / 32768], np.float32))
    assert samples.tobytes() == b"\x01\x00\xff\xff"
    assert clipped == 0


def test_json_lines_of_ink_and_of_sound(tmp_path: Path) -> None:
    send(tmp_path / "a.jsonl", PEN, np.array([[0.5, -1, 0], [2, 0.25, 1]], np.float32), np.zeros((1, 3), np.float32))
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert lines[:2] == [
        {"t": 0.0, "dx": 0.5, "dy": -1.0, "pen_up": 0},
        {"t": 0.01, "dx": 2.0, "dy": 0.25, "pen_up": 1},
    ]
    assert lines[2]["t"] == 0.02
    sent = noise(500)
    send(tmp_path / "b.jsonl", AUDIO, sent[:400], sent[400:])
    lines = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert [(line["t"], len(line["samples"])) for line in lines] == [(0.0, 200), (0.0125, 200), (0.025, 100)]
    assert np.array_equal(np.float32(lines[1]["samples"]), sent[200:400])


@pytest.mark.parametrize("ending", ["wav", "flac", "hpgl", "plt", "gcode", "nc", "jsonl"])
def test_a_file_appears_only_when_finished(tmp_path: Path, ending: str) -> None:
    format, block = (AUDIO, noise(400)) if ending in ("wav", "flac") else (PEN, np.ones((5, 3), np.float32))
    path = tmp_path / f"a.{ending}"
    path.write_text("before")
    sink = make_sink(path)
    sink.open(format)
    sink.write(block)
    assert path.read_text() == "before"
    sink.abort()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "before"


def test_a_path_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=f"no folder {tmp_path}/none"):
        make_sink(tmp_path / "none" / "a.wav").open(AUDIO)
    (tmp_path / "d.wav").mkdir()
    with pytest.raises(SinkError, match="is a folder"):
        make_sink(tmp_path / "d.wav").open(AUDIO)


def test_a_pipe_or_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "pipe"), (tmp_path / "link", "pipe"), (Path("/dev/null"), "device")):
        with pytest.raises(SinkError, match=f"^{path} is a {kind}, which a file would replace; name a file$"):
            AtomicFile(path).abort()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link", "pipe"]
    with pytest.raises(SinkError, match="File name too long"):
        AtomicFile(tmp_path / ("n" * 5000))


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "real" / "b.jsonl")
    file = AtomicFile(tmp_path / "a.jsonl")
    file.append(b"x")
    file.commit()
    assert (tmp_path / "a.jsonl").is_symlink()
    assert (tmp_path / "real" / "b.jsonl").read_bytes() == b"x"


@pytest.mark.parametrize("ending", ["wav", "flac", "jsonl", "hpgl", "plt", "gcode", "nc"])
def test_a_full_disk_is_an_error_and_leaves_no_file(tiny_disk: Path, ending: str) -> None:
    format, block = (AUDIO, noise(4000)) if ending in ("wav", "flac") else (PEN, np.ones((2000, 3), np.float32))
    sink = make_sink(tiny_disk / f"a.{ending}")
    sink.open(format)
    try:
        with pytest.raises(SinkError, match="No space left on device"):
            for _ in range(40):
                sink.write(block)
            sink.close()
    finally:
        sink.abort()
    assert list(tiny_disk.iterdir()) == []
