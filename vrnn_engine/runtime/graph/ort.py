"""Imports onnxruntime, without its telemetry, and creates its sessions.

All other modules import onnxruntime from here and create sessions here, so that the settings for both are in one
place. Importing this module raises `ProviderError` if onnxruntime does not load.
"""

import os
from typing import Any

from vrnn_engine.base.process_exit import native_call
from vrnn_engine.runtime.graph.denormals import flush_denormals

# onnxruntime reads this variable once, at import; child processes inherit it. Without it, onnxruntime writes a device
# id and a database of events into the user's cache and sends them to an event server. A value set by the user stays.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
try:
    import onnxruntime as ort

    _ = ort.InferenceSession  # a damaged installation may leave an empty folder, which can be imported
except Exception as error:
    if isinstance(error.__cause__, KeyboardInterrupt):  # an interrupt inside the extension module ends as ImportError
        raise error.__cause__ from None
    from vrnn_engine.base.onnxruntime_wheels import import_error  # here, as its imports would delay the first sound

    raise import_error(error) from error

__all__ = ["create_session", "ort"]


def create_session(model: str | bytes, options: ort.SessionOptions, providers: list[Any]) -> ort.InferenceSession:
    """Create a session with these providers and no others.

    Parameters
    ----------
    model : str or bytes
        Path of a graph, or the serialised graph.
    options : SessionOptions
        Options of onnxruntime.
    providers : list
        Names of providers, or pairs of a name and its options.

    Returns
    -------
    InferenceSession
        The session raises an error instead of falling back to another provider: onnxruntime's fallback prints to
        stdout, which is reserved for data, and is easily missed.

    Notes
    -----
    The first session of a process sets the denormal flags of the thread that creates it, if its options say
    `session.set_denormal_as_zero`. This function restores them, so that the thread's other computations do not change.
    """
    with native_call(), flush_denormals():
        session = ort.InferenceSession(model, options, providers=providers, enable_fallback=0)
    session.disable_fallback()
    return session
