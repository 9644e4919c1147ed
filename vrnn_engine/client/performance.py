"""Remote streams as what plays and steers a performance takes: keys, OSC, MIDI and displays can use them."""

import collections
import threading

import msgspec
import numpy as np

from vrnn_engine.client.session import RemoteVoice
from vrnn_engine.client.stream import RemoteStream
from vrnn_engine.errors import RemoteError, StreamError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.live.events import AnyEvent, Morph, Restore, Rewind, Save, Trace
from vrnn_engine.runtime.live.letters.sources import TextSource
from vrnn_engine.serve.protocol import Token

RECENT = 400
"""Number of frames that `RemotePerformance.recent` holds."""
ENOUGH = 4096
"""Number of pending characters above which a stream is given no more text."""


class RemotePerformance:
    """A remote stream with the interface of a `Performance`.  States are saved here, by name, as tokens.

    Parameters
    ----------
    stream : RemoteStream

    Attributes
    ----------
    stream : RemoteStream
    recent : deque of float32 arrays
        The last 400 frames: samples [F], or dx, dy, pen_up [1, 3].
    """

    def __init__(self, stream: RemoteStream) -> None:
        self.stream = stream
        self.recent: collections.deque[np.ndarray] = collections.deque(maxlen=RECENT)
        self._saved: dict[str, Token] = {}

    @property
    def voice(self) -> RemoteVoice:
        """The voice."""
        return self.stream.voice

    @property
    def controls(self) -> Controls:
        """The controls to read and write."""
        return self.stream.controls

    @property
    def frame(self) -> int:
        """Number of the next frame to read."""
        return self.stream.frame

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames; parameters, result and errors are those of `RemoteStream.read`."""
        block = self.stream.read(frames)
        size = self.voice.manifest.samples_per_frame
        self.recent.extend(block[at : at + size] for at in range(0, len(block), size))
        return block

    def send(self, event: AnyEvent) -> None:
        """Send an event; a `Save`, `Restore` or `Morph` is about the states that were saved here.

        Parameters
        ----------
        event : event

        Raises
        ------
        VRNNEngineError
            The server does not take the event, or no state has this name.
        """
        match event:
            case Save():
                self._saved[event.name] = self.stream.save()
            case Restore():
                self.stream.restore(self._found(event.name).token)
            case Rewind() | Trace():
                what = "be rewound" if isinstance(event, Rewind) else "loop its past"
                raise RemoteError(f"a served voice cannot {what}; play a voice of this machine for that")
            case Morph(latent=None):
                self.stream.send(msgspec.structs.replace(event, latent=self._found(event.to).latent))
            case _:
                self.stream.send(event)

    def takes_long(self, event: AnyEvent) -> bool:
        """Return False: `send` observes no recording.

        Parameters
        ----------
        event : event
        """
        return False

    def interrupt(self) -> None:
        """Make a waiting `read` return soon.  Any thread may call this."""
        self.stream.interrupt()

    def _found(self, name: str) -> Token:
        if name not in self._saved:
            raise StreamError(f"no state was saved as {name!r} while this remote voice plays; save one first")
        return self._saved[name]


_REST = np.array([[0, 0, 1]], np.float32)


class RemoteLetter:
    """Gives a remote stream a text, and yields frames until all of it is written; a player plays it.

    The pen rests until the first character is known: a stream without a text would write freely.

    Parameters
    ----------
    performance : RemotePerformance
        Where the frames are read.
    source : TextSource
        The text.
    """

    def __init__(self, performance: RemotePerformance, source: TextSource) -> None:
        self._performance, self._source = performance, source
        self._begun = self._ended = False
        self._interrupted = threading.Event()

    @property
    def voice(self) -> RemoteVoice:
        """The voice that writes."""
        return self._performance.voice

    def read(self, frames: int) -> np.ndarray:
        """Return the next frames; fewer when all of the text is written.

        Parameters
        ----------
        frames : int

        Returns
        -------
        float32 array [frames, 3]

        Raises
        ------
        VRNNEngineError
            The text cannot be read or written, or the server fails.
        """
        read = [np.zeros((0, 3), np.float32)]
        for _ in range(frames):
            self._give_text()
            if self._interrupted.is_set() or self._is_written():
                break
            read.append(self._performance.read(1) if self._begun else self._rest())
        return np.concatenate(read)

    def interrupt(self) -> None:
        """Make a waiting `read` return soon; the letter then ends.  Any thread may call this."""
        self._interrupted.set()
        self._source.interrupt()
        self._performance.interrupt()

    def _give_text(self) -> None:
        """Give the stream the next piece of the text, unless it has enough."""
        stream = self._performance.stream
        while not self._ended and stream.pending < ENOUGH:
            piece = self._source.read()
            self._ended = piece is None
            if not piece:
                break
            stream.write(piece)
            self._begun = True

    def _is_written(self) -> bool:
        if not self._begun:
            return self._ended
        stream = self._performance.stream
        last = stream.written_frame
        return self._ended and last is not None and stream.frame >= last

    def _rest(self) -> np.ndarray:
        """Return a frame of a pen that does not move, after as long as it lasts."""
        self._interrupted.wait(1 / self.voice.manifest.frames_per_second)
        return _REST
