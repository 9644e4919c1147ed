"""Sinks: each target finds its sink, files hold exactly what was sent, and appear only when finished."""

import json
import re
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks import Format, Sink, make_sink
from vrnn_engine.runtime.sinks.audiofile import AudioFileSink
from vrnn_engine.runtime.sinks.base import AtomicFile, to_pcm16
from vrnn_engine.runtime.sinks.svg import SvgSink

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
    ],
)
def test_targets(target: str, kind: str) -> None:
    assert type(make_sink(target)).__name__ == kind


@pytest.mark.parametrize("target", ["", "out.mp3", "wav", "serial:/dev/null", "terminal", "null:x", "folder"])
def test_unknown_target_names_what_exists(target: str) -> None:
    with pytest.raises(SinkError, match=r"nothing can write to .*speakers, .*FILE\.wav"):
        make_sink(target)


@pytest.mark.parametrize(
    ("target", "format", "fitting"),
    [
        ("a.svg", AUDIO, "FILE.wav"),
        ("a.wav", PEN, "FILE.svg"),
        ("a.flac", PEN, "FILE.svg"),
        ("speakers", PEN, "FILE.svg"),
    ],
)
def test_a_sink_of_the_other_modality_says_what_would_fit(
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


def test_beyond_full_scale_is_cut_and_counted(tmp_path: Path) -> None:
    sink = send(tmp_path / "a.wav", AUDIO, np.array([1.5, -2, 1.0, -1.0, 0.5], np.float32))
    assert isinstance(sink, AudioFileSink)
    assert sink.clipped == 2
    samples, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert samples.tolist() == [32767, -32768, 32767, -32768, 16384]


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


def strokes(path: Path) -> list[np.ndarray]:
    """Return the strokes of an .svg as arrays [points, 2]."""
    root = ET.parse(path).getroot()
    found = [node.attrib["d"] for node in root.iter("{http://www.w3.org/2000/svg}path")]
    return [np.array([float(n) for n in re.findall(r"-?[\d.]+", d)]).reshape(-1, 2) for d in found]


def test_svg_lifts_the_pen_after_the_point(tmp_path: Path) -> None:
    points = [[1, 0, 0], [2, 1, 1], [5, 0, 0], [0, 3, 0], [1, 0, 1], [4, -3, 1]]
    send(tmp_path / "a.svg", PEN, np.array(points, np.float32))
    first, second, dot = strokes(tmp_path / "a.svg")
    assert np.allclose(np.diff(first, axis=0), [[2, 1]])
    assert np.allclose(np.diff(second, axis=0), [[0, 3], [1, 0]])
    assert np.allclose(second[0] - first[-1], [5, 0])
    assert np.allclose(dot, second[-1] + [4, -3])
    root = ET.parse(tmp_path / "a.svg").getroot()
    assert root.attrib["width"] == "180mm"
    assert root.attrib["viewBox"].split()[:3] == ["0", "0", "180"]


def words(count: int, climb: float) -> np.ndarray:
    """Return words of zigzags 16 mm wide, 5 mm apart, on a line that climbs by `climb` mm a word."""
    word = [(5, -climb, 0), *[(1, 2, 0), (1, -2, 0)] * 7, (1, 2, 0), (1, -2, 1)]
    return np.array(word * count, np.float32)


def test_svg_wraps_between_words_and_stays_on_the_page(tmp_path: Path) -> None:
    send(tmp_path / "a.svg", PEN, words(60, climb=1.0))
    found = strokes(tmp_path / "a.svg")
    assert len(found) == 60
    root = ET.parse(tmp_path / "a.svg").getroot()
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    assert width == 180
    for stroke in found:
        assert (stroke >= 10).all()
        assert (stroke <= [width - 10, height - 10]).all()
    starts = [index for index in range(1, 60) if found[index][0, 0] < found[index - 1][0, 0]]
    assert len(starts) >= 6
    # Each line starts afresh at the same margin, below the one before, though the ink climbs all the time.
    assert np.ptp([found[index][0, 0] for index in [0, *starts]]) < 0.05
    lows = [found[index][0, 1] for index in [0, *starts]]
    assert (np.diff(lows) > 8).all()
    # Within a line, dy is kept as it is.
    assert found[1][0, 1] - found[0][0, 1] == pytest.approx(-1.0, abs=0.02)


def test_svg_breaks_lines_where_words_do(tmp_path: Path) -> None:
    letter, dot = [(0, 4, 0), (2, 0, 1)], [(-1, -6, 1), (1, 2, 0)]
    word = [(6, 0, 0), *letter, (1, -4, 0), *letter, *dot, (1, 0, 0), *letter, (0, -4, 1)]
    send(tmp_path / "a.svg", PEN, np.array(word * 40, np.float32))
    found = strokes(tmp_path / "a.svg")
    per_word = len(found) // 40
    starts = [i for i in range(1, len(found)) if found[i][0, 0] < found[i - 1][0, 0] - 50]
    assert len(starts) >= 2
    assert [start % per_word for start in starts] == [0] * len(starts)


def test_svg_takes_a_pen_that_goes_back_for_a_new_line(tmp_path: Path) -> None:
    """Voices that learned from several lines of writing do; only part of a line must not end up on the next."""
    stroke = [(6, 3, 0), (6, -3, 1)]
    far = [(-100, 1, 0), *stroke]  # all the way
    near = [(-40, 8, 0), *stroke]  # and down
    dot = [(-30, -8, 1), (30, 8, 0)]  # the dot of an i, set afterwards: no new line
    send(tmp_path / "a.svg", PEN, np.array([*stroke * 9, *far, *stroke * 3, *near, *stroke * 3, *dot], np.float32))
    found = strokes(tmp_path / "a.svg")
    assert [i for i in range(1, len(found)) if abs(min(found[i][:, 0]) - 12) < 0.1] == [9, 13]


def test_svg_knows_units(tmp_path: Path) -> None:
    sent = np.array([[0, 0, 0], [1, 0, 1]], np.float32)
    send(tmp_path / "a.svg", Format("pen", 100, 3, "in", "toy"), sent)
    assert np.ptp(strokes(tmp_path / "a.svg")[0][:, 0]) == pytest.approx(25.4)
    with pytest.raises(SinkError, match="furlong"):
        SvgSink(str(tmp_path / "b.svg")).open(Format("pen", 100, 3, "furlong", "toy"))


def test_an_empty_page_is_still_a_page(tmp_path: Path) -> None:
    send(tmp_path / "a.svg", PEN)
    assert strokes(tmp_path / "a.svg") == []


@pytest.mark.parametrize("ending", ["wav", "flac", "svg", "jsonl"])
def test_a_file_appears_only_when_finished(tmp_path: Path, ending: str) -> None:
    format, block = (PEN, np.ones((5, 3), np.float32)) if ending == "svg" else (AUDIO, noise(400))
    path = tmp_path / f"a.{ending}"
    path.write_text("before")
    sink = make_sink(path)
    sink.open(format)
    sink.write(block)
    assert path.read_text() == "before"
    sink.abort()  # type: ignore[attr-defined]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "before"


def test_places_that_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=f"no folder {tmp_path}/none"):
        make_sink(tmp_path / "none" / "a.wav").open(AUDIO)
    (tmp_path / "d.wav").mkdir()
    with pytest.raises(SinkError, match="is a folder"):
        make_sink(tmp_path / "d.wav").open(AUDIO)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "real" / "b.jsonl")
    file = AtomicFile(tmp_path / "a.jsonl")
    file.append(b"x")
    file.commit()
    assert (tmp_path / "a.jsonl").is_symlink()
    assert (tmp_path / "real" / "b.jsonl").read_bytes() == b"x"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a small disk here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("ending", ["wav", "flac", "jsonl", "svg"])
def test_full_disk(tiny_disk: Path, ending: str) -> None:
    format, block = (PEN, np.ones((2000, 3), np.float32)) if ending == "svg" else (AUDIO, noise(4000))
    sink = make_sink(tiny_disk / f"a.{ending}")
    sink.open(format)
    try:
        with pytest.raises(SinkError, match="No space left on device"):
            for _ in range(40):
                sink.write(block)
            sink.close()
    finally:
        sink.abort()  # type: ignore[attr-defined]
    assert list(tiny_disk.iterdir()) == []


PLUGIN = """
class Good:
    def __init__(self, target, latency):
        self.target, self.latency = target, latency
    def open(self, format): pass
    def write(self, block): pass
    def close(self): pass

def bad(target, latency):
    raise RuntimeError("no such port")

def odd(target, latency):
    return 7
"""
ENTRIES = """
[vrnn_engine.sinks]
good = my_sinks:Good
bad = my_sinks:bad
odd = my_sinks:odd
gone = not_there:Sink
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that announces sinks."""
    info = tmp_path / "site" / "my_sinks-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-sinks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(textwrap.dedent(ENTRIES))
    (tmp_path / "site" / "my_sinks.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "my_sinks", raising=False)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("target", ["good:/dev/x?a=b", "good", "file.good"])
def test_plugins_by_scheme_and_by_ending(target: str) -> None:
    sink = make_sink(target, latency=0.25)
    assert (type(sink).__name__, vars(sink)) == ("Good", {"target": target, "latency": 0.25})


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("target", "reason"), [("bad:1", "no such port"), ("a.gone", "not_there"), ("odd:", "gave a int, not a sink")]
)
def test_a_broken_plugin_explains_itself_and_harms_nobody(target: str, reason: str) -> None:
    with pytest.raises(SinkError, match=f"plug-in .* of my-sinks is broken: .*{reason}"):
        make_sink(target)
    make_sink("a.wav")
    with pytest.raises(SinkError, match="from plug-ins: bad, gone, good, odd"):
        make_sink("unknown:")
