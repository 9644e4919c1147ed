"""A script that ends while something still plays or reads: it exits as it should, and its takes are whole."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import soundfile
from support.command import environment

TIMES = 3
"""How often each script runs: whether a thread is in native code at the end is a matter of chance."""


def end(code: str, folder: Path, expected: int = 0) -> str:
    """Run a script; return what it printed on stdout. It must print nothing on stderr."""
    script = "import atexit, sys, threading, time\n" + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == expected, done.stderr
    assert done.stderr == ""
    return done.stdout


PLAY = """
atexit.register(lambda: print(stream.frame))  # the last thing that happens
import vrnn_engine as vrnn
stream = vrnn.Engine.load({voice!r}, device="cpu").stream(seed=1)
player = vrnn.Player(stream, to={to!r}).__enter__()
while player.seconds_played < 0.5:
    time.sleep(0.01)
"""


@pytest.mark.parametrize("name", ["take.wav", "take.flac", "take.jsonl"])
def test_a_player_that_is_never_left_finishes_its_take(tmp_path: Path, name: str) -> None:
    for _ in range(TIMES):
        frames = int(end(PLAY.format(voice="blizzard", to=name), tmp_path))
        assert frames >= 40
        assert [path.name for path in tmp_path.iterdir()] == [name]
        if name.endswith(".jsonl"):
            assert len((tmp_path / name).read_text().splitlines()) == frames
        else:
            assert soundfile.info(tmp_path / name).frames == frames * 200


@pytest.mark.parametrize("name", ["page.svg", "page.hpgl", "page.gcode", "page.jsonl"])
def test_a_player_that_is_never_left_finishes_its_page(tmp_path: Path, name: str) -> None:
    end(PLAY.format(voice="handwriting", to=name), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {name}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("ending", "code"), [("sys.exit(3)", 3), ("raise SystemExit(0)", 0)])
def test_the_exit_code_of_a_script_stays(tmp_path: Path, ending: str, code: int) -> None:
    end(PLAY.format(voice="blizzard", to="take.wav") + ending, tmp_path, code)
    assert [path.name for path in tmp_path.iterdir()] == ["take.wav"]


def test_an_error_of_a_script_leaves_a_whole_take(tmp_path: Path) -> None:
    script = "import atexit, time\n" + PLAY.format(voice="blizzard", to="take.wav") + "raise KeyError('mine')"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith(b"KeyError: 'mine'")
    assert soundfile.info(tmp_path / "take.wav").frames == int(done.stdout) * 200


def test_a_player_that_cannot_finish_at_the_end_is_warned_of(tmp_path: Path) -> None:
    code = """
    import atexit, threading, time
    import vrnn_engine as vrnn
    class Stuck:
        label, patience, writing = "a wall", 0.1, threading.Event()
        def open(self, format): pass
        def write(self, block): self.writing.set(); time.sleep(60)
        def close(self): pass
    vrnn.Player(vrnn.Engine.load("handwriting", device="cpu").stream(), to=Stuck()).__enter__()
    Stuck.writing.wait()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "stopped at the end of the process: " in done.stderr
    assert "a wall did not finish within 0.1 s of the stop" in done.stderr
    assert "Traceback" not in done.stderr


LOOPS = {
    "stream.blocks": "for block in stream.blocks(8): begun.set()",
    "stream.read of a long block": "begun.set(); stream.read(10**6)",
    "engine.read": "while True: engine.read(8); begun.set()",
    "stream.prime": "while True: begun.set(); stream.prime(numpy.zeros(16000, 'f'))",
    "resampling": "while True: begun.set(); read_recording(long, engine.voice.manifest, rate=44100)",
    "a corpus": "while True: begun.set(); read_mono(path, 16000)",
    "a resampler between two blocks": "it = sample_blocks(path, 16000); next(it); begun.set(); time.sleep(60)",
    "Engine.load": "while True: begun.set(); vrnn.Engine.load('blizzard', device='cpu')",
}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_daemon_thread_that_computes_does_not_abort_the_process(tmp_path: Path, loop: str) -> None:
    code = f"""
    import numpy
    import vrnn_engine as vrnn
    from pathlib import Path
    import soundfile
    from vrnn_engine.data.recordings import sample_blocks, read_mono
    from vrnn_engine.runtime.recording import read_recording
    engine = vrnn.Engine.load("blizzard", device="cpu")
    stream, begun, long = engine.stream(seed=1), threading.Event(), numpy.zeros(44100 * 20, "f")
    path = Path("long.wav")
    soundfile.write(path, long, 44100)
    def work():
        {LOOPS[loop]}
    threading.Thread(target=work, daemon=True).start()
    begun.wait()
    time.sleep(0.1)
    """
    for _ in range(TIMES):
        end(code, tmp_path)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_at_exit_may_still_read(tmp_path: Path, when: str) -> None:
    """Whether it was registered before the engine was imported or after."""
    register = "atexit.register(lambda: print(stream.read(3).shape))"
    load = "import vrnn_engine as vrnn; stream = vrnn.Engine.load('blizzard', device='cpu').stream()"
    lines = [register, load] if when == "before" else [load, register]
    thread = "threading.Thread(target=lambda: [None for _ in vrnn.Engine.load('blizzard', 'cpu').stream().blocks(1)], "
    assert end("\n".join([*lines, thread + "daemon=True).start()"]), tmp_path) == "(600,)\n"


def test_a_forked_child_ends_while_a_thread_of_its_parent_computes(tmp_path: Path) -> None:
    # Python 3.12 and later warn of each fork beside threads.
    code = """
    import os, warnings
    import vrnn_engine as vrnn
    warnings.simplefilter("ignore", DeprecationWarning)
    stream, begun = vrnn.Engine.load("blizzard", device="cpu").stream(), threading.Event()
    def work():
        for block in stream.blocks(8): begun.set()
    threading.Thread(target=work, daemon=True).start()
    begun.wait()
    child = os.fork()
    if child == 0:
        sys.exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert end(code, tmp_path) == "7\n"
