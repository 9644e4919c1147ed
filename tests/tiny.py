"""Tiny models of every basis and output, with weights large enough that every mistake shows."""

import torch

from vrnn_engine.exporters.vrnn import VRNNSteps
from vrnn_engine.models import VRNN, ModelConfig, build_model
from vrnn_engine.models.config import EmphasisConfig, LinearPrediction

KINDS = {
    "samples-gauss": {"basis": "samples", "family": "vrnn-gauss", "frame_size": 20},
    "samples-gmm": {"basis": "samples", "family": "vrnn-gmm", "frame_size": 20, "components": 4},
    "mdct-gauss": {
        "basis": "mdct",
        "family": "vrnn-gauss",
        "frame_size": 20,
        "input_compression": 10.0,
        "prediction": LinearPrediction(frames=2, bins=6, predictors=3),
        "emphasis": EmphasisConfig(order=4, lower=0.05, upper=0.1),
    },
    "mdct-gmm": {"basis": "mdct", "family": "vrnn-gmm", "frame_size": 20, "components": 4},
    "pen-gauss": {"basis": "points", "family": "vrnn-gauss", "frame_size": 3},
    "pen-gmm": {"basis": "points", "family": "vrnn-gmm", "frame_size": 3, "components": 4},
}


def config(kind: str) -> ModelConfig:
    """Return a config with layers of unequal sizes, so that a swapped pair cannot fit."""
    sizes = {
        "latent_size": 7,
        "recurrent_size": 12,
        "phi_x": (11, 9),
        "phi_z": (8,),
        "encoder": (13, 10),
        "prior": (14,),
        "decoder": (15, 16),
    }
    return ModelConfig(**(sizes | KINDS[kind]))


def model(kind: str, seed: int = 0) -> VRNN:
    """Return a model with random weights and biases."""
    torch.manual_seed(seed)
    made = build_model(config(kind)).eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            weight.copy_(torch.randn_like(weight) * (0.3 if name.endswith("bias") else 0.35))
            if "predictors" in name:
                weight.mul_(0.4)  # a linear prediction of more than what it predicts from runs away
        if config(kind).basis == "mdct":
            made.basis.scale.copy_(torch.rand_like(made.basis.scale) + 0.5)
    return made


def steps(kind: str, seed: int = 0) -> VRNNSteps:
    """Return the model as a step model, in world units that are not the model's."""
    mean, std = ((0.2, -0.1), (1.5, 0.7)) if kind.startswith("pen") else ((0.01,), (0.3,))
    rate, unit = (50, "mm") if kind.startswith("pen") else (1600, "full scale")
    return VRNNSteps(model(kind, seed), rate, unit, mean, std)
