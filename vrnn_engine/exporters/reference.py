"""Parity vectors (outputs that PyTorch computes for fixed noise), and the comparison of a graph with PyTorch."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from vrnn_engine.errors import ExportError
from vrnn_engine.exporters.protocol import Function, Named, Shape, StepModel, functions_of, text_of
from vrnn_engine.runtime.graph.arrays import relative_difference
from vrnn_engine.runtime.graph.session import GraphSession
from vrnn_engine.runtime.voice.manifest import OWN_FRAME, Role
from vrnn_engine.runtime.voice.text import ATTENTION, CHARACTERS, POSITION

FRAMES = 200
"""Number of frames that an export compares."""
CARRIED_FRAMES = 16
"""Number of frames in the parity vectors of a voice.  Few, because `voices verify` generates them freely, and so
rounding errors grow from frame to frame."""
TOLERANCE = 1e-4
"""Limit of the difference from PyTorch in fp32, relative to the largest absolute value of the output."""
GENERATED = ("frame", POSITION, ATTENTION)
"""Outputs of the step graph that the parity vectors contain, if the graph has them."""
OBSERVED = ("posterior.mean", "kl", "log_likelihood", POSITION, ATTENTION)
"""Outputs of the observe graph that the parity vectors contain, if the graph has them."""

Arrays = dict[str, NDArray[np.float32]]


def reference_vectors(model: StepModel, frames: int = FRAMES, seed: int = 0) -> Arrays:
    """Compute parity vectors in PyTorch: generate frames from a state of zeros, then observe and resynthesise them.

    Parameters
    ----------
    model : StepModel
        The model; it generates and observes with the defaults of its controls.
    frames : int
        T, the number of frames.
    seed : int
        Seed of the noise.

    Returns
    -------
    dict of str to array
        The arrays that `vrnn_engine.runtime.voice.manifest.Parity` describes, each [T, ...].
    """
    rng = np.random.default_rng(seed)
    defaults = _defaults(model)
    vectors: Arrays = {
        name: rng.standard_normal((frames, *shape)).astype(np.float16).astype(np.float32)
        for name, shape in model.step_inputs().items()
        if name.startswith("noise.")
    }
    given = {name: torch.from_numpy(values) for name, values in (vectors | _characters(model, frames, rng)).items()}
    functions = functions_of(model)
    given |= _steps(frames, *functions["step"], given, defaults, GENERATED)
    without_noise = {name: values for name, values in given.items() if not name.startswith("noise.")}
    silent = defaults | _zeros(model.observe_inputs(), "noise.")
    seen = _steps(frames, *functions["observe"], without_noise, silent, OBSERVED)
    found = {f"observe.{name}": values for name, values in seen.items()}
    if "resynthesise" in functions:
        made = _steps(frames, *functions["resynthesise"], given, defaults, (OWN_FRAME,))
        found[f"resynthesise.{OWN_FRAME}"] = made[OWN_FRAME]
    return {name: values.numpy() for name, values in (given | found).items()}


def compare(model: StepModel, role: Role, session: GraphSession, vectors: Mapping[str, NDArray[np.float32]]) -> float:
    """Compare all outputs of a graph with those of PyTorch, frame by frame.

    The graph and PyTorch compute each frame from the state that PyTorch computed, so that a difference arises in one
    step: in a free-running recurrent model, rounding errors grow from frame to frame.

    Parameters
    ----------
    model : StepModel
        The model in PyTorch.
    role : str
        Role of the graph.
    session : GraphSession
        The graph.
    vectors : mapping of str to array
        The vectors that `reference_vectors` returned.

    Returns
    -------
    float
        The largest difference, relative to the largest value of its output in any frame.

    Raises
    ------
    ExportError
        The difference is above `TOLERANCE` or not a number.
    """
    function, inputs = functions_of(model)[role]
    state, steady = _zeros(inputs, "state."), _only(_defaults(model), inputs)
    varying = [name for name in inputs if name in vectors]
    expected: dict[str, list[NDArray[np.float32]]] = {}
    found: dict[str, list[NDArray[np.float32]]] = {}
    for t in range(len(vectors["frame"])):
        given = steady | {name: torch.from_numpy(vectors[name][t : t + 1]) for name in varying}
        outputs = function({**state, **given})
        for name, value in _run(session, state, given).items():
            found.setdefault(name, []).append(value)
            expected.setdefault(name, []).append(outputs[name].numpy())
        state = _next(outputs)
    differences = {
        name: relative_difference(name, np.stack(found[name]), np.stack(expected[name])) for name in expected
    }
    worst = max(differences, key=lambda name: differences[name])
    if not differences[worst] <= TOLERANCE:
        raise ExportError(
            f"{session.path}: {worst} differs from PyTorch's by {differences[worst]:.2g} of its largest value, "
            f"and the limit is {TOLERANCE:g}; no voice was written"
        )
    return differences[worst]


def _characters(model: StepModel, frames: int, rng: np.random.Generator) -> Arrays:
    """Return other random characters in each frame, so that every entry of the alphabet is read."""
    text = text_of(model)
    if text is None:
        return {}
    return {CHARACTERS: rng.integers(0, len(text.alphabet), (frames, text.window)).astype(np.float32)}


def _steps(
    frames: int, function: Function, inputs: Mapping[str, Shape], varying: Named, steady: Named, names: Iterable[str]
) -> Named:
    """Take T steps, and return the named outputs [T, ...]; names that the function does not return are ignored.

    `varying` [T, ...] has a value for each frame, `steady` [1, ...] one for all; names that the function does not read
    are ignored.
    """
    read, state = _only(varying, inputs), _zeros(inputs, "state.")
    kept: dict[str, list[torch.Tensor]] = {}
    for t in range(frames):
        outputs = function(state | _only(steady, inputs) | {name: values[t : t + 1] for name, values in read.items()})
        state = _next(outputs)
        for name in names:
            if name in outputs:
                kept.setdefault(name, []).append(outputs[name])
    return {name: torch.cat(values) for name, values in kept.items()}


def _run(session: GraphSession, state: Named, given: Named) -> Arrays:
    frame = given["frame"].numpy() if session.takes_frame else None
    characters = given[CHARACTERS].numpy() if session.window else None
    carried, found = session.run(
        _strip(state, "state."), _strip(given, "noise."), _strip(given, "control."), frame, characters
    )
    return {f"next.{name}": value for name, value in carried.items()} | found


def _strip(values: Named, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): value.numpy() for name, value in values.items() if name.startswith(prefix)}


def _defaults(model: StepModel) -> Named:
    return {f"control.{c.name}": torch.full((1, *c.shape), float(c.default)) for c in model.controls}


def _zeros(inputs: Mapping[str, Shape], prefix: str) -> Named:
    return {name: torch.zeros(1, *shape) for name, shape in inputs.items() if name.startswith(prefix)}


def _next(outputs: Named) -> Named:
    return {name.replace("next.", "state.", 1): value for name, value in outputs.items() if name.startswith("next.")}


def _only(values: Named, names: Mapping[str, Shape]) -> Named:
    return {name: value for name, value in values.items() if name in names}
