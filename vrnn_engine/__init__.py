"""vrnn-engine: recurrent latent variable models as live streams of sound and ink.

    import vrnn_engine as vrnn
    engine = vrnn.Engine.load("blizzard")
    stream = engine.stream(seed=7)
    block = stream.read(80)

The names below are loaded when they are first used, so that a part that needs only one of them
(training needs the errors, `--help` needs nothing) does not pay for onnxruntime.
"""

from typing import TYPE_CHECKING, Any

from vrnn_engine.errors import (
    CheckpointError,
    ControlError,
    DataError,
    ExportError,
    MissingExtraError,
    ProviderError,
    RecipeError,
    RecordingError,
    RemoteError,
    ServerError,
    SinkError,
    SourceError,
    StreamError,
    TokenError,
    TrainingError,
    VoiceError,
    VRNNEngineError,
)

if TYPE_CHECKING:
    from vrnn_engine.runtime.engine import Engine
    from vrnn_engine.runtime.live.performance import Performance
    from vrnn_engine.runtime.player import Player
    from vrnn_engine.runtime.stream import Stream
    from vrnn_engine.runtime.voice.voice import Voice

__version__ = "0.2.0"

__all__ = [
    "CheckpointError",
    "ControlError",
    "DataError",
    "Engine",
    "ExportError",
    "MissingExtraError",
    "Performance",
    "Player",
    "ProviderError",
    "RecipeError",
    "RecordingError",
    "RemoteError",
    "ServerError",
    "SinkError",
    "SourceError",
    "Stream",
    "StreamError",
    "TokenError",
    "TrainingError",
    "VRNNEngineError",
    "Voice",
    "VoiceError",
    "__version__",
]

_HOMES = {
    "Engine": "vrnn_engine.runtime.engine",
    "Performance": "vrnn_engine.runtime.live.performance",
    "Player": "vrnn_engine.runtime.player",
    "Stream": "vrnn_engine.runtime.stream",
    "Voice": "vrnn_engine.runtime.voice.voice",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # so that this function is asked only once
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
