"""Tiny models of every basis and output, with weights so large that every mistake shows."""

import torch

from vrnn_engine.exporters.steps import RecurrentSteps
from vrnn_engine.models import ModelConfig, RecurrentModel, build_model
from vrnn_engine.models.config import EmphasisConfig, SourceFilter
from vrnn_engine.models.families import OPTIONAL, families
from vrnn_engine.models.outputs import MANY_COMPONENTS

KINDS = {
    "samples-gauss": {"basis": "samples", "family": "vrnn-gauss", "frame_size": 20},
    "samples-gmm": {"basis": "samples", "family": "vrnn-gmm", "frame_size": 20, "components": 4},
    "source-gauss": {
        "basis": "samples",
        "family": "vrnn-gauss",
        "frame_size": 20,
        "source_filter": SourceFilter(cepstrum=5, warp=0.3, shortest=6, longest=17, pitch=(9, 8), gains=4, levels=10),
        "emphasis": EmphasisConfig(order=4, lower=0.05, upper=0.1),
    },
    "source-rnn-gauss": {
        "basis": "samples",
        "family": "rnn-gauss",
        "frame_size": 20,
        "source_filter": SourceFilter(cepstrum=7, warp=0.0, shortest=5, longest=20, pitch=(9,), gains=5, levels=4),
    },
    "mdct-gauss": {
        "basis": "mdct",
        "family": "vrnn-gauss",
        "frame_size": 20,
        "input_compression": 10.0,
    },
    "mdct-gmm": {"basis": "mdct", "family": "vrnn-gmm", "frame_size": 20, "components": MANY_COMPONENTS + 1},
    "samples-i-gauss": {"basis": "samples", "family": "vrnn-i-gauss", "frame_size": 20},
    "samples-rnn-gmm": {"basis": "samples", "family": "rnn-gmm", "frame_size": 20, "components": 4},
    "samples-srnn-gauss": {"basis": "samples", "family": "srnn-gauss", "frame_size": 20},
    "mdct-rnn-gauss": {
        "basis": "mdct",
        "family": "rnn-gauss",
        "frame_size": 20,
    },
    "pen-gauss": {"basis": "points", "family": "vrnn-gauss", "frame_size": 3},
    "pen-rnn-gmm": {"basis": "points", "family": "rnn-gmm", "frame_size": 3, "components": 4},
    "pen-srnn-gmm": {"basis": "points", "family": "srnn-gmm", "frame_size": 3, "components": 4},
    "pen-gmm": {"basis": "points", "family": "vrnn-gmm", "frame_size": 3, "components": 4},
}


def config(kind: str) -> ModelConfig:
    """Return a configuration whose layers have different sizes, so that two swapped layers do not fit."""
    sizes = {
        "latent_size": 7,
        "recurrent_size": 12,
        "phi_x": (11, 9),
        "phi_z": (8,),
        "encoder": (13, 10),
        "prior": (14,),
        "decoder": (15, 16),
    }
    uses = families()[KINDS[kind]["family"]].uses
    fitting = {name: value for name, value in sizes.items() if name in uses or name not in OPTIONAL}
    return ModelConfig(**(fitting | KINDS[kind]))


def model(kind: str, seed: int = 0) -> RecurrentModel:
    """Return a model with random weights and biases."""
    torch.manual_seed(seed)
    made = build_model(config(kind)).eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            weight.copy_(torch.randn_like(weight) * (0.3 if name.endswith("bias") else 0.35))
            if "source" in kind and "output.head" in name:
                weight.mul_(0.4)  # a filter that rings for longer than a frame is not inverted by its first taps
        if config(kind).basis == "mdct":
            made.basis.scale.copy_(torch.rand_like(made.basis.scale) + 0.5)
    return made


def steps(kind: str, seed: int = 0) -> RecurrentSteps:
    """Return the model as a step model, in world units that differ from the model's."""
    mean, std = ((0.2, -0.1), (1.5, 0.7)) if kind.startswith("pen") else ((0.01,), (0.3,))
    rate, unit = (50, "mm") if kind.startswith("pen") else (1600, "full scale")
    return RecurrentSteps(model(kind, seed), rate, unit, mean, std)
