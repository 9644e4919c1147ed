"""A loaded voice that steps streams: each alone, or many of them as one batch.

Threading contract
------------------
Any thread may call anything.  Two threads may read two streams at once; a second caller on the same
stream waits for the first.  With CUDA graphs whatever runs on the GPU takes turns, see `captured.py`.
The engine holds no state of any stream: only who is open.
"""

import functools
import math
import operator
import os
import secrets
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from vrnn_engine.errors import NotFiniteError, ProviderError, StreamError, VoiceError
from vrnn_engine.runtime.frames import frame_count
from vrnn_engine.runtime.graph import memory
from vrnn_engine.runtime.graph.binding import CPU, Arrays, Batch
from vrnn_engine.runtime.graph.provider import of_onnxruntime, reason_of, suited
from vrnn_engine.runtime.graph.session import GUEST, GraphSession, Options
from vrnn_engine.runtime.noise import AHEAD, NoiseSource
from vrnn_engine.runtime.stream import Stream
from vrnn_engine.runtime.voice.manifest import Graph
from vrnn_engine.runtime.voice.voice import Voice

IDLE = 4
"""Batches that are kept for the next read of as many rows."""


class Engine:
    """A voice on a device.

    Use `Engine.load`.

    Attributes
    ----------
    voice : Voice
    provider : str
        What it really runs on, e.g. `CPUExecutionProvider`.
    rows : int
        How many streams are stepped as one batch.
    precision : str
        Of the weights that are stepped: `fp32`, `int8`, ...
    """

    def __init__(
        self,
        voice: Voice,
        device: str = "auto",
        rows: int = 1,
        precision: str | None = None,
        options: Options = GUEST,
    ) -> None:
        self.voice = voice
        self.rows = row_count(rows)
        self.device = device
        self.options = options
        graph = voice.graph("step", precision)
        self._call = _one_thread() if options.cuda_graphs else _here

        def load(graph: Graph, device: str, options: Options) -> GraphSession:
            session: GraphSession = self._call(
                GraphSession, voice.path, graph, voice.manifest.controls, device, options
            )
            return session

        self.step = load(graph, device, options)
        # Only now: what a device is asked for is not always what it runs on.
        carried = [graph.precision for graph in voice.manifest.graphs if graph.role == "step"]
        self.precision = suited(self.step.provider, carried) if precision is None else precision
        if self.precision != graph.precision:
            self.step = load(voice.graph("step", self.precision), device, options)
        if precision is None and suited(self.step.provider, carried) != self.precision:
            # CUDA had the one and not the other, and `auto` fell back.
            self.precision = suited(self.step.provider, carried)
            self.step = load(voice.graph("step", self.precision), "cpu", replace(options, cuda_graphs=False))
        if self.step.frame_shape != (voice.manifest.frame_size,):
            raise VoiceError(f"{self.step.where}: frame is not the manifest's frame_size, {voice.manifest.frame_size}")
        self.provider = self.step.provider
        self.widths = {name: shape[0] for name, shape in self.step.noise.items()}
        memory.require(self._bytes(self.rows), self._work(self.rows))
        self._observe: GraphSession | None = None
        # Weak, so that a stream nobody holds any more frees its row.
        self._open: weakref.WeakValueDictionary[int, Stream] = weakref.WeakValueDictionary()
        self._opened = 0
        self._idle: list[Batch] = []
        self._changing, self._loading = threading.Lock(), threading.Lock()
        self._captured = options.cuda_graphs and self.step.place != CPU
        if self._captured:
            self._idle.append(self._call(self._make_batch, self.rows))
        else:
            self._call = _here

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
    ) -> "Engine":
        """Load a voice.

        Parameters
        ----------
        where : str, path or Voice
            Name of a bundled or installed voice, a folder, or a .zip.
        device : str
            `auto` (CUDA where it runs, else the CPU), `cpu`, `cuda` or `cuda:N`.
        rows : int
            How many streams are stepped as one batch; more of them take turns.
        precision : str, optional
            One that the voice carries (`voices show` lists them); if not given its first, fp32 of most, or fp16
            on CUDA where it carries that.
        threads : int
            How many of the processor's threads share a step; what it computes is the same, bit for bit.
        spinning : bool
            Whether they keep their cores busy while they wait for one another: faster, at the cost of the
            application's own threads.
        cuda_graphs : bool
            Whether a step on a GPU is launched as one CUDA graph.  All `rows` are stepped then, however few
            streams there are.  While the engine is being loaded, no other thread of the process may use CUDA.
            Not of a voice that CUDA has not all nodes of: the bundled `blizzard` has a DFT, which a GPU leaves to the
            processor; `handwriting` has none.

        Raises
        ------
        VoiceError
            The voice is unknown or damaged, or does not carry the precision.
        ProviderError
            The device cannot run here, not with so many threads, or the voice not with CUDA graphs.
        StreamError
            `rows` is no number of rows, or of more than the memory has room for.
        """
        return cls(Voice.open(where), device, rows, precision, Options(threads, spinning, cuda_graphs))

    @functools.cached_property
    def fingerprint(self) -> str:
        """`Voice.fingerprint` of what is stepped."""
        return self.voice.fingerprint(self.precision)

    @property
    def streams(self) -> list[Stream]:
        """The open streams, in the order they were opened."""
        with self._changing:
            return [stream for _, stream in sorted(self._open.items())]

    @property
    def observe(self) -> GraphSession:
        """The observe graph, loaded when it is first needed; raises `VoiceError` if there is none."""
        with self._loading:  # no lock that a read takes: this may wait for one that is under way
            if self._observe is None:
                self._observe = self._call(self._load_observe)
            return self._observe

    def stream(self, seed: int | None = None) -> Stream:
        """Open a stream in zero state, with default controls.

        Parameters
        ----------
        seed : int, optional
            0 to 2**64-1; a random one of 32 bits if not given.

        Raises
        ------
        StreamError
            The seed is not an integer in that range.
        """
        return self._admit(Stream(self, secrets.randbits(32) if seed is None else seed))

    def read(self, frames: int, streams: Sequence[Stream] | None = None) -> list[np.ndarray]:
        """Step streams together, up to `rows` of them as one batch.

        Parameters
        ----------
        frames : int
            How many frames to take from each.
        streams : sequence of Stream, optional
            Which; all open ones, in the order they were opened, if not given.

        Returns
        -------
        list of float32 arrays
            Each stream's block in the same order, as `Stream.read` gives it.

        Raises
        ------
        StreamError
            A stream is closed, given twice, none at all, or of another engine, its frames are not finite, or the memory
            does not suffice for so many.  No stream has moved then.
        ProviderError
            onnxruntime failed, as where a GPU was lost.  No stream has moved then either.
        """
        frames = frame_count(frames, "read")
        chosen = self.streams if streams is None else list(streams)
        if len({id(stream) for stream in chosen}) != len(chosen):
            raise StreamError("read: a stream is given twice")
        for stream in chosen:
            if not isinstance(stream, Stream):
                raise StreamError(f"read: {stream!r} is not a stream")
            if stream.engine is not self:
                raise StreamError("read: a stream belongs to another engine")
        with ExitStack() as held:
            for stream in sorted(chosen, key=id):  # one order for all threads, so that none waits in a circle
                held.enter_context(stream._lock)
            if streams is None:  # one may have been closed since it was listed
                chosen = [stream for stream in chosen if not stream.closed]
            for stream in chosen:
                stream._check_open()
            return self._read(frames, chosen)

    def _observed(self, *given: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """`GraphSession.run` of the observe graph, where this engine's graphs are run."""
        try:
            found: tuple[dict[str, np.ndarray], dict[str, np.ndarray]] = self._call(self.observe.run, *given)
        except Exception as error:
            self._explain(error, self._bytes(1), self._work(1))
            raise
        return found

    def _read(self, frames: int, streams: list[Stream]) -> list[np.ndarray]:
        rows = min(self.rows, len(streams))
        # By a batch, and for each stream; of a batch of one they are the same.
        made = 4 * (len(streams) + (rows if rows > 1 else 0)) * frames * self.voice.manifest.frame_size
        if made > memory.SMALL:
            memory.require(made, self._work(rows, frames, len(streams)))
        try:
            blocks, states, latents = self._call(self._advance, frames, streams)
        except Exception as error:
            self._explain(error, made + self._bytes(rows), self._work(rows, frames, len(streams)))
            raise
        for stream, reached, latent in zip(streams, states, latents, strict=True):
            stream._state = reached
            stream._frame += frames
            stream._latent = latent if frames else stream._latent
        return blocks if self.voice.manifest.modality == "pen" else [block.reshape(-1) for block in blocks]

    def _advance(self, frames: int, streams: list[Stream]) -> tuple[list[np.ndarray], list[Arrays], list[np.ndarray]]:
        """Step all from where they are, a batch after the other; changes no stream.

        Returns
        -------
        blocks, states, latents : lists of what each made, its state, and its last frame's latent
        """
        blocks: list[np.ndarray] = []
        states: list[Arrays] = []
        latents: list[np.ndarray] = []
        for first in range(0, len(streams), self.rows):
            part = streams[first : first + self.rows]
            with self._batch(self.rows if self._captured else len(part)) as batch:
                made = self._step(batch, frames, part)
                states += batch.states()[: len(part)]
                latents += list(batch.latents()[: len(part)])
            if not np.isfinite(made).all():
                self._refuse(made, part)
            # Copies, so that a stream's block does not keep the others' alive.
            blocks += [made[row].copy() for row in range(len(part))] if len(made) > 1 else [made[0]]
        return blocks, states, latents

    def _refuse(self, made: np.ndarray, streams: list[Stream]) -> None:
        """Raise for the first of these streams that made what is not finite; rows after them are nobody's."""
        for stream, block in zip(streams, made, strict=False):
            if not np.isfinite(block).all():
                raise NotFiniteError(
                    f"voice {self.voice.name!r} with seed {stream.seed} gave a frame that is not finite "
                    f"after frame {stream.frame}; reset its controls, or open a new stream"
                )

    def _step(self, batch: Batch, frames: int, streams: list[Stream]) -> np.ndarray:
        """Step one batch from where its streams are: the frames [B, T, F] of its rows; changes no stream."""
        made = np.empty((batch.rows, frames, self.voice.manifest.frame_size), np.float32)
        batch.load([stream._state for stream in streams])
        for t in range(frames):
            steered = False
            for row, stream in enumerate(streams):
                table = stream.controls.table
                if table is not batch.tables[row]:  # a new object after a write
                    for name, values in batch.controls.items():
                        values[row] = table[name][0]
                    batch.tables[row], steered = table, True
            if steered:
                batch.steer()
            if t % AHEAD == 0:
                ahead = self._draw(batch, min(AHEAD, frames - t), [(one._noise, one._frame + t) for one in streams])
            for name, values in ahead.items():
                batch.noise[name][:] = values[t % AHEAD]
            batch.step()
            made[:, t] = batch.frame
        return made

    def _draw(self, batch: Batch, frames: int, sources: list[tuple[NoiseSource, int]]) -> dict[str, np.ndarray]:
        """Return the noise of the next frames of all rows: name -> [frames, rows, width]."""
        ahead = {name: np.zeros((frames, *values.shape), np.float32) for name, values in batch.noise.items()}
        for row, (source, frame) in enumerate(sources):
            source.fill(frame, frames, ahead, row)
        return ahead

    @contextmanager
    def _batch(self, rows: int) -> Iterator[Batch]:
        """Lend buffers of so many rows to one thread."""
        with self._changing:
            batch = next((one for one in self._idle if one.rows == rows), None)
            if batch is not None:
                self._idle.remove(batch)
        batch = batch or self._make_batch(rows)
        kept = self._captured  # even if its read fails: to capture another would disturb all that use CUDA
        try:
            yield batch
            kept = True
        finally:
            if kept:
                with self._changing:
                    self._idle = [batch, *self._idle[: IDLE - 1]]

    def _make_batch(self, rows: int) -> Batch:
        memory.require(self._bytes(rows), self._work(rows))
        if not self._captured:
            return Batch(self.step, rows)
        from vrnn_engine.runtime.graph.cuda_graphs import Captured

        return Captured(self.step, rows)

    def _bytes(self, rows: int) -> int:
        """About what it takes to step so many streams as one batch, whatever they make."""
        # A stream has its state, gets the next one, and draws its noise ahead.
        state = sum(map(math.prod, self.step.state.values()))
        return rows * (self.step.row_bytes(rows) + 4 * (2 * state + AHEAD * sum(self.widths.values())))

    def _explain(self, error: Exception, need: int, what: str) -> None:
        """Raise in its place what an error of onnxruntime means: too little memory, a GPU that was lost."""
        if memory.exhausted(error):
            on_gpu = self.step.place != CPU and not isinstance(error, MemoryError)  # that is numpy's, of the processor
            raise memory.gpu_shortage(what) if on_gpu else memory.shortage(need, what) from None
        if of_onnxruntime(error):
            raise ProviderError(
                f"voice {self.voice.name!r}: onnxruntime failed on {self.provider}: {reason_of(error)}; "
                "load the voice again, with device='cpu' if it keeps failing"
            ) from error

    def _work(self, rows: int, frames: int = 0, streams: int = 0) -> str:
        """Name what memory is needed for."""
        what = f"voice {self.voice.name!r} with rows={rows}"
        return f"{what}, frames={frames} of {streams} streams" if frames else what

    def _load_observe(self) -> GraphSession:
        voice = self.voice
        # Where the step graph runs: its device was settled, and announced, when that was loaded.
        device = "cpu" if self.provider == "CPUExecutionProvider" else self.device
        options = replace(self.options, cuda_graphs=False)  # it is run as it comes, one row at a time
        observe = GraphSession(voice.path, voice.graph("observe"), voice.manifest.controls, device, options)
        if observe.state != self.step.state:
            raise VoiceError(f"{observe.where}: its state is not that of the step graph")
        if tuple(voice.graph("observe").inputs["frame"]) != (voice.manifest.frame_size,):
            raise VoiceError(f"{observe.where}: frame is not the manifest's frame_size, {voice.manifest.frame_size}")
        if not observe.noise.items() <= self.step.noise.items():
            raise VoiceError(f"{observe.where}: it takes noise that the step graph does not")
        return observe

    def __del__(self) -> None:
        if self.__dict__.get("_call", _here) is not _here:
            from vrnn_engine.runtime.graph.cuda_graphs import drop

            drop(self.__dict__)

    def _admit(self, stream: Stream) -> Stream:
        """Count a stream in; from here on `read` steps it with the others."""
        with self._changing:
            self._opened += 1
            stream._key = self._opened
            self._open[stream._key] = stream
            return stream

    def _release(self, stream: Stream) -> None:
        with self._changing:
            self._open.pop(stream._key, None)


def _here(call: Callable[..., Any], *args: Any) -> Any:
    return call(*args)


def row_count(rows: int) -> int:
    """Return a number of rows as a plain int; raise `StreamError` unless it is one, 1 or more."""
    try:
        number = 0 if isinstance(rows, bool) else operator.index(rows)
    except TypeError:
        number = 0
    if number < 1:
        raise StreamError(f"rows={rows!r}: an engine needs room for at least one stream")
    return number


def _one_thread() -> Callable[..., Any]:
    from vrnn_engine.runtime.graph.cuda_graphs import in_one_thread

    return in_one_thread
