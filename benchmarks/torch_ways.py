"""Ways to step a model in PyTorch: eager, compiled, and what LibTorch runs (TorchScript and AOTInductor).

LibTorch is the C++ library of PyTorch.  Its two kinds of models are called from Python here; such a call takes some 10
microseconds more than one from C++.
"""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch._inductor import aoti_compile_and_package, aoti_load_package

from vrnn_engine.exporters.protocol import Named
from vrnn_engine.exporters.steps import RecurrentSteps
from vrnn_engine.exporters.text_steps import TextSteps

Steps = RecurrentSteps | TextSteps
"""A step model as it is exported: with its controls, and in units of the world."""
Run = Callable[..., tuple[Tensor, ...]]
"""Takes all inputs of a step, in order, and returns all outputs."""


class TorchStep:
    """A step of an exported model in PyTorch, with the inputs and outputs of its step graph.

    Each call draws new noise and feeds the states back; texts are empty, and controls have their defaults.

    Parameters
    ----------
    steps : RecurrentSteps or TextSteps
    rows : int
        Streams in a batch.
    prepare : callable
        Turns the module and an example of its inputs into what is called for a step.

    Attributes
    ----------
    inputs : dict of str to float32 Tensor [rows, ...]
        Inputs of the last step.
    """

    def __init__(self, steps: Steps, rows: int, prepare: "Callable[[StepModule, tuple[Tensor, ...]], Run]") -> None:
        defaults = {f"control.{control.name}": control.default for control in steps.controls}
        self.inputs = {
            name: torch.full((rows, *shape), defaults.get(name, 0.0)) for name, shape in steps.step_inputs().items()
        }
        self._outputs = list(steps.generate(self.inputs))
        with torch.inference_mode(False), torch.no_grad():  # the compilers take no tensors of the inference mode
            example = tuple(torch.clone(value) for value in self.inputs.values())
            self._run = prepare(StepModule(steps, list(self.inputs)), example)

    def __call__(self) -> Tensor:
        for name, value in self.inputs.items():
            if name.startswith("noise."):
                self.inputs[name] = torch.randn(value.shape)
        made = dict(zip(self._outputs, self._run(*self.inputs.values()), strict=True))
        self.inputs.update((f"state.{name[5:]}", value) for name, value in made.items() if name.startswith("next."))
        return made["frame"]


class StepModule(nn.Module):
    """A module with positional arguments, as tracers need it."""

    def __init__(self, steps: Steps, names: list[str]) -> None:
        super().__init__()
        self.model = steps.model.requires_grad_(False)
        self._generate: Callable[[Named], Named] = steps.generate
        self._names = names

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self._generate(dict(zip(self._names, inputs, strict=True))).values())


def eager(module: StepModule, example: tuple[Tensor, ...]) -> Run:
    """Return the module itself."""
    return module


def compiled_step(module: StepModule, example: tuple[Tensor, ...]) -> Run:
    """Return the module under `torch.compile`; its first call compiles it, with a C++ compiler."""
    return torch.compile(module)


def torchscript(module: StepModule, example: tuple[Tensor, ...]) -> Run:
    """Trace the module and freeze its weights, as LibTorch runs a saved TorchScript model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of constants, and that it is no longer developed
        return torch.jit.freeze(torch.jit.trace(module.eval(), example, check_trace=False))


def aotinductor(module: StepModule, example: tuple[Tensor, ...]) -> Run:
    """Compile the module for these shapes with a C++ compiler, to a package that LibTorch loads."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        program = torch.export.export(module.eval(), example)
        package = aoti_compile_and_package(program, package_path=str(Path(folder) / "step.pt2"))
        return aoti_load_package(package)
