"""The errors of this package.  All derive from `VRNNEngineError`.

A message is one line that says what is wrong, where, and what to do about it.  The library raises; the command line
prints the line on stderr and exits with code 1.
"""

LONGEST = 1000
"""Number of characters above which the middle of a message is left out."""


class VRNNEngineError(Exception):
    """Base class of all errors that this package raises on purpose.

    Parameters
    ----------
    message : str
        One line.
    parameters : tuple of str
        Names of those parameters of the called function that the message tells the caller to set. The command line
        appends their options.

    Examples
    --------
    >>> try:
    ...     engine = vrnn_engine.Engine.load("my-voice")
    ... except vrnn_engine.VRNNEngineError as error:
    ...     print(error)
    """

    def __init__(self, message: str = "", parameters: tuple[str, ...] = ()) -> None:
        if len(message) > LONGEST:  # it quotes a file or a message
            message = f"{message[: LONGEST // 2]} ... {message[-LONGEST // 2 :]}"
        super().__init__(message)
        self.parameters = parameters


class VoiceError(VRNNEngineError):
    """A voice is unknown or damaged, does not match its manifest, or lacks a feature that the caller uses."""


class ProviderError(VRNNEngineError):
    """The requested device or its options cannot run here, or a device failed while it ran."""


class ControlError(VRNNEngineError):
    """A control is unknown, or its value has the wrong shape, is out of range or not finite."""


class StreamError(VRNNEngineError):
    """A stream, a batch or a performance cannot carry out a call.

    Examples: no row is free, the stream is closed, a snapshot belongs to another voice, memory is short, a saved state
    or a timeline cannot be read or written.
    """


class NotFiniteError(StreamError):
    """A step computed a frame with NaN or infinity.  The stream keeps its state before that step."""


class RecordingError(VRNNEngineError):
    """A recording or a microphone cannot be read, or its sound or ink does not fit the voice."""


class SinkError(VRNNEngineError):
    """A target is unknown or does not fit the voice, or a file or device cannot be opened or written."""


class SourceError(VRNNEngineError):
    """A control source (OSC, MIDI, a plug-in) is unknown or cannot be opened, or sent something invalid."""


class RecipeError(VRNNEngineError):
    """A training recipe is missing, cannot be read, or has an invalid field."""


class DataError(VRNNEngineError):
    """A corpus is missing, unreadable, too small or not in the expected layout; or the cache cannot be written."""


class CheckpointError(VRNNEngineError):
    """A checkpoint is missing, damaged, of another program, does not fit the run, or cannot be written."""


class TrainingError(VRNNEngineError):
    """The loss, a gradient or a validation result is not finite."""


class ExportError(VRNNEngineError):
    """A voice cannot be written, or its graphs do not agree with the model or with its other precisions."""


class TokenError(VRNNEngineError):
    """A token of a session is damaged, too long, newer, of another voice or of a server with another key."""


class RemoteError(VRNNEngineError):
    """A server cannot be reached, refuses a session or a request, or has ended a session."""


class ServerError(VRNNEngineError):
    """The server cannot listen at its address, or one of its options is not possible."""


class MissingExtraError(VRNNEngineError):
    """A required package is not installed; the message names the extra that installs it."""
