"""A large voice from a stranger is tried in a process of its own, once, and refused if that takes too long."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper, numpy_helper
from support import toy_voice
from support.command import ROOT, Run, the_error

from vrnn_engine import Engine, VoiceError
from vrnn_engine.base.folders import cache_folder
from vrnn_engine.runtime.graph.install import install_voice
from vrnn_engine.runtime.graph.ort import ort
from vrnn_engine.runtime.graph.trial.process import MEMORY_FACTOR, require_trial
from vrnn_engine.runtime.voice.graph_file.check import SMALL_NODES
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.serve.triton import write_repository

node = helper.make_node


def behind(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Put nodes between the noise of the latent and the nodes that read it."""
    for one in graph.node:
        one.input[:] = [nodes[-1].output[0] if name == "noise.latent" else name for name in one.input]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])


def large(graph: onnx.GraphProto) -> None:
    """Make a graph too large to be small, with the same results: an even number of changes of sign."""
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
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path, "kill -9 $$"))


def interpreter(folder: Path, line: str) -> str:
    """Write a shell script in place of Python, and return its path."""
    script = folder / "python"
    script.write_text(f"#!/bin/sh\n{line}\n")
    script.chmod(0o755)
    return str(script)


def observe_first(manifest: dict[str, Any]) -> None:
    """List the observe graph before the step graph, with an output that it does not have."""
    manifest["graphs"].sort(key=lambda graph: graph["role"])
    manifest["graphs"][0]["outputs"]["latent.other"] = [1]


@pytest.mark.parametrize("change", [lambda manifest: None, observe_first])
def test_a_voice_that_loads_too_slowly_is_refused(make, change) -> None:
    folder = make(slow)
    toy_voice.change(folder, change)
    voice = Voice.open(folder)
    with pytest.raises(VoiceError) as caught:
        require_trial(voice, seconds=3)
    assert str(caught.value) == (
        f"{voice.path}: loading the voice and one step take more than 3 s; if you trust its author, set trust to 'size'"
    )
    assert not cache_folder("tried").exists()


def test_a_voice_that_takes_too_much_memory_is_refused(make) -> None:
    voice = Voice.open(make(large))
    (voice.path / "unlisted.bin").write_bytes(bytes(1 << 20))  # it is not read, and gives no room
    files = [voice.path / name for name in voice.manifest.files if not name.endswith(".md")]
    most = (1 << 20) + MEMORY_FACTOR * sum(path.stat().st_size for path in files)
    with pytest.raises(VoiceError) as caught:
        require_trial(voice, spare=1 << 20)  # less than Python takes
    assert str(caught.value) == (
        f"{voice.path}: loading the voice and one step take more than {most >> 20} MiB of memory; "
        "if you trust its author, set trust to 'size'"
    )
    assert not cache_folder("tried").exists()


def triton(folder: Path) -> Path:
    return write_repository(Voice.open(folder), folder.parent / "models")


@pytest.mark.parametrize("load", [lambda path: Engine.load(path, "cpu"), install_voice, triton])
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


def test_only_trust_in_the_size_omits_the_trial(make, no_python) -> None:
    folder = make(large)
    with pytest.raises(VoiceError, match="end the process"):
        Engine.load(folder, "cpu", trust="operators")
    Engine.load(folder, "cpu", trust="operators,size")


def test_a_graph_with_an_operator_of_unknown_size_is_tried(make) -> None:
    folder = make(lambda graph: graph.node.insert(0, node("Dropout", ["noise.output"], ["own"])))
    assert Voice.open(folder, "operators").needs_trial
    assert not Voice.open(folder, "operators,size").needs_trial


def test_a_status_of_a_crash_refuses_the_voice(make, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path, "exit 137"))
    with pytest.raises(VoiceError, match="one step end the process, with status 137; if you trust its author"):
        Engine.load(make(large), "cpu")


def test_a_process_that_cannot_start_python_is_warned_of_and_the_voice_plays(
    make, tmp_path, monkeypatch, logged
) -> None:
    python = interpreter(tmp_path, "exit 1")
    monkeypatch.setattr(sys, "executable", python)
    folder = make(large)
    assert Engine.load(folder, "cpu").stream(1).read(1).any()
    assert logged == [
        f"{folder}: loaded without a trial, because the process for it could not start (status 1); check that {python} "
        "works"
    ]
    assert not cache_folder("tried").exists()


def test_a_missing_interpreter_refuses_the_voice_in_one_line(make, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    folder = make(large)
    with pytest.raises(VoiceError) as caught:
        Engine.load(folder, "cpu")
    assert str(caught.value) == (
        f"{folder}: loading the voice and one step cannot be tried in a process of their own: [Errno 2] No such file "
        f"or directory: '{tmp_path / 'python'}'; if you trust its author, set trust to 'size'"
    )


def test_a_current_folder_that_is_gone_refuses_the_voice_in_one_line(make, tmp_path, monkeypatch) -> None:
    voice = Voice.open(make(large))
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    monkeypatch.syspath_prepend("")
    (tmp_path / "gone").rmdir()
    with pytest.raises(VoiceError, match="No such file or directory; if you trust its author, set trust to 'size'"):
        require_trial(voice)


def test_a_manifest_that_is_gone_refuses_the_voice_in_one_line(make) -> None:
    voice = Voice.open(make(large))
    (voice.path / "voice.json").unlink()
    with pytest.raises(VoiceError, match=r"No such file or directory: .*voice\.json'; if you trust its author"):
        require_trial(voice)


def test_entries_of_the_import_path_that_are_no_strings_are_skipped(make, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "path", [tmp_path, *sys.path])
    require_trial(Voice.open(make(large)))
    assert len(list(cache_folder("tried").iterdir())) == 1


def test_another_version_of_onnxruntime_tries_a_voice_again(make, monkeypatch) -> None:
    voice = Voice.open(make(large))
    require_trial(voice)
    monkeypatch.setattr(ort, "__version__", "1.0.0")
    require_trial(voice)
    assert len(list(cache_folder("tried").iterdir())) == 2


def test_a_program_without_an_interpreter_tries_no_voice(make, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/false")
    Engine.load(make(large), "cpu")


def test_a_large_voice_plays_from_a_command_without_output_of_its_own(make, run: Run, tmp_path) -> None:
    (tmp_path / "site").mkdir()
    noisy = interpreter(tmp_path / "site", f'echo a child; echo a child >&2; exec {shlex.quote(sys.executable)} "$@"')
    (tmp_path / "site" / "sitecustomize.py").write_text(f"import sys; sys.executable = {noisy!r}")
    path = {"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}"}
    done = run("stream", "--voice", make(large), "--seconds", 0.05, "--to", "null", "--device", "cpu", env=path)
    assert done.returncode == 0, done.stderr
    assert len(list(cache_folder("tried").iterdir())) == 1
    assert done.stdout == ""
    assert "a child" not in done.stderr
    assert len(done.stderr.splitlines()) == 2  # what is played, and how fast


def test_a_cache_that_cannot_be_written_is_no_obstacle(make, run: Run, tmp_path) -> None:
    (tmp_path / "file").touch()
    folder = make(large)
    done = run("voices", "verify", folder, env={"VRNN_ENGINE_CACHE": str(tmp_path / "file")})
    assert done.returncode == 0, the_error(done)
