"""Imports onnxruntime, without its telemetry, and creates its sessions.

All other modules take both from here, so that what must precede the import, and what must surround the creation of a
session, has one place. Importing this module raises `ProviderError` if onnxruntime does not load.
"""

import os
from typing import Any

from vrnn_engine.runtime.graph.denormals import flush_denormals

# onnxruntime reads this once, when it is imported; child processes inherit it. Otherwise it writes a device id and a
# database of events into the user's cache and sends them to an event server. A value that the user has set stays.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
try:
    import onnxruntime as ort

    _ = ort.InferenceSession  # a damaged installation may leave a folder that can be imported and has nothing in it
except Exception as error:
    from vrnn_engine.runtime.graph.wheels import import_error  # reading metadata would delay the first sound

    raise import_error(error) from error

__all__ = ["create_session", "ort"]


def create_session(model: str | bytes, options: ort.SessionOptions, providers: list[Any]) -> ort.InferenceSession:
    """Create a session with these providers and no others.

    Parameters
    ----------
    model : str or bytes
        Path of a graph, or a serialised one.
    options : SessionOptions
        Options of onnxruntime.
    providers : list
        Names of providers, or pairs of a name and its options.

    Returns
    -------
    InferenceSession
        It raises an error where onnxruntime would fall back to another provider: that fallback prints to stdout, which
        is for data, and hides that it happened.

    Notes
    -----
    The first session of a process sets the denormal flags of the thread that creates it, if its options say
    `session.set_denormal_as_zero`. They are restored, so that the thread's other computations do not change.
    """
    with flush_denormals():
        session = ort.InferenceSession(model, options, providers=providers, enable_fallback=0)
    session.disable_fallback()
    return session
