"""Exported voices: parity with PyTorch, state feedback, independence of rows, and refusal of wrong graphs."""

import copy
import json

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from support import tiny_models
from support.exports import export_once
from support.graphs import MADE_UP, TOLERANCE, difference, inputs_for, run, sessions

from vrnn_engine import Engine, Voice
from vrnn_engine.errors import CheckpointError, ControlError, ExportError
from vrnn_engine.exporters import voice_writer
from vrnn_engine.exporters.controls import fitting, with_defaults
from vrnn_engine.exporters.export import export
from vrnn_engine.exporters.protocol import functions_of
from vrnn_engine.exporters.reference import CARRIED_FRAMES
from vrnn_engine.exporters.voice_writer import write_voice
from vrnn_engine.runtime.graph.parity import verify
from vrnn_engine.runtime.voice.manifest import Control
from vrnn_engine.training.checkpoint import Checkpoint
from vrnn_engine.training.command import training_command
from vrnn_engine.training.plan.adapt import full
from vrnn_engine.training.recipe import load_recipe, recipe_fields, recipe_from

FRAMES = 20


@pytest.fixture(scope="module", params=tiny_models.KINDS)
def exported(request, tmp_path_factory):
    """Return a step model and the voice exported from it."""
    return tiny_models.steps(request.param), export_once(request.param, tmp_path_factory)


def imitates(model):
    """Return whether a model can imitate a sound: it makes sound, and has latents."""
    return model.modality == "audio" and model.model.config.latent_size > 0


def defaults_of(model):
    """Return the defaults of a model's controls, for one row."""
    return {c.name: np.full((1, *c.shape), c.default, np.float32) for c in model.controls}


def generate(step, defaults, rng, frames):
    """Yield the noise of each of some frames, the state after it, and the outputs of its step."""
    state = step.zero_state()
    for _ in range(frames):
        noise = {name: rng.standard_normal((1, *shape)).astype(np.float32) for name, shape in step.noise.items()}
        state, outputs = step.run(state, noise, defaults)
        yield noise, state, outputs


def held_at(controls, latent):
    """Return controls that hold z at a value, if the model has latents."""
    return controls if latent is None else controls | {"latent.hold": np.ones_like(latent), "latent.target": latent}


@pytest.mark.parametrize("rows", [1, 5])
def test_graphs_agree_with_pytorch(exported, rows):
    model, voice = exported
    rng = np.random.default_rng(0)
    functions = functions_of(model)
    for session, (function, shapes) in zip(sessions(voice, functions), functions.values(), strict=True):
        for _ in range(5):
            values = inputs_for(shapes, rows, rng)
            with torch.no_grad():
                expected = function({name: torch.from_numpy(value) for name, value in values.items()})
            found = run(session, values)
            assert set(found) == set(expected)
            for name, value in expected.items():
                assert difference(found[name], value.numpy()) < TOLERANCE, name


def test_unroll_step_and_observe_graph_agree_on_one_recording(exported):
    """Compare the teacher-forced unroll, the PyTorch step and the ONNX step, frame by frame."""
    model, voice = exported
    rng = np.random.default_rng(1)
    frames = inputs_for({"frame": (model.frame_size,)}, FRAMES, rng)["frame"]
    noise = rng.standard_normal((FRAMES, model.model.config.latent_size)).astype(np.float32)
    mdct = model.basis == "mdct"
    normalised = model.normalise(torch.from_numpy(frames))
    with torch.no_grad():
        # A stream begins with silence; the first block of an MDCT stream completes no frame.
        silence = torch.zeros(0 if mdct else model.model.basis.context, model.frame_size)
        inside = model.model.basis.frames(torch.cat([silence, normalised]))
        unroll = model.model.unroll(inside[:, None], torch.from_numpy(noise[int(mdct) :])[:, None])
    latent_outputs = (
        ("posterior.mean", unroll.posterior.mean),
        ("posterior.std", unroll.posterior.std),
        ("prior.mean", unroll.prior.mean),
        ("prior.std", unroll.prior.std),
        ("latent", unroll.latent),
        ("kl", unroll.kl),
    )
    session = sessions(voice)[1]
    state = session.zero_state()
    defaults = defaults_of(model)
    for t in range(FRAMES):
        at = t - int(mdct)  # the first block completes no frame
        if at >= 0:
            assert difference(state["h"], unroll.old.h[at].numpy()) < TOLERANCE
        state, found = session.run(state, {"latent": noise[t : t + 1]}, defaults, frames[t : t + 1])
        if at < 0:
            assert found["log_likelihood"] == 0
            assert found.get("kl", 0) == 0
            assert not state["h"].any()
            continue
        for name, value in (
            ("log_likelihood", unroll.log_likelihood),
            *(latent_outputs if model.model.config.latent_size else ()),
        ):
            assert difference(found[name], value[at].numpy()) < TOLERANCE, name
    assert difference(state["h"], unroll.state.h.numpy()) < TOLERANCE
    assert difference(state["c"], unroll.state.c.numpy()) < TOLERANCE


def test_generated_frames_fed_back_reproduce_the_state(exported):
    model, voice = exported
    step, observe = sessions(voice)
    defaults, made = defaults_of(model), []
    for _, state, outputs in generate(step, defaults, np.random.default_rng(2), FRAMES):
        made.append((outputs["frame"], outputs.get("latent"), state["h"], state["c"]))
    late = int(model.basis == "mdct")
    state = observe.zero_state()
    noise = {name: np.zeros((1, *shape), np.float32) for name, shape in observe.noise.items()}
    for t in range(FRAMES):
        same_z = made[t - late][1] if t >= late else made[0][1]
        state, _ = observe.run(state, noise, held_at(defaults, same_z), made[t][0])
        if t >= late:
            assert difference(state["h"], made[t - late][2]) < TOLERANCE
            assert difference(state["c"], made[t - late][3]) < TOLERANCE


def test_a_voice_imitates_its_own_sound_exactly(exported):
    """With the latents and the noise of that sound, since it then continues the same sound."""
    model, voice = exported
    if not imitates(model):
        pytest.skip("it cannot imitate a sound")
    step, imitate = sessions(voice, ("step", "resynthesise"))
    defaults, made = defaults_of(model), []
    for noise, _, outputs in generate(step, defaults, np.random.default_rng(2), FRAMES):
        made.append((outputs["frame"], outputs["latent"], noise))
    late = int(model.basis == "mdct")  # the first block completes no frame
    state = imitate.zero_state()
    for t in range(FRAMES):
        _, latent, noise = made[max(t - late, 0)]
        following, outputs = imitate.run(state, noise, held_at(defaults, latent), made[t][0])
        if t < late:
            following |= {name: state[name] for name in following if name.startswith("own.")}  # nothing is said yet
        else:
            assert difference(outputs["own.frame"], made[t - late][0]) < TOLERANCE
        state = following


def test_observing_continues_after_generating(exported):
    """After any sequence of generating and observing, the recurrence has read each frame once."""
    model, voice = exported
    step, observe = sessions(voice)
    defaults = defaults_of(model)
    zeros = {name: np.zeros((1, *shape), np.float32) for name, shape in step.noise.items()}
    blocks, latents, h = [], [], []
    for _, state, outputs in generate(step, defaults, np.random.default_rng(3), 8):
        blocks.append(outputs["frame"])
        latents.append(outputs.get("latent"))
        h.append(state["h"])
        if len(h) == 4:
            middle = state
    late = int(model.basis == "mdct")
    state = middle
    for t in range(4, 8):
        state, _ = observe.run(state, zeros, held_at(defaults, latents[t - late]), blocks[t])
        assert difference(state["h"], h[t - late]) < TOLERANCE


def test_a_voice_streams_with_controls_and_priming(exported):
    model, voice = exported
    stream = Engine.load(voice, "cpu").stream(3)
    assert ("latent.temperature" in stream.controls) == bool(model.model.config.latent_size)
    plain = stream.read(8)
    steered = Engine.load(voice, "cpu").stream(3)
    steered.controls["output.temperature"] = 0.1
    assert not np.array_equal(steered.read(8), plain)
    rng = np.random.default_rng(5)
    frames = inputs_for({"frame": (model.frame_size,)}, FRAMES, rng)["frame"]
    seen = stream.prime(frames if model.modality == "pen" else frames.ravel())
    assert seen.latents.shape == seen.posterior_mean.shape == (FRAMES, model.model.config.latent_size)
    assert seen.kl.shape == seen.log_likelihood.shape == (FRAMES,)
    assert seen.log_likelihood[1:].all()
    assert bool(seen.kl[1:].all()) == bool(model.model.config.latent_size)
    assert np.isfinite(stream.read(8)).all()


def test_rows_of_a_batch_are_independent_bit_for_bit(exported):
    model, voice = exported
    step = sessions(voice)[0]
    rng = np.random.default_rng(4)
    values = inputs_for(model.step_inputs(), 33, rng)
    together = run(step, values)
    for rows in ([0], [32], [7, 31], list(range(5, 18))):
        alone = run(step, {name: value[rows] for name, value in values.items()})
        for name, value in alone.items():
            assert np.array_equal(value, together[name][rows]), (name, rows)


def test_a_stream_does_not_depend_on_its_batch(exported):
    voice = exported[1]
    alone = [Engine.load(voice, "cpu").stream(seed).read(21) for seed in range(5)]
    engine = Engine.load(voice, "cpu", rows=5)
    streams = [engine.stream(seed) for seed in range(5)]
    first = engine.read(7)
    rest = [engine.read(14, streams[:3]), engine.read(14, streams[3:])]
    for row, expected in enumerate(alone):
        assert np.array_equal(np.concatenate([first[row], (rest[0] + rest[1])[row]]), expected)


def test_graphs_share_their_weights_and_contain_no_paths(exported):
    model, voice = exported
    files = {path.name: path for path in voice.path.iterdir()}
    roles = ("step", "observe", "resynthesise") if imitates(model) else ("step", "observe")
    assert set(files) == {"voice.json", "CARD.md", "parity.npz", "weights.bin", *(f"{role}.onnx" for role in roles)}
    sizes = {}
    for role in roles:
        graph = onnx.load(str(files[f"{role}.onnx"])).graph
        sizes[role] = sum(numpy_helper.to_array(tensor).nbytes for tensor in graph.initializer)
        text = files[f"{role}.onnx"].read_bytes()
        assert b".py" not in text
        assert b"/" not in text.replace(b"onnx/", b"") or b"site-packages" not in text
    pages = 4096 * sum(len(onnx.load(str(files[f"{r}.onnx"])).graph.initializer) for r in sizes)
    assert files["weights.bin"].stat().st_size <= sum(sizes.values()) + pages


def test_the_gates_are_one_product_in_all_graphs_and_stored_once(exported):
    model, voice = exported
    recurrence = model.model.recurrence
    parts = [part.weight for part in (recurrence.from_x, recurrence.from_z, recurrence.from_h) if part is not None]
    places = []
    for role in functions_of(model):
        graph = onnx.load(str(voice.path / f"{role}.onnx"), load_external_data=False).graph
        sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
        products = [sizes.get(node.input[1]) for node in graph.node if node.op_type in ("Gemm", "MatMul")]
        assert products.count([len(parts[0]), sum(part.shape[1] for part in parts)]) == 1
        assert not [size for size in products if size in [list(part.shape) for part in parts]]
        (gates,) = (t for t in graph.initializer if list(t.dims) == [len(parts[0]), sum(p.shape[1] for p in parts)])
        places.append({entry.key: entry.value for entry in gates.external_data})
    assert all(place == places[0] for place in places)


def test_a_step_gathers_one_of_many_components_and_shares_their_weights(tmp_path_factory):
    model = tiny_models.steps("mdct-gmm")
    folder = export_once("mdct-gmm", tmp_path_factory).path
    step, observe = (
        onnx.load(str(folder / f"{role}.onnx"), load_external_data=False).graph for role in ("step", "observe")
    )
    shape = list(model.model.output.head.both.weight.shape)
    (of_step,), (of_observe,) = ([t for t in g.initializer if list(t.dims) == shape] for g in (step, observe))
    assert {node.op_type for node in step.node if of_step.name in node.input} == {"Reshape"}
    assert "Gather" in {node.op_type for node in step.node}
    assert {node.op_type for node in observe.node if of_observe.name in node.input} == {"Gemm"}
    assert [entry.value for entry in of_step.external_data] == [entry.value for entry in of_observe.external_data]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mdct-gauss", "pen-gmm"])
def test_weights_that_are_exact_in_half_precision_are_stored_in_it(tmp_path, kind):
    whole, rounded = tiny_models.steps(kind), tiny_models.steps(kind)
    with torch.no_grad():
        for weight in rounded.model.parameters():
            weight.copy_(weight.half().float())
    voices = {
        "whole": write_voice(whole, kind, tmp_path / "whole", MADE_UP),
        "half": write_voice(rounded, kind, tmp_path / "half", MADE_UP),
    }
    graph = onnx.load(str(tmp_path / "half" / "step.onnx")).graph
    halves = [tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT16]
    unrounded = onnx.load(str(tmp_path / "whole" / "step.onnx")).graph
    assert not [tensor for tensor in unrounded.initializer if tensor.data_type == onnx.TensorProto.FLOAT16]
    large = [values for tensor in unrounded.initializer if (values := numpy_helper.to_array(tensor)).nbytes >= 256]
    signals = [matrix.numpy() for matrix in rounded.model.buffers() if matrix.dim() == 2]
    weights = [one for one in large if not any(np.array_equal(one, m) or np.array_equal(one.T, m) for m in signals)]
    assert len(halves) == len(weights) >= 7
    # The frames are bit for bit those of the same weights stored in single precision.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vrnn_engine.exporters.graphs.weights_file.store_as_half", lambda graph: None)
        single = write_voice(rounded, kind, tmp_path / "single", MADE_UP).voice
    assert np.array_equal(
        Engine.load(voices["half"].voice, "cpu").stream(1).read(30), Engine.load(single, "cpu").stream(1).read(30)
    )


def test_manifest_and_card_describe_the_voice(exported):
    model, voice = exported
    manifest = json.loads((voice.path / "voice.json").read_text())
    assert manifest["schema_version"] == (4 if imitates(model) else 1)
    config, controls = model.model.config, {control["name"] for control in manifest["controls"]}
    latent_outputs = {"latent.temperature", "latent.shift", "latent.hold", "latent.target"}
    assert controls == (
        {"output.temperature"}
        | ({"output.voicing"} if config.source_filter else set())
        | (latent_outputs if config.latent_size else set())
        | ({"mixture.temperature"} if config.components > 1 else set())
    )
    assert manifest["family"] == config.family
    card = (voice.path / "CARD.md").read_text()
    assert "made up" in card
    assert ("`latent.hold`" in card) == bool(config.latent_size)
    assert verify(Voice.open(voice.path)).frames == CARRIED_FRAMES


@pytest.fixture(scope="module")
def traced():
    """A step model, and its graphs with their entries in the manifest; do not change them."""
    model = tiny_models.steps("samples-gauss")
    with torch.no_grad():
        return model, *voice_writer._trace(model)


@pytest.mark.parametrize("spoil", ["weight", "frame"])
def test_a_graph_that_differs_is_refused_and_nothing_is_written(tmp_path, monkeypatch, traced, spoil):
    model, graphs, entries = traced
    honest = voice_writer.save_graphs

    def tampered(graphs, folder):
        graph = graphs["step.onnx"].graph
        if spoil == "weight":
            tensor = max(graph.initializer, key=lambda one: len(one.raw_data))
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 1.01, tensor.name))
        else:
            last = next(node for node in graph.node if "frame" in node.output)
            last.output[list(last.output).index("frame")] = "frame.before"
            graph.node.append(onnx.helper.make_node("Tanh", ["frame.before"], ["frame"]))
        return honest(graphs, folder)

    monkeypatch.setattr(voice_writer, "_trace", lambda model: (copy.deepcopy(graphs), entries))
    monkeypatch.setattr(voice_writer, "save_graphs", tampered)
    with pytest.raises(ExportError, match="differs from PyTorch"):
        write_voice(model, "spoilt", tmp_path / "spoilt", MADE_UP)
    assert list(tmp_path.iterdir()) == []


def test_an_export_does_not_overwrite_a_folder(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(ExportError, match="exists already"):
        write_voice(tiny_models.steps("samples-gauss"), "mine", tmp_path / "mine", MADE_UP)


def test_defaults_of_an_earlier_version_are_fitted_to_the_controls():
    temperature = Control(
        name="output.temperature", shape=(1,), default=1.0, minimum=0.0, maximum=1.15, description="Noise."
    )
    earlier = {"output.temperature": 1.4, "output.gone": 3.0}
    assert fitting((temperature,), earlier) == {"output.temperature": 1.15}
    assert fitting((temperature,), {"output.temperature": 0.9}) == {"output.temperature": 0.9}


def test_new_defaults_are_checked_against_the_controls():
    controls = tiny_models.steps("samples-gauss").controls
    changed = {c.name: c.default for c in with_defaults(controls, {"output.temperature": 0.9})}
    assert changed == {c.name: c.default for c in controls} | {"output.temperature": 0.9}
    for wrong in ({"output.temperature": -1.0}, {"output.temprature": 0.9}):
        with pytest.raises(ControlError, match=r"output\.temperature"):
            with_defaults(controls, wrong)


@pytest.mark.parametrize(
    ("name", "changes", "start", "command"),
    [
        ("handwriting", {}, "", "handwriting --data DATA"),
        (
            "handwriting",
            {"training": {"updates": 9000}},
            [5000, 7000],
            "handwriting --data DATA --updates 5000; the same with --resume --updates 7000; "
            "the same with --resume --updates 9000",
        ),
        ("handwriting", {"seed": 8}, "base", "handwriting --data DATA --from runs/base/best.pt --seed 8"),
        ("handwriting", {"training": {"updates": 8000}}, "", "handwriting --data DATA --updates 8000"),
        ("handwriting", {"training": {"learning_rate": 1e-5}}, "", "handwriting.toml --data DATA"),
        ("mine", {}, "", "mine.toml --data DATA"),
    ],
)
def test_the_provenance_names_the_training_command(name, changes, start, command):
    fields = recipe_fields(full(load_recipe("handwriting"))) | {"name": name}
    for key, value in changes.items():
        fields[key] = fields[key] | value if isinstance(value, dict) else value
    base, resume = ("", {"begun": start}) if isinstance(start, list) else (start, {})
    checkpoint = Checkpoint(recipe_from(fields), {}, (), (), {}, base, resume)
    assert training_command(checkpoint) == f"vrnn-engine train {command}"


def test_a_missing_checkpoint_is_one_clear_line(tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        export(tmp_path / "none.pt", tmp_path / "voice")
    assert list(tmp_path.iterdir()) == []
