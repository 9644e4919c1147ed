"""Runs a voice on a device: opens streams, and reads many of them as one batch.

Threading contract: any thread may call any method. Two threads may read two streams at once; a second caller on the
same stream waits for the first. With CUDA graphs, reads on the GPU take turns; see `graph/cuda_graphs.py`. The engine
knows which streams are open, but does not hold their states.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

import numpy as np

from vrnn_engine.errors import StreamError, VoiceError
from vrnn_engine.runtime.frames import frame_count
from vrnn_engine.runtime.graph.session import EngineOptions
from vrnn_engine.runtime.noise import random_seed
from vrnn_engine.runtime.stepper import Stepper
from vrnn_engine.runtime.stream import Stream
from vrnn_engine.runtime.stream_group import StreamGroup
from vrnn_engine.runtime.text_stream import with_text
from vrnn_engine.runtime.voice.lookup import BUNDLED
from vrnn_engine.runtime.voice.voice import Voice


class Engine:
    """Runs a voice on a device. `Engine.load` makes an engine.

    An engine can be pickled, for example for a pool of processes: each process loads the voice again, with the same
    device, rows, precision and options. Open streams are not pickled; send a stream as `Stream.snapshot`.

    Parameters
    ----------
    stepper : Stepper
        Steps the streams of this engine.

    Attributes
    ----------
    stepper : Stepper

    See Also
    --------
    Engine.load : Load a voice.
    Engine.stream : Open a stream.

    Examples
    --------
    >>> import vrnn_engine as vrnn
    >>> engine = vrnn.Engine.load("blizzard", rows=2)
    >>> streams = [engine.stream(seed=7), engine.stream(seed=8)]
    >>> blocks = engine.read(80)
    """

    def __init__(self, stepper: Stepper) -> None:
        if not isinstance(stepper, Stepper):
            raise VoiceError(f"{stepper!r:.60} is not a stepper; Engine.load opens a voice")
        self.stepper = stepper
        self._group: StreamGroup[Stream] = StreamGroup()

    @classmethod
    def load(
        cls,
        where: str | os.PathLike[str] | Voice,
        device: str = "auto",
        rows: int = 1,
        precision: str | None = None,
        threads: int = 1,
        spinning: bool = False,
        cuda_graphs: bool = False,
        trust: str | Iterable[str] | None = (),
    ) -> "Engine":
        """Load a voice.

        Parameters
        ----------
        where : str, path or Voice
            Name of a bundled or installed voice, a folder, or a .zip file.
        device : str
            `auto` (CUDA if it works, otherwise the CPU), `cpu`, `cuda` or `cuda:N`.
        rows : int
            Largest number of streams that are stepped as one batch; more streams are stepped in several batches.
        precision : str, optional
            A precision that the voice has (`vrnn-engine voices show` lists them). By default fp16 on CUDA if the voice
            has it, and otherwise the first precision listed, which is fp32 in most voices.
        threads : int
            Number of CPU threads that compute a step, 1 to 256. It does not change the result.
        spinning : bool
            Whether threads that wait for one another keep their cores busy. This makes steps faster, but slows the
            application's own threads.
        cuda_graphs : bool
            Whether to launch a step on a GPU as one CUDA graph. Each step then computes all `rows`, even with fewer
            streams, and no other thread of the process may use CUDA while the engine is being loaded. CUDA must
            support every node of the voice's graph, as it does for the bundled voices.
        trust : str or iterable of str
            Limits on what the voice's graphs may do that are lifted, because you trust its author: `operators`, `size`
            (see `Voice.open`).

        Returns
        -------
        Engine
            An engine without open streams.

        Raises
        ------
        VoiceError
            The voice is unknown or damaged, exceeds a limit, or does not have the precision.
        ProviderError
            The device cannot run here, `threads` is out of range, or the voice cannot use CUDA graphs.
        StreamError
            `rows` is not a positive integer, or a batch of that size exceeds the memory.

        Examples
        --------
        >>> engine = vrnn.Engine.load("handwriting", device="cpu")
        >>> engine.provider
        'CPUExecutionProvider'
        """
        options = EngineOptions(threads, spinning, cuda_graphs)
        return cls(Stepper.load(Voice.open(where, trust), device, rows, precision, options))

    @property
    def voice(self) -> Voice:
        """The voice that the engine runs."""
        return self.stepper.voice

    @property
    def rows(self) -> int:
        """Largest number of streams that are stepped as one batch."""
        return self.stepper.rows

    @property
    def provider(self) -> str:
        """The onnxruntime provider that steps the voice, for example `CPUExecutionProvider`."""
        return self.stepper.graphs.step.provider

    @property
    def precision(self) -> str:
        """Precision of the weights in use, for example `fp32` or `int8`."""
        return self.stepper.graphs.precision

    @property
    def fingerprint(self) -> str:
        """`Voice.fingerprint` of the precision in use; a snapshot can be restored only with the same fingerprint."""
        return self.stepper.fingerprint

    @property
    def streams(self) -> list[Stream]:
        """The open streams, in the order they were opened."""
        return self._group.streams()

    def stream(self, seed: int | None = None, text: str | None = None, width: float | None = None) -> Stream:
        r"""Open a stream in zero state, with default controls.

        Parameters
        ----------
        seed : int, optional
            0 to 2**64-1; by default a random seed of 32 bits.
        text : str, optional
            Text to write, for a voice that reads one; more can be added with `Stream.write`. Without a text, such a
            voice writes freely. ``\n`` begins a new line.
        width : float, optional
            Width of a line in the voice's unit. By default, lines of a text end only where the text says so.

        Returns
        -------
        Stream
            The stream. It stays open until it is closed or garbage-collected.

        Raises
        ------
        StreamError
            The seed is not an integer in that range, `width` is not a positive number, the text is empty or has a
            character that is not in the alphabet, or the voice reads no text.
        """
        state = self.stepper.initial_state(random_seed() if seed is None else seed)
        return Stream(self.stepper, with_text(self.stepper, state, text, width), self._group)

    def read(self, frames: int, streams: Sequence[Stream] | None = None) -> list[np.ndarray]:
        """Step streams together, up to `rows` of them as one batch.

        Parameters
        ----------
        frames : int
            Number of frames to read from each stream, 0 or more.
        streams : sequence of Stream, optional
            Streams of this engine; by default all open streams, in the order in which they were opened.

        Returns
        -------
        list of float32 arrays
            One block per stream, in the same order, shaped as `Stream.read` returns it.

        Raises
        ------
        NotFiniteError
            A frame of a stream is NaN or infinite. No stream has moved.
        StreamError
            A stream is closed, is given twice, is not a `Stream` or belongs to another engine, a word is wider than its
            line, or the memory does not suffice. No stream has moved.
        ProviderError
            onnxruntime failed, for example because a GPU was lost. No stream has moved.

        See Also
        --------
        Stream.read : Read one stream.

        Examples
        --------
        >>> for stream, block in zip(engine.streams, engine.read(8)):
        ...     send(stream.seed, block)
        """
        frames = frame_count(frames, "read")
        if not isinstance(streams, Iterable | None):
            raise StreamError(f"read: {streams!r:.60} is not a list of streams; give [stream], or leave it out")
        chosen = self.streams if streams is None else list(streams)
        self._check(chosen)
        with ExitStack() as locks:
            for stream in sorted(chosen, key=id):  # one order in all threads, so that they cannot deadlock
                locks.enter_context(stream.lock)
            if streams is None:  # a stream may have been closed since it was listed
                chosen = [stream for stream in chosen if not stream.closed]
            for stream in chosen:
                stream.check_open()
            controls = [stream.controls for stream in chosen]
            blocks, states = self.stepper.advance(frames, [stream.state for stream in chosen], controls)
            for stream, state in zip(chosen, states, strict=True):
                stream.state = state
        return blocks

    def __reduce__(self) -> tuple[Callable[..., "Engine"], tuple[object, ...]]:
        """Pickle the arguments of `load`, so that another process loads the same engine. Its streams stay here."""
        graphs, path = self.stepper.graphs, self.voice.path
        where = path.name if path.parent == BUNDLED else path  # another process may have the package elsewhere
        chosen = graphs.options
        given = (self.rows, self.precision, chosen.threads, chosen.spinning, chosen.cuda_graphs, self.voice.trust)
        return type(self).load, (where, graphs.device, *given)

    def _check(self, streams: Sequence[Stream]) -> None:
        """Raise `StreamError` unless these are different streams of this engine."""
        if len({id(stream) for stream in streams}) != len(streams):
            raise StreamError("read: a stream is given twice; give each stream once")
        for stream in streams:
            if not isinstance(stream, Stream):
                raise StreamError(f"read: {stream!r} is not a stream; open one with engine.stream()")
            if stream.stepper is not self.stepper:
                raise StreamError("read: a stream belongs to another engine; read it with that engine")
