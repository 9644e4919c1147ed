"""Recordings that arrive through a pipe, for each verb that reads one."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.command import Run, environment, the_error

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX systems")

SAMPLES = (0.3 * np.sin(np.arange(24000) / 20)).astype(np.float32)
"""Half a second at 48 kHz."""


def wav(size: int | None, kind: str = "s16", channels: int = 1, extra: bytes = b"") -> bytes:
    """Return a WAV stream whose header says this size of the data; None for the right one."""
    tags = {"u8": (1, 8), "s16": (1, 16), "s24": (1, 24), "s32": (1, 32), "f32": (3, 32), "f64": (3, 64)}
    tag, bits = tags[kind]
    data = encode(np.repeat(SAMPLES, channels), kind)
    step = channels * bits // 8
    described = struct.pack("<HHIIHH", tag, channels, 48000, 48000 * step, step, bits)
    head = b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", 16) + described + extra
    return head + b"data" + struct.pack("<I", len(data) if size is None else size) + data


def encode(samples: np.ndarray, kind: str) -> bytes:
    match kind:
        case "u8":
            return (np.rint(samples * 128) + 128).astype(np.uint8).tobytes()
        case "s16":
            return np.rint(samples * 2**15).astype("<i2").tobytes()
        case "s24":
            whole = np.rint(samples.astype(np.float64) * 2**31).astype("<i4")
            return whole.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
        case "s32":
            return np.rint(samples.astype(np.float64) * 2**31).astype("<i4").tobytes()
    return samples.astype("<f4" if kind == "f32" else "<f8").tobytes()


def pcm(run: Run, voice: Path, *words: object, data: bytes | None = None) -> bytes:
    """Return what resynthesis writes to stdout."""
    given = {} if data is None else {"input": data}
    done = run("stream", "-v", voice, "--seed", "1", "--to", "-", *words, text=False, **given)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("kind", ["u8", "s16", "s24", "s32", "f32", "f64"])
def test_a_piped_wav_sounds_like_the_file(kind: str, run: Run, work: Path, toy_audio: Path) -> None:
    (work / "clip.wav").write_bytes(wav(None, kind, channels=2))
    expected = pcm(run, toy_audio, "--from", "clip.wav")
    assert len(expected) == 16000
    assert pcm(run, toy_audio, "--from", "-", data=wav(None, kind, channels=2)) == expected


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x7FFFFFFF - 36, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF - 36])
def test_an_unknown_size_means_until_the_end(size: int, run: Run, toy_audio: Path) -> None:
    assert pcm(run, toy_audio, "--from", "-", data=wav(size)) == pcm(run, toy_audio, "--from", "-", data=wav(None))


def test_other_chunks_are_skipped(run: Run, toy_audio: Path) -> None:
    odd = b"LIST" + struct.pack("<I", 5) + b"INFOx\0"
    after = b"id3 " + struct.pack("<I", 4) + b"text"
    expected = pcm(run, toy_audio, "--from", "-", data=wav(None))
    assert pcm(run, toy_audio, "--from", "-", data=wav(None, extra=odd) + after) == expected


def test_an_rf64_stream_says_its_size(run: Run, toy_audio: Path) -> None:
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, 0, 48000, 24000, 0)
    stream = wav(0xFFFFFFFF).replace(b"RIFF", b"RF64").replace(b"WAVE", b"WAVE" + ds64) + b"id3 and so on"
    assert pcm(run, toy_audio, "--from", "-", data=stream) == pcm(run, toy_audio, "--from", "-", data=wav(None))


@pytest.mark.parametrize("kind", ["u8", "s16", "s24", "s32", "f32", "f64"])
def test_raw_samples_have_the_format_that_is_given(kind: str, run: Run, toy_audio: Path) -> None:
    source = f"-?rate=48000&channels=2&format={kind if kind == 'u8' else kind + 'le'}"
    expected = pcm(run, toy_audio, "--from", "-", data=wav(None, kind, channels=2))
    assert pcm(run, toy_audio, "--from", source, data=encode(np.repeat(SAMPLES, 2), kind)) == expected


@pytest.mark.parametrize(
    ("source", "data", "message"),
    [
        ("-", b"", "stdin: is empty"),
        ("-", wav(None)[:30], "stdin: the WAV stream ends in its header"),
        ("-", b"fLaC" + bytes(100), "stdin: is not a WAV stream; convert it"),
        (
            "-",
            wav(None).replace(b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\x06\0"),
            "format 6 with 16 bits cannot be read",
        ),
        ("-?channels=2", b"", "- needs the option rate"),
        ("-?rate=0", b"", "- : the option rate cannot be '0'".replace(" :", ":")),
        ("-?rate=16000&bits=16", b"", "- has no option 'bits'"),
        ("-?rate=16000", b"", "stdin: ends before its first sample"),
    ],
)
def test_a_pipe_that_does_not_fit_is_one_line(
    source: str, data: bytes, message: str, run: Run, work: Path, toy_audio: Path
) -> None:
    done = run("stream", "-v", toy_audio, "--from", source, "--to", "a.wav", input=data, text=False)
    done.stderr = done.stderr.decode()
    assert message in the_error(done)
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("source", ["/dev/stdin", "<(cat clip.wav)", "- < clip.wav", "- < clip.flac"])
def test_each_way_of_the_shell_gives_the_same(source: str, run: Run, work: Path, toy_audio: Path) -> None:
    (work / "clip.wav").write_bytes(wav(None))
    soundfile.write(work / "clip.flac", SAMPLES, 48000)  # stdin may be a file of any format, but a pipe is WAV
    line = f'cat clip.wav | "$0" -m vrnn_engine stream -v {toy_audio} --seed 1 --to - --from {source}'
    command = ["bash", "-c", line, sys.executable]
    done = subprocess.run(command, cwd=work, env=environment(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == pcm(run, toy_audio, "--from", "clip.flac" if "flac" in source else "clip.wav")


def test_priming_and_latents_read_a_pipe(run: Run, work: Path, toy_audio: Path) -> None:
    (work / "clip.wav").write_bytes(wav(None))
    expected = pcm(run, toy_audio, "--prime", "clip.wav", "-s", "0.2")
    assert pcm(run, toy_audio, "--prime", "-", "-s", "0.2", data=wav(0)) == expected
    tables = []
    for recording, given in (("clip.wav", {}), ("-", {"input": wav(0)})):
        done = run("latents", toy_audio, recording, "--json", text=False, **given)
        assert done.returncode == 0, done.stderr.decode()
        tables.append(json.loads(done.stdout)["kl"])
    assert tables[0] == tables[1]
    assert len(tables[0]) == 40


def make_ink(rate: int) -> bytes:
    """Return JSON lines of ink in cm, in strokes of five points and a last one that is not lifted."""
    lines = [
        {"dx": 0.01 * (i % 3), "dy": 0.02 - 0.01 * (i % 4), "pen_up": int(i % 5 == 4), "t": round(i / rate, 6)}
        for i in range(33)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in [{"unit": "cm"}, *lines])


def test_ink_is_piped_from_one_voice_to_another(run: Run, work: Path, toy_pen: Path) -> None:
    assert run("stream", "-v", toy_pen, "-s", "0.5", "--seed", "2", "--to", "ink.jsonl").returncode == 0
    ink = (work / "ink.jsonl").read_bytes()
    expected = pcm(run, toy_pen, "--from", "ink.jsonl", "--mode", "observe")
    assert pcm(run, toy_pen, "--from", "-", "--mode", "observe", data=ink) == expected
    assert expected.count(b"\n") == 50
    done = run("stream", "-v", toy_pen, "--from", "-", "--to", "a.jsonl", input='{"dx": 1}\n')
    assert "stdin: line 1: cannot be read as ink" in the_error(done)


@pytest.mark.parametrize("verb", ["--from", "--prime"])
@pytest.mark.parametrize("rate", [25, 30, 200])
def test_piped_ink_of_another_rate_and_unit_is_converted_as_from_a_file(
    verb: str, rate: int, run: Run, work: Path, toy_pen: Path
) -> None:
    ink = make_ink(rate)
    (work / "ink.jsonl").write_bytes(ink)
    more = ["--mode", "observe"] if verb == "--from" else ["-s", "0.5"]
    expected = pcm(run, toy_pen, verb, "ink.jsonl", *more)
    assert pcm(run, toy_pen, verb, "-", *more, data=ink) == expected
    if verb == "--from":
        assert expected.count(b"\n") != ink.count(b"\n") - 1
    else:
        done = run("stream", "-v", toy_pen, verb, "-", *more, "--to", "a.jsonl", input=ink.decode())
        assert f"cm to mm, {rate} to 100 points a second" in done.stderr


def test_piped_ink_whose_times_change_is_refused_in_one_line(run: Run, toy_pen: Path) -> None:
    ink = make_ink(25).replace(b'"t": 0.4}', b'"t": 0.41}').decode()
    done = run("stream", "-v", toy_pen, "--prime", "-", "-s", "1", "--to", "a.jsonl", input=ink)
    assert "stdin: begins at 25 points a second and then has other times" in the_error(done)


def test_a_voice_continues_ten_seconds_after_the_end_of_a_pipe(run: Run, toy_audio: Path) -> None:
    assert len(pcm(run, toy_audio, "--from", "-", "--mode", "continue", data=wav(0))) == 2 * 16000 * 10.5


def test_a_frame_is_played_before_the_next_one_arrives(toy_audio: Path) -> None:
    """A pipe may be live: nothing waits for a whole block."""
    command = [
        sys.executable,
        "-m",
        "vrnn_engine",
        "stream",
        "-v",
        str(toy_audio),
        "--to",
        "-",
        "--from",
        "-?rate=16000",
    ]
    running = subprocess.Popen(command, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, bufsize=0, env=environment())
    assert running.stdin is not None
    assert running.stdout is not None
    for _ in range(4):
        running.stdin.write(bytes(400))
        assert len(running.stdout.read(400)) == 400
    running.stdin.close()
    assert running.wait(60) == 0


def test_a_take_is_complete_when_a_pipe_that_gives_nothing_is_interrupted(toy_audio: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vrnn_engine", "stream", "-v", str(toy_audio), "--to", "take.wav", "--from", "-"]
    running = subprocess.Popen(command, stdin=-1, stderr=subprocess.PIPE, cwd=tmp_path, env=environment())
    assert running.stdin is not None
    assert running.stderr is not None
    running.stdin.write(wav(0))
    running.stdin.flush()
    assert b"listening" in running.stderr.readline()
    while not any(path.stat().st_size > 1000 for path in tmp_path.glob(".take*")):
        assert running.poll() is None
    running.terminate()
    assert running.wait(60) == 143
    assert len(soundfile.read(tmp_path / "take.wav")[0]) > 0
