"""The models, in PyTorch: conditionals, recurrence, output distributions, frame bases and families."""

from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.families import build_model, families
from vrnn_engine.models.recurrent import RecurrentModel

__all__ = ["ModelConfig", "RecurrentModel", "build_model", "families"]
