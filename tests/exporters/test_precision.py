"""Reduced precision: rounding of weights, graphs in a voice, and the accuracy limits."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import helper, numpy_helper
from support import tiny_models
from support.command import Run
from support.exports import export_once
from support.graphs import MADE_UP
from support.recipes import speech_recipe

from vrnn_engine import Engine
from vrnn_engine.errors import ExportError, StreamError, VoiceError
from vrnn_engine.exporters.precision import accuracy
from vrnn_engine.exporters.precision.half import check_range
from vrnn_engine.exporters.precision.nbits import BLOCK, pack
from vrnn_engine.exporters.precision.quantise import quantise
from vrnn_engine.exporters.voice_writer import write_voice
from vrnn_engine.models import build_model
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.graph.provider import default_precision
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.training.checkpoint import Checkpoint, save_checkpoint

RNG = np.random.default_rng(0)


def linear(matrix, bias=None, transposed=True):
    """Return a graph of one product, x W^T + b."""
    given = [numpy_helper.from_array(matrix, "w")] + ([] if bias is None else [numpy_helper.from_array(bias, "b")])
    node = (
        helper.make_node("MatMul", ["x", "w"], ["y"])
        if bias is None
        else helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=int(transposed))
    )
    ends = [helper.make_tensor_value_info(name, 1, ["batch", None]) for name in "xy"]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], given)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(model, x):
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


@pytest.mark.parametrize("bits", [8, 4])
def test_packed_weights_are_within_half_a_step(bits):
    matrix = RNG.standard_normal((96, 70)).astype(np.float32)
    matrix[3] = 0
    values, scales = pack(matrix, bits)
    whole = values.astype(int)
    if bits == 4:
        whole = np.stack([whole & 15, whole >> 4], axis=-1).reshape(96, 3, BLOCK)
    back = ((whole - 2 ** (bits - 1)) * scales[..., None]).reshape(96, -1)
    assert not back[:, 70:].any()
    assert np.all(np.abs(back[:, :70] - matrix) <= 0.501 * np.repeat(scales, BLOCK, axis=1)[:, :70])


@pytest.mark.parametrize("bits", [16, 8, 4])
@pytest.mark.parametrize("kind", ["gemm", "gemm not transposed", "matmul"])
def test_a_quantised_product_is_close_to_the_product(bits, kind):
    matrix, bias = RNG.standard_normal((96, 80)).astype(np.float32), RNG.standard_normal(96).astype(np.float32)
    model = {
        "gemm": lambda: linear(matrix, bias),
        "gemm not transposed": lambda: linear(matrix.T.copy(), bias, transposed=False),
        "matmul": lambda: linear(matrix.T.copy()),
    }[kind]()
    x = RNG.standard_normal((5, 80)).astype(np.float32)
    reduced = quantise(model, bits)
    assert [node.op_type for node in reduced.graph.node if node.op_type != "Add"] == (
        ["Cast", model.graph.node[0].op_type, "Cast"] if bits == 16 else ["MatMulNBits"]
    )
    assert all(tensor.name != "w" for tensor in reduced.graph.initializer)
    expected, found = run(model, x), run(reduced, x)
    error = np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))
    assert {16: 1e-5, 8: 1e-4, 4: 1e-2}[bits] < error < {16: 1e-3, 8: 2e-2, 4: 0.2}[bits]
    alone = np.concatenate([run(reduced, row[None]) for row in x])
    assert np.array_equal(alone, found)


def test_exact_and_small_matrices_stay_in_fp32():
    matrix = RNG.standard_normal((96, 80)).astype(np.float32)
    assert quantise(linear(matrix), 8, exact=[matrix.T]) == linear(matrix)
    small = RNG.standard_normal((10, 10)).astype(np.float32)
    assert quantise(linear(small), 8) == linear(small)


@pytest.fixture
def small(monkeypatch):
    """Quantise also the small matrices of tiny models."""
    monkeypatch.setattr("vrnn_engine.exporters.precision.quantise.MIN_WEIGHTS", 64)


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    model = tiny_models.steps("mdct-gauss")
    signals = [matrix for matrix in model.model.buffers() if matrix.dim() == 2]
    folder = tmp_path_factory.mktemp("voices") / "several"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vrnn_engine.exporters.precision.quantise.MIN_WEIGHTS", 64)
        patch.setattr(accuracy, "MAX_BOUND", 0.2)  # random weights: the bound is off by thousands of nats
        return write_voice(model, "several", folder, MADE_UP, ("fp16", "int8"), signals)


def test_a_voice_contains_several_precisions(voice):
    half, eight = voice.deviations
    assert (half.precision, eight.precision) == ("fp16", "int8")
    assert 0 < half.frame < 0.002 < eight.frame < 0.15
    engines = [Engine.load(voice.voice, "cpu", precision=name) for name in (None, "fp16", "int8")]
    assert [engine.precision for engine in engines] == ["fp32", "fp16", "int8"]
    whole, *reduced = [engine.stream(1).read(2) for engine in engines]
    for frames, most in zip(reduced, (0.005, 0.1), strict=True):
        assert not np.array_equal(whole, frames)
        assert np.allclose(whole, frames, atol=most * np.abs(whole).max())
    with pytest.raises(VoiceError, match=r"no step graph in 'int4' \(it has step/fp32, .*, step/fp16, step/int8\)"):
        Engine.load(voice.voice, "cpu", precision="int4")


def test_verify_checks_every_precision(voice, monkeypatch):
    verify(voice.voice)
    monkeypatch.setattr("vrnn_engine.runtime.graph.parity.MAX_PRECISION_ERROR", 1e-6)
    with pytest.raises(VoiceError, match="frames in fp16 differ"):
        verify(voice.voice)


def test_a_snapshot_is_bound_to_its_precision(voice):
    whole, reduced = (Engine.load(voice.voice, "cpu", precision=name).stream(1) for name in ("fp32", "int8"))
    reduced.restore(reduced.snapshot())
    with pytest.raises(StreamError):
        reduced.restore(whole.snapshot())


def test_auto_falls_back_to_the_cpu_if_cuda_cannot_load_its_precision(voice, monkeypatch):
    class OnlyHalf(GraphSession):
        """A session that behaves as if CUDA loaded the fp32 graph and failed to load the fp16 graph."""

        def __init__(self, folder, graph, controls, device, options):
            super().__init__(folder, graph, controls, "cpu", options)
            if (device, graph.precision) == ("auto", "fp32"):
                self.provider = "CUDAExecutionProvider"

    monkeypatch.setattr("vrnn_engine.runtime.graph.voice_graphs.GraphSession", OnlyHalf)
    engine = Engine.load(voice.voice, "auto", threads=2)
    assert (engine.provider, engine.precision) == ("CPUExecutionProvider", "fp32")
    plain = Engine.load(voice.voice, "cpu").stream(1).read(3)
    assert np.array_equal(engine.stream(1).read(3), plain)


def test_each_provider_prefers_a_precision():
    carried = ("fp32", "int8", "fp16")
    assert default_precision("CUDAExecutionProvider", carried) == "fp16"
    assert default_precision("CUDAExecutionProvider", carried[:2]) == "fp32"
    assert default_precision("CPUExecutionProvider", carried) == "fp32"
    assert default_precision("CPUExecutionProvider", carried[::-1]) == "fp16"


@pytest.mark.slow
def test_fp16_shares_half_precision_weights_with_fp32(small, tmp_path):
    model = tiny_models.steps("pen-rnn-gmm")
    with torch.no_grad():
        for weight in model.model.parameters():
            weight.copy_((weight / 4).half().float())
    sizes = [
        (write_voice(model, "half", tmp_path / str(len(precisions)), MADE_UP, precisions).voice.path / "weights.bin")
        .stat()
        .st_size
        for precisions in ((), ("fp16",))
    ]
    assert sizes[0] == sizes[1]


def test_a_matrix_whose_rows_are_gathered_stays_in_fp32(small, tmp_path_factory):
    steps = tiny_models.steps("mdct-gmm")
    step = onnx.load(str(export_once("mdct-gmm", tmp_path_factory).path / "step.onnx"))
    whole = steps.model.output.head.both.weight.detach().numpy()
    kept = [numpy_helper.to_array(tensor) for tensor in quantise(step, 4).graph.initializer]
    assert [tensor.dtype for tensor in kept if tensor.shape == whole.shape] == [np.float32]


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_reduced_precision_streams_do_not_depend_on_their_batch(voice, precision):
    alone = Engine.load(voice.voice, "cpu", precision=precision).stream(3).read(20)
    engine = Engine.load(voice.voice, "cpu", rows=7, precision=precision)
    streams = [engine.stream(seed) for seed in range(7)]
    streams[0].controls["latent.temperature"] = 2.0
    assert np.array_equal(engine.read(20)[3], alone)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("MAX_PRECISION_ERROR", "int8: frames change by"),
        ("MAX_BOUND", "int8: the bound changes by"),
        ("MAX_LEVELS", "int8: the levels of a free-running stream change by"),
    ],
)
def test_a_precision_above_a_limit_is_refused_and_nothing_is_written(small, tmp_path, monkeypatch, limit, message):
    monkeypatch.setattr(accuracy, limit, 1e-9)
    with pytest.raises(ExportError, match=message):
        write_voice(tiny_models.steps("pen-gmm"), "far", tmp_path / "far", MADE_UP, ("int8",))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("x", "w", "beyond"), [(60000.0, 0.001, ""), (70000.0, 0.001, "input16"), (600.0, 2, "product16")]
)
def test_a_value_outside_half_precision_is_named(x, w, beyond):
    """An input, or the sum of 80 products.  onnxruntime's product on the CPU overflows in neither case."""
    half = quantise(linear(np.full((96, 80), w, np.float32), np.zeros(96, np.float32)), 16)
    given = {"x": np.full((3, 80), x, np.float32)}
    assert np.isfinite(run(half, given["x"])).all()
    if beyond:
        with pytest.raises(ExportError, match=rf"fp16: y.{beyond} exceeds the range of half precision, 65504"):
            check_range(half, given)
    else:
        check_range(half, given)


@pytest.mark.slow
def test_activations_outside_half_precision_are_refused(small, tmp_path, monkeypatch):
    """The decoder's hidden layer is scaled by 50000, and the next layer by its inverse: the frames stay the same."""
    monkeypatch.setattr(accuracy, "MAX_BOUND", 1.0)
    model = tiny_models.steps("samples-gauss")
    weights = dict(model.model.named_parameters())
    with torch.no_grad():
        for name, factor in (
            ("stack.rest.0.weight", 5e4),
            ("stack.rest.0.bias", 5e4),
            ("output.head.both.weight", 2e-5),
        ):
            weights[f"decoder.{name}"].mul_(factor)
    with pytest.raises(ExportError, match="exceeds the range of half precision"):
        write_voice(model, "wide", tmp_path / "wide", MADE_UP, ("fp16",))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(accuracy, "check_range", lambda *given: None)
    assert write_voice(model, "wide", tmp_path / "wide", MADE_UP, ("fp16",)).deviations[0].frame < 0.05


@pytest.mark.slow
def test_the_command_line_reports_the_deviations(run: Run, work):
    """The weights are small, as at the start of training."""
    torch.manual_seed(0)
    weights = build_model(speech_recipe().model).state_dict()
    kept = Checkpoint(speech_recipe(), weights, (0.0,), (0.1,), {}, "", {"update": torch.tensor(1)})
    save_checkpoint(kept, work / "kept.pt")
    done = run("export", "kept.pt", "--out", "reduced", "--precision", "int8", "--precision", "int4")
    assert done.returncode == 0, done.stderr
    assert "int8: frames change by" in done.stderr
    assert "int4: frames change by" in done.stderr
    streamed = run("stream", "--voice", "./reduced", "--precision", "int4", "-s", "0.1", "--to", "null")
    assert "CPUExecutionProvider, int4" in streamed.stderr
    assert run("export", "kept.pt", "--out", "odd", "--precision", "int3").returncode == 2
    assert "step (int8)" in run("voices", "show", "./reduced").stdout
