"""The family of errors: whatever a caller may want to catch derives from `VRNNEngineError`.

A message is one line that says what is wrong, where, and what to do about it.  The library
raises; the command line prints the line on stderr and exits with 1.
"""


class VRNNEngineError(Exception):
    """Base of every error this package raises on purpose."""


class VoiceError(VRNNEngineError):
    """A voice is missing, damaged, or not what its manifest declares."""


class ProviderError(VRNNEngineError):
    """The device asked for cannot run here."""


class ControlError(VRNNEngineError):
    """A control is unknown, or its value has the wrong shape or is out of range."""


class StreamError(VRNNEngineError):
    """A stream cannot do what was asked: no free row, a closed stream, a foreign snapshot."""


class NotFiniteError(StreamError):
    """A stream gave a frame of NaN or infinity, and has not moved."""


class RecordingError(VRNNEngineError):
    """A recording (sound or ink) cannot be read or does not fit the voice."""


class SinkError(VRNNEngineError):
    """A place to write to is unknown, cannot be opened, or failed while writing."""


class SourceError(VRNNEngineError):
    """What is to steer a performance, or to be listened to, is unknown or cannot be opened."""


class RecipeError(VRNNEngineError):
    """A training recipe is missing or has a wrong field."""


class DataError(VRNNEngineError):
    """A corpus is missing, empty, or not in the layout expected."""


class CheckpointError(VRNNEngineError):
    """A checkpoint is missing, truncated, or was not written by this package."""


class TrainingError(VRNNEngineError):
    """A loss or a validation stopped being finite."""


class ExportError(VRNNEngineError):
    """An exported graph does not agree with the model it came from."""


class MissingExtraError(VRNNEngineError):
    """Something needs packages that only an extra of this package installs."""
