"""The models: conditionals, recurrence, output distributions and frame bases (PyTorch)."""

from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.vrnn import VRNN, build_model

__all__ = ["VRNN", "ModelConfig", "build_model"]
