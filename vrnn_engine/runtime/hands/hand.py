"""A hand: the states of a text voice that are kept from line to line.

The states that `text.restart` of the manifest names are zero at the beginning of each line.  The others, such as the
latent of the line and the style of the ink, decide how a voice writes whatever the text is.  A hand is a copy of these.
It comes from a stream that was primed with somebody's ink, or that has written something.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from vrnn_engine.base.file_errors import newer_error
from vrnn_engine.base.reading.decoding import decode_json
from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.stream import Stream

FORMAT = "vrnn-engine hand"
VERSION = 1


class _Versioned(msgspec.Struct):
    format: str
    version: int


class _File(_Versioned):
    """Content of a file, JSON."""

    voice: str
    fingerprint: str
    state: dict[str, list[float]]


@dataclass(frozen=True, eq=False)
class Hand:
    """How a voice that reads a text writes.

    Attributes
    ----------
    voice : str
        Name of the voice.
    fingerprint : str
        `Voice.fingerprint` of the voice.
    state : mapping of str to float32 array
        The kept states by name, without the batch axis.

    Examples
    --------
    >>> stream.prime("ink.jsonl", text="Dear Anna,")
    >>> hand = Hand.of(stream)
    >>> hand.apply(engine.stream(seed=7, text="thank you"))
    """

    voice: str
    fingerprint: str
    state: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, stream: Stream) -> "Hand":
        """Return the hand in which a stream writes.

        Parameters
        ----------
        stream : Stream
            A stream of a voice that reads a text, which was primed or has written something.

        Raises
        ------
        StreamError
            The voice reads no text, or the stream has not begun, or it is closed.
        """
        kept = _kept(stream)
        with stream.lock:
            stream.check_open()
            state = {name: stream.state.arrays[name][0].copy() for name in kept}
        if not any(value.any() for value in state.values()):
            raise StreamError("this stream has no hand yet; prime it with ink, or let it write something first")
        return cls(stream.voice.name, stream.voice.fingerprint(), state)

    def apply(self, stream: Stream) -> None:
        """Let a stream write in this hand from its next word on.

        Parameters
        ----------
        stream : Stream
            A stream of the same voice.

        Raises
        ------
        StreamError
            The voice reads no text or is another one, or the stream is closed.  The stream has not changed.
        """
        kept = _kept(stream)
        if self.fingerprint != stream.voice.fingerprint():
            raise StreamError(
                f"this hand is of another voice or another version of it ({self.voice!r}, not {stream.voice.name!r}); "
                "save it again with this voice"
            )
        with stream.lock:
            stream.check_open()
            old = stream.state.arrays
            sizes = {name: old[name][0].size for name in kept}
            if {name: value.size for name, value in self.state.items()} != sizes:
                raise StreamError(f"the states of this hand do not fit voice {stream.voice.name!r}; save it again")
            new = {name: value.astype(np.float32).reshape(old[name].shape) for name, value in self.state.items()}
            stream.state = replace(stream.state, arrays={**old, **new})

    def encode(self) -> bytes:
        """Return the hand as the content of a file, JSON."""
        # A float32 needs nine significant digits.
        state = {name: [float(f"{x:.9g}") for x in value.ravel().tolist()] for name, value in self.state.items()}
        return msgspec.json.encode(_File(FORMAT, VERSION, self.voice, self.fingerprint, state)) + b"\n"

    @classmethod
    def decode(cls, data: bytes, where: str) -> "Hand":
        """Return the hand in a file.

        Parameters
        ----------
        data : bytes
            A result of `encode`.
        where : str
            The file, for error messages.

        Raises
        ------
        StreamError
            The file does not contain a hand, is damaged, or is of a newer version.
        """
        try:
            head = decode_json(data, _Versioned)
            if head.format != FORMAT:
                raise StreamError(f"{where}: its format is {head.format!r}, not {FORMAT!r}; give another file")
            if head.version > VERSION:
                raise newer_error(where, head.version, StreamError)
            file = decode_json(data, _File)
        except ValueError as error:
            raise StreamError(f"{where}: not a readable hand: {error}; save it again") from None
        with np.errstate(over="ignore"):
            state = {name: np.array(values, np.float32) for name, values in file.state.items()}
        if not all(np.isfinite(values).all() for values in state.values()):
            raise StreamError(f"{where}: some numbers of this hand do not fit into 32 bits; save it again")
        return cls(file.voice, file.fingerprint, state)


def _kept(stream: Stream) -> list[str]:
    """Return the names of the states that make a hand; raise `StreamError` for a voice without them."""
    text = stream.voice.manifest.text
    if text is None:
        raise StreamError(
            f"voice {stream.voice.name!r} reads no text, so it has no hands; use a voice that writes a text"
        )
    return [name for name in stream.state.arrays if name not in text.restart]
