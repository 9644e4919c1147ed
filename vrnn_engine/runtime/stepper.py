"""Steps states of a voice, a batch at a time: computes frames and new states from noise, states and controls.

Threading contract: any thread may call any method. A call does not change the states that it is given; during the call,
no other thread may use their noise sources. With CUDA graphs, everything that runs on the GPU runs in one thread; see
`graph/cuda_graphs.py`.
"""

import functools
import operator
from collections.abc import Iterable, Sequence
from typing import NoReturn

import numpy as np

from vrnn_engine.errors import NotFiniteError, StreamError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.graph.batch_memory import BatchMemory
from vrnn_engine.runtime.graph.batch_pool import BatchPool
from vrnn_engine.runtime.graph.binding import StepBatch
from vrnn_engine.runtime.graph.session import DEFAULT_OPTIONS, LATENT_OUTPUTS, EngineOptions
from vrnn_engine.runtime.graph.voice_graphs import VoiceGraphs
from vrnn_engine.runtime.noise import AHEAD, NoiseSource
from vrnn_engine.runtime.stream_state import StreamState
from vrnn_engine.runtime.voice.voice import Voice


class Stepper:
    """Steps any number of states of one voice, in batches of up to `rows` states.

    Parameters
    ----------
    voice : Voice
    graphs : VoiceGraphs
        The voice's graphs on a device.
    rows : int
        Largest number of states stepped as one batch; more states are stepped in several batches.

    Attributes
    ----------
    voice : Voice
    graphs : VoiceGraphs
    rows : int
    noise_widths : dict of str to int
        Number of values per frame, by the name of the noise without the prefix `noise.`.
    pool : BatchPool
        Buffers of the batches.

    Raises
    ------
    StreamError
        `rows` is not a positive integer, or a batch of that size exceeds the available memory.
    """

    def __init__(self, voice: Voice, graphs: VoiceGraphs, rows: int = 1) -> None:
        self.voice = voice
        self.graphs = graphs
        self.rows = row_count(rows)
        self.noise_widths = {name: shape[0] for name, shape in graphs.step.noise.items()}
        self._memory = BatchMemory(voice.name, graphs.step)
        self._memory.require_batch(self.rows)
        self.pool = BatchPool(graphs.step, self._memory, graphs.captured)
        if graphs.captured:
            graphs.call(self.pool.prepare, self.rows)

    @classmethod
    def load(
        cls,
        voice: Voice,
        device: str = "auto",
        rows: int = 1,
        precision: str | None = None,
        options: EngineOptions = DEFAULT_OPTIONS,
    ) -> "Stepper":
        """Load a voice's step graph on a device; parameters and errors are those of `Engine.load`."""
        rows = row_count(rows)  # checked before loading the graphs, which takes long
        return cls(voice, VoiceGraphs(voice, device, precision, options), rows)

    @functools.cached_property
    def fingerprint(self) -> str:
        """`Voice.fingerprint` of the precision in use."""
        return self.voice.fingerprint(self.graphs.precision)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, and thus to let a stream be pickled, or what plays one."""
        raise StreamError(
            "a stream cannot be pickled; pickle its engine and stream.snapshot(), and restore it in a stream there"
        )

    def initial_state(self, seed: int) -> StreamState:
        """Return the zero state with the noise of a seed; raise `StreamError` if the seed is out of range."""
        step = self.graphs.step
        noise = NoiseSource(seed, self.noise_widths)
        return StreamState(step.zero_state(), 0, np.zeros(step.latent_shape, np.float32), noise)

    def advance(
        self, frames: int, states: Sequence[StreamState], controls: Sequence[Controls]
    ) -> tuple[list[np.ndarray], list[StreamState]]:
        """Step all states by a number of frames.

        Parameters
        ----------
        frames : int
            0 or more.
        states : sequence of StreamState
        controls : sequence of Controls
            The controls of each state. They are read before each frame, so that a write takes effect in the next frame.

        Returns
        -------
        blocks : list of float32 arrays
            Frames of each state: [frames * frame_size] samples, or for a pen [frames, frame_size].
        states : list of StreamState
            The states after these frames.

        Raises
        ------
        NotFiniteError
            A frame is not finite.
        StreamError
            The memory does not suffice.
        ProviderError
            onnxruntime failed, for example because a GPU was lost.
        """
        rows = min(self.rows, len(states))
        # The frames of a batch, and a copy for each stream; with one row they are the same array.
        values = (len(states) + (rows if rows > 1 else 0)) * frames * self.voice.manifest.frame_size
        self._memory.require_frames(4 * values, rows, frames, len(states))
        try:
            return self.graphs.call(self._advance, frames, states, controls)
        except Exception as error:
            self._memory.translate(error, 4 * values, rows, frames, len(states))
            raise

    def observe(
        self, blocks: Iterable[np.ndarray], state: StreamState, controls: Controls, trace: bool = True
    ) -> tuple[dict[str, np.ndarray], StreamState]:
        """Run the observe graph over frames.

        Parameters
        ----------
        blocks : iterable of float32 arrays [n, frame_size]
            A recording in the units of the voice.
        state : StreamState
        controls : Controls
            They are read before each frame.
        trace : bool
            Whether to keep the outputs of all frames; otherwise only of the last one.

        Returns
        -------
        outputs : dict of str to float32 array [T, ...]
            `log_likelihood`, and `LATENT_OUTPUTS` if the voice has latents.
        state : StreamState
            The state after these frames.

        Raises
        ------
        VoiceError
            The voice has no observe graph.
        StreamError
            An output or the state is not finite, or the memory does not suffice.
        ProviderError
            onnxruntime failed, for example because a GPU was lost.
        """
        kept: dict[str, list[np.ndarray]] = {}
        for block in blocks:
            outputs, state = self._observe(block, state, controls)
            for name, values in outputs.items():
                if trace:
                    kept.setdefault(name, []).append(values)
                else:
                    kept[name] = [values[-1:]]
        return {name: np.concatenate(values) for name, values in kept.items()}, state

    def _observe(
        self, block: np.ndarray, state: StreamState, controls: Controls
    ) -> tuple[dict[str, np.ndarray], StreamState]:
        """Observe a block [n, frame_size]."""
        graph = self.graphs.observe
        names = ("log_likelihood", *(name for name in LATENT_OUTPUTS if name in graph.outputs))
        found: dict[str, list[np.ndarray]] = {name: [] for name in names}
        arrays = state.arrays
        for t, frame in enumerate(block):
            noise = {name: row[np.newaxis] for name, row in state.noise.at(state.frame + t).items()}
            try:
                arrays, outputs = self.graphs.call(graph.run, arrays, noise, controls.table, frame[np.newaxis])
            except Exception as error:
                self._memory.translate(error, 0, rows=1)
                raise
            for name in names:
                found[name].append(outputs[name][0])
        stacked = {name: np.stack(values).astype(np.float32, copy=False) for name, values in found.items()}
        for name, values in (*stacked.items(), *arrays.items()):
            if not np.isfinite(values).all():
                raise StreamError(
                    f"voice {self.voice.name!r}: {name} is not finite while observing; the stream has not moved; "
                    "check the level of the recording, or reset the controls"
                )
        latent = stacked["latent"][-1].copy() if "latent" in stacked else state.latent
        return stacked, StreamState(arrays, state.frame + len(block), latent, state.noise)

    def _advance(
        self, frames: int, states: Sequence[StreamState], controls: Sequence[Controls]
    ) -> tuple[list[np.ndarray], list[StreamState]]:
        """Step one batch after the other."""
        flat = self.voice.manifest.modality != "pen"
        blocks: list[np.ndarray] = []
        reached: list[StreamState] = []
        for first in range(0, len(states), self.rows):
            part = states[first : first + self.rows]
            with self.pool.lend(self.rows if self.graphs.captured else len(part)) as batch:
                made = self._step(batch, frames, part, controls[first : first + self.rows])
                after, latents = batch.states(), batch.latents()
            if not np.isfinite(made).all():
                self._check_finite(made, part)
            for row, state in enumerate(part):
                # A copy, so that the block of one stream does not keep the blocks of the others in memory.
                block = made[row].copy() if len(made) > 1 else made[0]
                blocks.append(block.reshape(-1) if flat else block)
                latent = latents[row] if frames else state.latent
                reached.append(StreamState(after[row], state.frame + frames, latent, state.noise))
        return blocks, reached

    def _step(
        self, batch: StepBatch, frames: int, states: Sequence[StreamState], controls: Sequence[Controls]
    ) -> np.ndarray:
        """Step one batch from these states; return the frames of its rows, [rows, frames, frame_size]."""
        made = np.empty((batch.rows, frames, self.voice.manifest.frame_size), np.float32)
        batch.load_states([state.arrays for state in states])
        for t in range(frames):
            changed = False
            for row, one in enumerate(controls):
                table = one.table
                if table is not batch.tables[row]:  # a new object after each write
                    for name, values in batch.controls.items():
                        values[row] = table[name][0]
                    batch.tables[row], changed = table, True
            if changed:
                batch.send_controls()
            if t % AHEAD == 0:
                ahead = _draw(batch, min(AHEAD, frames - t), [(state.noise, state.frame + t) for state in states])
            for name, values in ahead.items():
                batch.noise[name][:] = values[t % AHEAD]
            batch.step()
            made[:, t] = batch.frame
        return made

    def _check_finite(self, made: np.ndarray, states: Sequence[StreamState]) -> None:
        """Raise for the first state whose frames are not finite; rows after the states are unused."""
        for state, block in zip(states, made, strict=False):
            if not np.isfinite(block).all():
                raise NotFiniteError(
                    f"voice {self.voice.name!r} with seed {state.noise.seed} generated a frame that is not finite "
                    f"after frame {state.frame}; reset its controls, or open a new stream"
                )


def row_count(rows: int) -> int:
    """Return `rows` as a plain int; raise `StreamError` unless it is a positive integer."""
    try:
        number = 0 if isinstance(rows, bool) else operator.index(rows)
    except TypeError:
        number = 0
    if number < 1:
        raise StreamError(f"rows={rows!r} is not a positive integer: an engine steps at least one stream")
    return number


def _draw(batch: StepBatch, frames: int, sources: list[tuple[NoiseSource, int]]) -> dict[str, np.ndarray]:
    """Return the noise of the next frames: name -> [frames, rows, width]; `sources` has each row's source and frame."""
    ahead = {name: np.zeros((frames, *values.shape), np.float32) for name, values in batch.noise.items()}
    for row, (source, frame) in enumerate(sources):
        source.fill(frame, frames, ahead, row)
    return ahead
