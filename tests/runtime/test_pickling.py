"""An engine can be pickled, so that a pool of processes can use it; a stream is sent as its snapshot."""

import copy
import multiprocessing
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support import toy_voice
from support.command import environment

from vrnn_engine import Engine, Performance, Player, Stream, StreamError, VoiceError


def take(engine: Engine, seed: int) -> np.ndarray:
    return engine.stream(seed).read(4)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_engine_is_loaded_again_as_it_was(toy_audio: Path, protocol: int) -> None:
    engine = Engine.load(toy_audio, "cpu", rows=3, threads=2, spinning=True)
    again = pickle.loads(pickle.dumps(engine, protocol))
    assert (again.voice, again.rows, again.precision, again.provider) == (engine.voice, 3, "fp32", engine.provider)
    graphs, known = again.stepper.graphs, engine.stepper.graphs
    assert (graphs.device, graphs.options) == (known.device, known.options) == ("cpu", known.options)
    assert again.fingerprint == engine.fingerprint
    np.testing.assert_array_equal(take(again, 5), take(engine, 5))


@pytest.mark.parametrize("voice", ["blizzard", "handwriting"])
def test_a_bundled_voice_is_pickled_by_its_name(voice: str) -> None:
    engine = Engine.load(voice, "cpu")
    data = pickle.dumps(engine)
    assert str(engine.voice.path.parent).encode() not in data
    assert len(data) < 500
    np.testing.assert_array_equal(take(pickle.loads(data), 5), take(engine, 5))


def test_streams_stay_with_the_engine_that_was_pickled(toy_audio: Path) -> None:
    engine = Engine.load(toy_audio, "cpu")
    stream = engine.stream(1)
    assert pickle.loads(pickle.dumps(engine)).streams == []
    assert copy.deepcopy(engine).streams == []
    assert engine.streams == [stream]


def test_a_voice_that_is_gone_is_named_when_the_pickle_is_read(tmp_path: Path) -> None:
    folder = toy_voice.build(tmp_path / "voice")
    data = pickle.dumps(Engine.load(folder, "cpu"))
    folder.rename(tmp_path / "moved")
    with pytest.raises(VoiceError, match="no such voice folder"):
        pickle.loads(data)


HOLDERS: dict[str, Callable[[Stream], object]] = {
    "stream": lambda stream: stream,
    "player": lambda stream: Player(stream, to="null"),
    "performance": Performance,
    "list": lambda stream: [stream],
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_stream_cannot_be_pickled_and_the_error_says_what_to_send(toy_audio: Path, holder: str) -> None:
    held = HOLDERS[holder](Engine.load(toy_audio, "cpu").stream(1))
    with pytest.raises(StreamError, match=r"pickle its engine and stream\.snapshot\(\)"):
        pickle.dumps(held)


def continued(engine: Engine, saved: bytes) -> np.ndarray:
    stream = engine.stream()
    stream.restore(saved)
    return stream.read(4)


@pytest.mark.parametrize("start", [one for one in multiprocessing.get_all_start_methods() if one != "fork"])
def test_a_pool_of_processes_reads_the_same_bits(toy_audio: Path, tmp_path: Path, start: str) -> None:
    """In a script of its own, whose main module the processes can import."""
    script = tmp_path / "pool.py"
    script.write_text(
        textwrap.dedent(f"""
            import multiprocessing
            from concurrent.futures import ProcessPoolExecutor
            from functools import partial
            import vrnn_engine as vrnn

            def take(engine, seed):
                return engine.stream(seed).read(4).tobytes()

            def continued(engine, saved):
                stream = engine.stream()
                stream.restore(saved)
                return stream.read(4).tobytes()

            if __name__ == "__main__":
                engine = vrnn.Engine.load({str(toy_audio)!r}, "cpu")
                stream = engine.stream(9)
                stream.read(3)
                context = multiprocessing.get_context({start!r})
                with ProcessPoolExecutor(2, mp_context=context) as pool:
                    assert list(pool.map(partial(take, engine), range(4))) == [take(engine, n) for n in range(4)]
                    there = pool.submit(continued, engine, stream.snapshot()).result()
                assert there == stream.read(4).tobytes()
                print("the same")
            """)
    )
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "the same\n", "")


def test_a_forked_pool_reads_the_same_bits(toy_audio: Path) -> None:
    engine = Engine.load(toy_audio, "cpu")
    stream = engine.stream(9)
    stream.read(3)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        np.testing.assert_array_equal(pool.submit(take, engine, 2).result(60), take(engine, 2))
        there = pool.submit(continued, engine, stream.snapshot()).result(60)
    np.testing.assert_array_equal(there, stream.read(4))
