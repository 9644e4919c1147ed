"""Threads: their number changes no bit, an engine starts no others, and denormals are flushed in each of them."""

import json
import os
import platform
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support import toy_voice

import vrnn_engine as vrnn

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["blizzard", "handwriting"])
@pytest.mark.parametrize("rows", [1, 3])
def test_threads_change_no_bit(name: str, rows: int) -> None:
    """The products of these voices are large enough for several threads, in the step and in the observe graph."""
    recording = vrnn.Engine.load(name, device="cpu").stream(99).read(20)

    def heard(threads: int) -> list[np.ndarray]:
        engine = vrnn.Engine.load(name, device="cpu", rows=rows, threads=threads)
        streams = [engine.stream(seed) for seed in range(rows)]
        for stream in streams:
            stream.prime(recording)
        return engine.read(80)

    for one_thread, two_threads in zip(heard(1), heard(2), strict=True):
        np.testing.assert_array_equal(one_thread, two_threads)


def count_threads() -> int:
    """Count the threads of this process, once those that are ending have ended."""
    counts = [-1]
    while len(counts) < 4 or len(set(counts[-3:])) > 1:
        time.sleep(0.02)
        counts.append(len(os.listdir("/proc/self/task")))
    return counts[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_sessions_use_the_given_number_of_threads(toy_audio: Path) -> None:
    """The number includes the caller's thread; threads spin only if that was asked for."""
    before = count_threads()
    for threads, spinning in ((1, False), (3, False), (3, True)):
        engine = vrnn.Engine.load(toy_audio, device="cpu", threads=threads, spinning=spinning)
        assert count_threads() == before + threads - 1
        used = engine.stepper.graphs.step.session.get_session_options()
        assert used.intra_op_num_threads == threads
        assert used.get_session_config_entry("session.intra_op.allow_spinning") == str(int(spinning))
        assert engine.stepper.graphs.observe.session.get_session_options().intra_op_num_threads == threads
        del engine, used


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2", None, 10**6])
def test_invalid_threads_are_refused(toy_audio: Path, threads: object) -> None:
    with pytest.raises(vrnn.ProviderError, match="give a whole number from 1 to 256"):
        vrnn.Engine.load(toy_audio, device="cpu", threads=threads)  # type: ignore[arg-type]


def _decay(graph: onnx.GraphProto) -> None:
    """Make the frame 1e37 times a state that starts at 1e-30 and is divided by 10 in each frame."""
    for name, value in (("tenth", 0.1), ("seed", 1e-30), ("big", 1e37)):
        graph.initializer.append(helper.make_tensor(name, TensorProto.FLOAT, [1], [value]))
    for node in graph.node:
        if node.output[0] in ("next.tail", "frame"):
            node.output[0] = {"next.tail": "unused", "frame": "sane"}[node.output[0]]
        for index, name in enumerate(node.input):
            if name == "frame":
                node.input[index] = "sane"
    node = helper.make_node
    graph.node.extend(
        [
            node("Mul", ["state.tail", "tenth"], ["less"]),
            node("Equal", ["state.tail", "zero"], ["fresh"]),
            node("Where", ["fresh", "seed", "less"], ["next.tail"]),
            node("ReduceMax", ["next.tail"], ["m"], axes=[1]),
            node("Mul", ["m", "big"], ["scaled"]),
            node("Mul", ["sane", "zero"], ["flat"]),
            node("Add", ["flat", "scaled"], ["frame"]),
        ]
    )


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="the engine flushes denormals itself only there"
)
def test_denormals_are_flushed_in_every_thread_and_nowhere_else(tmp_path: Path) -> None:
    """In a new process, because the first session of a process sets onnxruntime's own flag, which then stays.

    One thread is older than the session, one younger. 1e-38 is a denormal, so frame 8 is flushed to 0.
    """
    folder = toy_voice.build(tmp_path / "voice", edit_step=_decay)
    script = f"""
        import threading
        import numpy
        import vrnn_engine
        go, heard = threading.Event(), []

        def listen():
            go.wait()
            heard.append(engine.stream(1).read(20))

        old = threading.Thread(target=listen)
        old.start()
        engine = vrnn_engine.Engine.load({str(folder)!r}, device="cpu", rows=3)
        listening = [threading.Thread(target=listen), old]
        listening[0].start()
        go.set()
        for thread in listening:
            thread.join()
        listen()
        denormal = numpy.float32(1e-20) * numpy.float32(1e-20)
        print([[float(frame) for frame in block.reshape(20, 200)[:, 0]] for block in heard], float(denormal) > 0)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    blocks, host_keeps_denormals = done.stdout.strip().rsplit(" ", 1)
    first, second, third = json.loads(blocks)
    assert first[7] > 0
    assert first[8] == 0
    assert first == second == third
    assert host_keeps_denormals == "True"


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="the engine flushes denormals itself only there"
)
@pytest.mark.parametrize(
    "first", ["open_session(model, onnxruntime_options(), 'cpu')", "intermediate_bytes(model, onnxruntime_options())"]
)
def test_the_first_session_of_a_process_leaves_the_denormals_of_its_thread(first: str, toy_audio: Path) -> None:
    script = f"""
        import numpy
        from vrnn_engine.runtime.graph.memory import intermediate_bytes
        from vrnn_engine.runtime.graph.provider import open_session
        from vrnn_engine.runtime.graph.session import onnxruntime_options
        model = {str(toy_audio / "step.onnx")!r}
        {first}
        print(float(numpy.float32(1e-20) * numpy.float32(1e-20)) > 0)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout.strip(), done.returncode) == ("True", 0), done.stderr
