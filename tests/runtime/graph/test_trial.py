"""A large voice from a stranger is tried in a process of its own, once, and refused if that takes too long."""

import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import helper, numpy_helper
from support import toy_voice
from support.command import Run, the_error

from vrnn_engine import Engine, VoiceError
from vrnn_engine.base.folders import cache_folder
from vrnn_engine.runtime.graph.install import install_voice
from vrnn_engine.runtime.graph.trial.process import require_trial
from vrnn_engine.runtime.voice.graph_file.check import SMALL_NODES
from vrnn_engine.runtime.voice.voice import Voice

node = helper.make_node


def behind(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Put nodes between the noise of the latent and the nodes that read it."""
    for one in graph.node:
        one.input[:] = [nodes[-1].output[0] if name == "noise.latent" else name for name in one.input]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])


def large(graph: onnx.GraphProto) -> None:
    """Add so many nodes that the graph is not small; each changes the sign, and their number is even."""
    count = SMALL_NODES + SMALL_NODES % 2
    behind(graph, [node("Neg", [f"n{at - 1}" if at else "noise.latent"], [f"n{at}"]) for at in range(count)])


def slow(graph: onnx.GraphProto) -> None:
    """9,900 nodes that onnxruntime moves past one another when it loads them, which takes about a minute."""
    graph.initializer.append(numpy_helper.from_array(onnx.numpy_helper.np.array([1]), "second"))
    nodes, last = [node("Unsqueeze", ["noise.latent", "second"], ["start"])], "start"
    for at in range(3300):
        nodes += [
            node("Transpose", [last], [f"t{at}"], perm=[0, 2, 1]),
            node("Concat", [f"t{at}", f"t{at}"], [f"c{at}"], axis=1),
            node("Split", [f"c{at}"], [f"s{at}", f"u{at}"], axis=1),
        ]
        last = f"s{at}"
    behind(graph, [*nodes, node("Squeeze", [last, "second"], ["end"])])


@pytest.fixture
def make(tmp_path: Path) -> Callable[[Callable[[onnx.GraphProto], None]], Path]:
    return lambda edit: toy_voice.build(tmp_path / "stranger", edit_step=edit)


@pytest.fixture
def no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process that is started end by SIGKILL."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nkill -9 $$\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


def test_a_voice_that_loads_too_slowly_is_refused(make) -> None:
    voice = Voice.open(make(slow))
    with pytest.raises(VoiceError) as caught:
        require_trial(voice, seconds=3)
    assert str(caught.value) == (
        f"{voice.path}: loading the voice and one step take more than 3 s; if you trust its author, set trust to 'size'"
    )
    assert not cache_folder("tried").exists()


@pytest.mark.parametrize("load", [lambda path: Engine.load(path, "cpu"), install_voice])
def test_a_large_voice_is_tried_once(make, no_python, monkeypatch, load) -> None:
    folder = make(large)
    with pytest.raises(VoiceError, match="end the process, by signal 9; if you trust its author"):
        load(folder)
    monkeypatch.undo()
    monkeypatch.setenv("VRNN_ENGINE_CACHE", str(folder.parent / "own cache"))
    monkeypatch.setenv("VRNN_ENGINE_VOICES", str(folder.parent / "own voices"))
    load(folder)
    assert len(list(cache_folder("tried").iterdir())) == 1
    monkeypatch.setattr(sys, "executable", str(folder.parent / "python"))
    assert Engine.load(folder, "cpu").stream(1).read(1).any()


@pytest.mark.parametrize("name", ["small", "trusted", "bundled"])
def test_no_process_is_started_for_a_small_a_trusted_or_a_bundled_voice(make, no_python, name) -> None:
    if name == "bundled":
        Engine.load("blizzard", "cpu")
    else:
        Engine.load(make((lambda graph: None) if name == "small" else large), "cpu", trust="size" * (name == "trusted"))
    assert not cache_folder("tried").exists()


def test_a_program_without_an_interpreter_tries_no_voice(make, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/false")
    Engine.load(make(large), "cpu")


def test_a_large_voice_plays_from_a_command_without_output_of_its_own(make, run: Run) -> None:
    done = run("stream", "--voice", make(large), "--seconds", 0.05, "--to", "null", "--device", "cpu")
    assert done.returncode == 0, done.stderr


def test_a_cache_that_cannot_be_written_is_no_obstacle(make, run: Run, tmp_path) -> None:
    (tmp_path / "file").touch()
    folder = make(large)
    done = run("voices", "verify", folder, env={"VRNN_ENGINE_CACHE": str(tmp_path / "file")})
    assert done.returncode == 0, the_error(done)
