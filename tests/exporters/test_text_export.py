"""The step model of a text-conditioned model: its graphs agree with PyTorch, and a window of the text suffices."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from support import text_models
from support import text_voice as exported
from support.graphs import MADE_UP
from support.recipes import text_recipe

from vrnn_engine import Engine, Voice
from vrnn_engine.errors import ExportError
from vrnn_engine.exporters.export import export, line_height
from vrnn_engine.exporters.graphs.tracing import trace
from vrnn_engine.exporters.text_steps import MIXTURE_TEMPERATURE, OUTPUT_TEMPERATURE
from vrnn_engine.exporters.voice_writer import write_voice
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.outputs import PenMixture, PenOutput
from vrnn_engine.models.text.state import TextState
from vrnn_engine.models.text.window import SPAN, START, WINDOW
from vrnn_engine.training.recipe import load_recipe
from vrnn_engine.training.trainer import train

ROWS = 3


ALPHABET = load_recipe("handwriting").model.text.alphabet


@pytest.fixture(scope="module")
def steps():
    """The step model that the fixture `text_voice` is exported from."""
    return exported.steps(alphabet=ALPHABET)


def weights(model):
    return {tensor.name for tensor in model.graph.initializer}


def draw(shapes, rng, controls):
    """Return random inputs; states are zero, and controls have their defaults."""
    given = {}
    for name, shape in shapes.items():
        if name.startswith("state."):
            given[name] = torch.zeros(ROWS, *shape)
        elif name.startswith("control."):
            given[name] = torch.full((ROWS, *shape), controls[name])
        elif name == "text.characters":
            given[name] = torch.randint(0, len(ALPHABET) + 2, (ROWS, *shape), generator=rng).float()
        else:
            given[name] = torch.randn(ROWS, *shape, generator=rng)
    return given


@pytest.mark.parametrize("role", ["generate", "observe"])
def test_the_graph_agrees_with_pytorch(steps, text_voice, role):
    function = getattr(steps, role)
    shapes = steps.step_inputs() if role == "generate" else steps.observe_inputs()
    graph = Voice.open(text_voice).graph("step" if role == "generate" else role)
    model, outputs = onnx.load(str(text_voice / graph.file)), graph.outputs
    # Encoder (2), phi_z, decoder (2), heads, reader and writer; the observe graph has phi_x (2) and encodes twice.
    products = [
        node for node in model.graph.node if node.op_type in ("Gemm", "MatMul") and node.input[1] in weights(model)
    ]
    assert len(products) == (8 if role == "generate" else 12)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == list(shapes)
    assert outputs["text.position"] == ()
    assert outputs["text.attention"] == (WINDOW,)
    controls = {f"control.{control.name}": float(control.default) for control in steps.controls}
    rng, state = torch.Generator().manual_seed(0), {}
    for _ in range(20):
        given = draw(shapes, rng, controls) | state
        with torch.no_grad():
            expected = function(given)
        found = session.run(list(outputs), {name: value.numpy() for name, value in given.items()})
        for name, value in zip(outputs, found, strict=True):
            assert np.allclose(value, expected[name].numpy(), rtol=1e-4, atol=1e-5), name
        state = {name.replace("next.", "state."): value for name, value in expected.items() if "next." in name}


def test_every_state_has_its_next(steps):
    for shapes, outputs in (
        (steps.step_inputs(), steps.generate(draw_zero(steps.step_inputs()))),
        (steps.observe_inputs(), steps.observe(draw_zero(steps.observe_inputs()))),
    ):
        states = {name.removeprefix("state.") for name in shapes if name.startswith("state.")}
        assert states == {name.removeprefix("next.") for name in outputs if name.startswith("next.")}


def test_checkpoint_is_exported_and_opened(tmp_path):
    ink = text_models.write_ink(tmp_path / "ink.npz", lines=60)
    recipe = text_recipe(updates=2, warmup=0, decay=0)
    train(recipe, ink, tmp_path / "run")
    done = export(tmp_path / "run" / "best.pt", tmp_path / "voice")
    assert done.difference < 1e-5
    text = Engine.load(tmp_path / "voice", "cpu").voice.manifest.text
    assert text.alphabet == ("", *text_models.ALPHABET, "\n")
    assert text.line_height == 11.5


def test_line_height_of_the_bundled_recipe():
    assert line_height(load_recipe("handwriting")) == 11.0


@pytest.mark.parametrize("output", ["text.position", "text.attention"])
@pytest.mark.parametrize("role", ["generate", "observe"])
def test_a_forgotten_output_is_one_clear_error(steps, tmp_path, role, output, monkeypatch):
    whole = getattr(steps, role)
    monkeypatch.setattr(
        steps, role, lambda inputs: {name: value for name, value in whole(inputs).items() if name != output}
    )
    with pytest.raises(ExportError, match=f"{role}: does not return {output}, which it must") as caught:
        write_voice(steps, "forgetful", tmp_path / "voice", MADE_UP)
    assert "\n" not in str(caught.value)


def draw_zero(shapes):
    return {name: torch.zeros(1, *shape) for name, shape in shapes.items()}


def test_a_window_that_moves_with_the_position_gives_what_the_whole_text_gives(steps):
    model = steps.model
    rng = torch.Generator().manual_seed(0)
    whole = torch.randint(1, model.text.end, (60,), generator=rng)
    padded = torch.cat([torch.zeros(WINDOW, dtype=torch.long), whole, torch.zeros(WINDOW, dtype=torch.long)])
    controls = {f"control.{control.name}": float(control.default) for control in steps.controls}
    state = {name: value[:1] for name, value in draw(steps.step_inputs(), rng, controls).items() if "state." in name}
    full, first = model.initial_state(1), 0
    with torch.no_grad():
        for _ in range(90):
            given = {name: value[:1] for name, value in draw(steps.step_inputs(), rng, controls).items()} | state
            # Keep the position in the middle of the window.
            place = float(state["state.position"]) + START + first
            move = max(0, int(np.floor(place)) - int(SPAN) - first)
            first += move
            given["state.position"] = given["state.position"] - move
            given["text.characters"] = padded[None, WINDOW + first : 2 * WINDOW + first].float()
            made = steps.generate(given)
            expected = model.generate(
                full,
                whole[None],
                given["noise.latent"],
                OutputNoise(given["noise.output"], given["noise.mixture"], OUTPUT_TEMPERATURE, MIXTURE_TEMPERATURE),
            )
            assert torch.allclose(made["next.h"], expected.state.h, atol=1e-4)
            assert float(made["text.position"]) + first == pytest.approx(
                float(expected.state.position) + START, abs=1e-3
            )
            full = TextState(*expected.state)
            state = {name.replace("next.", "state."): value for name, value in made.items() if "next." in name}
            full = full._replace(h=state["state.h"], c=state["state.c"])  # rounding must not add up
    assert first > 10


def test_only_rows_with_a_text_are_written_at_the_lower_temperatures(steps):
    rng = torch.Generator().manual_seed(0)
    controls = {f"control.{control.name}": float(control.default) for control in steps.controls}
    given = {name: value[:1].repeat(2, 1) for name, value in draw(steps.step_inputs(), rng, controls).items()}
    given["text.characters"] = torch.stack([torch.full((WINDOW,), 3.0), torch.zeros(WINDOW)])
    state = TextState(*(given[f"state.{name}"] for name in TextState._fields))
    temperatures = (torch.tensor([[factor], [1.0]]) for factor in (OUTPUT_TEMPERATURE, MIXTURE_TEMPERATURE))
    noise = OutputNoise(given["noise.output"], given["noise.mixture"], *temperatures)
    with torch.no_grad():
        made = steps.generate(given)
        expected = steps.model.generate(state, given["text.characters"].long(), given["noise.latent"], noise)
    assert torch.equal(made["next.h"], expected.state.h)


def test_likelihood_of_a_pen_up_that_is_improbable_has_all_its_digits():
    output = PenOutput(1, 1)

    def likelihood(inputs):
        still = torch.zeros_like(inputs["logit"]).unsqueeze(-1)
        pen = PenMixture(inputs["logit"], still, still.unsqueeze(-1), still.unsqueeze(-1) + 1, still)
        return {"found": output.log_prob(pen, inputs["frame"])}

    model, _ = trace(likelihood, {"logit": (), "frame": (3,)})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    logits, up = np.array([-9.7, -9.7, 9.7, 20], np.float32), np.array([1, 0, 0, 1], np.float32)
    frames = np.column_stack([np.zeros((4, 2), np.float32), up])
    found = session.run(None, {"logit": logits, "frame": frames})[0]
    signs = np.where(up > 0, 1, -1)
    expected = -np.logaddexp(0, -signs * logits.astype(float)) - np.log(2 * np.pi)
    assert np.abs(found - expected).max() < 1e-5
