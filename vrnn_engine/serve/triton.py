"""Writes a model repository from which NVIDIA Triton Inference Server serves a voice.

The graphs of a voice are what Triton's onnxruntime backend expects: they have a batch axis, and their states are pairs
of an input and an output. So a voice needs only a configuration (`config.pbtxt`), and neither torch nor onnx; its graph
is copied unchanged. The fields of the configuration are those of `model_config.proto` in
https://github.com/triton-inference-server/common.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from vrnn_engine.base.atomic_folder import atomic_folder
from vrnn_engine.base.file_errors import write_error
from vrnn_engine.errors import ExportError
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.graph.trial.process import require_trial
from vrnn_engine.runtime.voice.manifest import Graph, Manifest, Shape
from vrnn_engine.runtime.voice.voice import Voice
from vrnn_engine.serve.web.external_data import weights_of

ROWS = 64
"""Sequences that one step computes at most."""
CANDIDATES = 4
"""Sequences for each of these rows that an instance of the model serves by turns; further ones wait."""
QUEUE_MICROSECONDS = 1000
"""Time for which a step waits for the requests of further sequences. A frame of sound is due every 12,500."""
IDLE_MICROSECONDS = 30_000_000
"""Time without a request after which Triton forgets a sequence."""
MANIFEST = "voice.manifest"
"""Parameter of the model that holds the voice's manifest as JSON, which a client reads by `GetModelConfig`."""

_CONFIG = "config.pbtxt"
_VERSION = "1"
_GRAPH = "model.onnx"


def write_repository(voice: Voice, repository: Path, precision: str | None = None) -> Path:
    """Add a voice to a model repository.

    Parameters
    ----------
    voice : Voice
    repository : Path
        Folder of the repository. It is created if it does not exist; the other models in it stay.
    precision : str, optional
        Precision of the step graph; by default the first listed in the manifest.

    Returns
    -------
    Path
        The model's folder, `repository/NAME`, with `config.pbtxt` and `1/model.onnx`.

    Raises
    ------
    VoiceError
        The voice has no step graph of this precision, or onnxruntime cannot load it, or takes too long.
    ExportError
        The repository has a model of this name, or cannot be written.
    """
    folder, graph = repository / voice.name, voice.graph("step", precision)
    if folder.exists():
        raise ExportError(f"{folder}: this model exists already; remove it, or choose another repository")
    require_trial(voice)
    served = msgspec.structs.replace(graph, file=_GRAPH)
    try:
        with atomic_folder(folder) as making:
            version = making / _VERSION
            version.mkdir()
            shutil.copyfile(voice.path / graph.file, version / _GRAPH)
            for data in weights_of(voice, graph):
                (version / data).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(voice.path / data, version / data)
            GraphSession(
                version, served, voice.manifest.controls, "cpu"
            )  # the copy is complete, and float32 throughout
            (making / _CONFIG).write_text(model_config(voice.manifest, graph), "utf-8")
    except OSError as error:
        raise write_error(folder, error, ExportError) from None
    return folder


def model_config(manifest: Manifest, graph: Graph) -> str:
    """Return the configuration of a voice, `config.pbtxt`.

    Parameters
    ----------
    manifest : Manifest
    graph : Graph
        The step graph. All its inputs and outputs are float32.
    """
    states = {name: shape for name, shape in graph.inputs.items() if name.startswith("state.")}
    given = {name: shape for name, shape in graph.inputs.items() if name not in states}
    made = {name: shape for name, shape in graph.outputs.items() if not name.startswith("next.")}
    parameters = {
        # A step is too short to be divided among threads.
        "intra_op_thread_count": "1",
        MANIFEST: msgspec.json.encode(manifest).decode(),
    }
    parts = [
        f'name: {_quoted(manifest.name)}\nbackend: "onnxruntime"\nmax_batch_size: {ROWS}',
        *(_tensor("input", name, shape) for name, shape in given.items()),
        *(_tensor("output", name, shape) for name, shape in made.items()),
        _sequences(states),
        "# On each GPU, or on the CPU where there is none.\ninstance_group { kind: KIND_AUTO count: 1 }",
        *_parameters(parameters),
    ]
    return "\n".join(parts) + "\n"


def _sequences(states: Mapping[str, Shape]) -> str:
    """Return how requests of one sequence share a state, and how requests of different sequences share a step."""
    return f"""sequence_batching {{
  max_sequence_idle_microseconds: {IDLE_MICROSECONDS}
  oldest {{
    max_candidate_sequences: {CANDIDATES * ROWS}
    max_queue_delay_microseconds: {QUEUE_MICROSECONDS}
  }}
{"".join(_state(name, shape) for name, shape in states.items())}}}"""


def _state(name: str, shape: Shape) -> str:
    """Return a state that Triton keeps for each sequence: zero at its start, then what the step before has returned."""
    kind = f"data_type: TYPE_FP32 dims: {list(shape)}"
    return f"""  state {{
    input_name: {_quoted(name)} output_name: {_quoted(name.replace("state.", "next.", 1))} {kind}
    initial_state {{ name: {_quoted(name)} {kind} zero_data: true }}
  }}
"""


def _tensor(role: str, name: str, shape: Shape) -> str:
    """Return an input or output. Triton wants at least one axis besides that of the batch."""
    reshape = "" if shape else " reshape { shape: [ ] }"
    return f"{role} {{ name: {_quoted(name)} data_type: TYPE_FP32 dims: {list(shape) or [1]}{reshape} }}"


def _parameters(values: Mapping[str, str]) -> Iterator[str]:
    for name, value in values.items():
        yield f"parameters {{ key: {_quoted(name)} value {{ string_value: {_quoted(value)} }} }}"


def _quoted(text: str) -> str:
    """Return a string of protobuf's text format, which escapes what JSON escapes."""
    return json.dumps(text, ensure_ascii=False)
