"""Steps many sessions together; if one of them cannot be stepped, finds it and steps the others."""

from collections.abc import Iterator, Sequence

import numpy as np

from vrnn_engine.errors import ProviderError, VRNNEngineError
from vrnn_engine.runtime.engine import Engine
from vrnn_engine.serve.sessions.session import Session


def step(
    engine: Engine, frames: int, sessions: Sequence[Session]
) -> Iterator[tuple[Session, np.ndarray | VRNNEngineError]]:
    """Read frames of sessions as one batch; yield each session with its block, or with its error.

    `Engine.read` moves no stream if one of them fails.  The halves are then read apart, down to the session that fails.
    The frames of a stream do not depend on the others in its batch, so all others get the frames that they get without
    it.

    Parameters
    ----------
    engine : Engine
    frames : int
    sessions : sequence of Session
        Sessions of this engine.

    Raises
    ------
    ProviderError
        The device failed: no session can be stepped.
    """
    try:
        blocks = engine.read(frames, [session.stream for session in sessions])
    except VRNNEngineError as error:
        if len(sessions) == 1:
            if isinstance(error, ProviderError):
                _check_device(engine)
            yield sessions[0], error
            return
        half = len(sessions) // 2
        yield from step(engine, frames, sessions[:half])
        yield from step(engine, frames, sessions[half:])
        return
    yield from zip(sessions, blocks, strict=True)


def _check_device(engine: Engine) -> None:
    """Raise `ProviderError` if a new stream cannot be stepped either.

    If it can, a control has led to an error of onnxruntime, such as an index that is not in its table.
    """
    stream = engine.stream(seed=0)
    try:
        stream.read(1)
    except ProviderError:
        raise
    except VRNNEngineError:
        pass  # the device computes, although the values are of no use
    finally:
        stream.close()
