"""Stands in for NVIDIA Triton, which the tests do not have: reads a model repository as its sources do.

The checks are those of `model_config_utils.cc` and `sequence_batch_scheduler.cc` of triton-inference-server/core, and
of `onnxruntime.cc` of triton-inference-server/onnxruntime_backend. They do not replace a run on Triton itself.
"""

from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnxruntime as ort
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as proto
from tritonclient.grpc import service_pb2, service_pb2_grpc

TYPES = {proto.TYPE_FP32: "tensor(float)", proto.TYPE_INT64: "tensor(int64)"}
Arrays = dict[str, np.ndarray]


class Model:
    """A model of a repository, and the states of its sequences.

    Parameters
    ----------
    folder : Path
        The model's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.config = text_format.Parse((folder / "config.pbtxt").read_text(), proto.ModelConfig())
        options = ort.SessionOptions()
        options.intra_op_num_threads = int(self.config.parameters["intra_op_thread_count"].string_value)
        self.session = ort.InferenceSession(folder / "1" / "model.onnx", options, ["CPUExecutionProvider"])
        check(folder, self.config, self.session)
        self._pairs = {state.input_name: state for state in self.config.sequence_batching.state}
        self._states: dict[int, Arrays] = {}

    def step(self, requests: Mapping[int, Arrays], starts: set[int], ends: set[int]) -> dict[int, Arrays]:
        """Compute one batch, of one request of each sequence.

        Parameters
        ----------
        requests : mapping of int to dict of str to array [1, ...]
            The inputs, by correlation ID.
        starts, ends : set of int
            Correlation IDs of the sequences that start or end with this request.

        Returns
        -------
        dict of int to dict of str to array [1, ...]
            The outputs that the configuration lists, in the shapes that it states.
        """
        assert 0 < len(requests) <= self.config.max_batch_size
        for sequence, inputs in requests.items():
            assert set(inputs) == {one.name for one in self.config.input}, "all inputs are required"
            assert (sequence in self._states) != (sequence in starts), "the first request of a sequence says so"
            if sequence in starts:
                self._states[sequence] = self._zeros()
        full = [requests[sequence] | self._states[sequence] for sequence in requests]
        found = dict(
            zip(
                [output.name for output in self.session.get_outputs()],
                self.session.run(None, {name: np.concatenate([one[name] for one in full]) for name in full[0]}),
                strict=True,
            )
        )
        for row, sequence in enumerate(requests):
            self._states[sequence] = {
                name: found[state.output_name][row : row + 1] for name, state in self._pairs.items()
            }
            if sequence in ends:
                del self._states[sequence]
        return {
            sequence: {one.name: found[one.name][row].reshape(1, *one.dims) for one in self.config.output}
            for row, sequence in enumerate(requests)
        }

    def _zeros(self) -> Arrays:
        return {name: np.zeros((1, *state.initial_state[0].dims), np.float32) for name, state in self._pairs.items()}


def check(folder: Path, config: Any, session: ort.InferenceSession) -> None:
    """Fail where Triton would refuse the model."""
    assert config.name == folder.name
    assert config.backend == "onnxruntime"
    assert config.max_batch_size > 0
    states = config.sequence_batching.state
    inputs = {one.name: one for one in session.get_inputs()}
    outputs = {one.name: one for one in session.get_outputs()}
    assert len(inputs) == len(config.input) + len(states) + len(config.sequence_batching.control_input)
    for described, found in ((config.input, inputs), (config.output, outputs)):
        for one in described:
            assert not getattr(one, "optional", False), "a model with batches has no optional inputs"
            assert one.dims, "there must be an axis besides that of the batch"
            assert all(dim > 0 for dim in one.dims)
            shape = list(one.reshape.shape) if one.HasField("reshape") else list(one.dims)
            assert np.prod(shape) == np.prod(one.dims)
            _check_tensor(found[one.name], one.data_type, shape)
    for state in states:
        (initial,) = state.initial_state
        assert initial.name
        assert initial.zero_data
        assert (initial.data_type, list(initial.dims)) == (state.data_type, list(state.dims))
        _check_tensor(inputs[state.input_name], state.data_type, list(state.dims))
        _check_tensor(outputs[state.output_name], state.data_type, list(state.dims))
    assert len({state.input_name for state in states}) == len(states)
    assert len({state.output_name for state in states}) == len(states)
    oldest = config.sequence_batching.oldest
    assert oldest.max_candidate_sequences >= config.max_batch_size


def _check_tensor(found: Any, data_type: int, shape: list[int]) -> None:
    """Fail if the graph has another type or shape, or no dynamic batch."""
    assert found.type == TYPES[data_type], found.name
    assert isinstance(found.shape[0], str), found.name
    assert found.shape[1:] == shape, found.name


class _Service(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """The two calls of Triton's protocol that a client of a stream needs; each request is a step of its own."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802 - a name of the protocol
        assert request.name == self._model.config.name
        return service_pb2.ModelConfigResponse(config=self._model.config)

    def ModelStreamInfer(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:  # noqa: N802 - see above
        for request in requests:
            contents = zip(request.inputs, request.raw_input_contents, strict=True)
            inputs = {one.name: np.frombuffer(raw, np.float32).reshape(one.shape) for one, raw in contents}
            sequence = request.parameters["sequence_id"].int64_param
            starts = {sequence} if request.parameters["sequence_start"].bool_param else set()
            ends = {sequence} if request.parameters["sequence_end"].bool_param else set()
            found = self._model.step({sequence: inputs}, starts, ends)[sequence]
            asked = [output.name for output in request.outputs]
            answer = service_pb2.ModelInferResponse(model_name=request.model_name, id=request.id)
            for name in asked:
                answer.outputs.add(name=name, datatype="FP32", shape=found[name].shape)
                answer.raw_output_contents.append(found[name].tobytes())
            yield service_pb2.ModelStreamInferResponse(infer_response=answer)


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Yield the address at which a model is served by Triton's gRPC protocol."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(_Service(Model(folder)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
