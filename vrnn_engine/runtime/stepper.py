"""Steps states of a voice, a batch at a time: computes frames and new states from noise, states and controls.

Threading contract: any thread may call any method. A call does not change the states that it is given; during the call,
no other thread may use their noise sources. With CUDA graphs, everything that runs on the GPU runs in one thread; see
`graph/cuda_graphs.py`.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.controls import Controls
from vrnn_engine.runtime.frames import row_count
from vrnn_engine.runtime.graph.arrays import Arrays
from vrnn_engine.runtime.graph.batch_memory import BatchMemory
from vrnn_engine.runtime.graph.batch_pool import BatchPool
from vrnn_engine.runtime.graph.binding import StepBatch
from vrnn_engine.runtime.graph.session import DEFAULT_OPTIONS, EngineOptions, GraphSession
from vrnn_engine.runtime.graph.voice_graphs import VoiceGraphs
from vrnn_engine.runtime.noise import AHEAD, NoiseSource, draw_rows
from vrnn_engine.runtime.stream_state import StreamState
from vrnn_engine.runtime.voice.manifest import LATENT_OUTPUTS
from vrnn_engine.runtime.voice.text import POSITION
from vrnn_engine.runtime.voice.voice import Voice

if TYPE_CHECKING:
    from vrnn_engine.runtime.writing.observed_text import ObservedText
    from vrnn_engine.runtime.writing.row import Script
    from vrnn_engine.runtime.writing.writer import Writer


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
        self._writer: Writer | None = None
        if voice.manifest.text is not None:
            from vrnn_engine.runtime.writing import writer  # other voices start without it

            self._writer = writer.Writer.of(voice, self.pool, self.rows, fixed=graphs.captured)

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

    def require_script(self) -> "Script":
        """Return how the voice writes; raise `StreamError` if it reads no text."""
        if self._writer is None:
            raise StreamError(
                f"voice {self.voice.name!r} writes no text; load a voice that does, for example 'handwriting'"
            )
        return self._writer.script

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, and thus to let a stream be pickled, or what plays one."""
        raise StreamError(
            "a stream cannot be pickled; pickle its engine and stream.snapshot(), and restore it in a stream there"
        )

    def initial_state(self, seed: int) -> StreamState:
        """Return the zero state with the noise of a seed; raise `StreamError` if the seed is out of range."""
        step = self.graphs.step
        noise = NoiseSource(seed, self.noise_widths)
        state = StreamState(step.zero_state(), 0, np.zeros(step.latent_shape, np.float32), noise)
        return state if self._writer is None else self._writer.begin(state)

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
            Frames of each state: [frames * frame_size] samples, for stereo [frames * frame_size / 2, 2], or for a pen
            [frames, frame_size].
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
        return self._guarded(frames, states, controls)

    def write_next(self, state: StreamState, controls: Controls) -> tuple[np.ndarray, StreamState]:
        """Return the frames [n, F] up to the end of a word, none if all is written, and the state after them."""
        (block,), (state,) = self._guarded(None, [state], [controls])
        return block, state

    def observe(
        self,
        blocks: Iterable[np.ndarray],
        state: StreamState,
        controls: Controls,
        trace: bool = True,
        text: str | None = None,
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
        text : str, optional
            The text of the ink: one line. It is unknown by default.

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
        shown, state = (None, state) if self._writer is None else self._writer.show_text(text, state)
        for block in blocks:
            outputs, state = self._observe(block, state, controls, shown)
            for name, values in outputs.items():
                if trace:
                    kept.setdefault(name, []).append(values)
                else:
                    kept[name] = [values[-1:]]
        return {name: np.concatenate(values) for name, values in kept.items()}, state

    def run(
        self,
        graph: GraphSession,
        arrays: Arrays,
        noise: Arrays,
        controls: Controls,
        frame: np.ndarray,
        characters: np.ndarray | None = None,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Run a graph that reads a frame [F], with noise [width]; return what `GraphSession.run` does."""
        rows = {name: values[np.newaxis] for name, values in noise.items()}
        try:
            return self.graphs.call(graph.run, arrays, rows, controls.table, frame[np.newaxis], characters)
        except Exception as error:
            self._memory.translate(error, 0, rows=1)
            raise

    def _guarded(
        self, frames: int | None, states: Sequence[StreamState], controls: Sequence[Controls]
    ) -> tuple[list[np.ndarray], list[StreamState]]:
        """Step all states after checking the memory, in the thread that may do so, and translate its errors."""
        rows, count = min(self.rows, len(states)), frames or 0
        # The frames of a batch, and a copy for each stream; with one row they are the same array.
        values = (len(states) + (rows if rows > 1 else 0)) * count * self.voice.manifest.frame_size
        self._memory.require_frames(4 * values, rows, count, len(states))
        try:
            if self._writer is None:
                return self.graphs.call(self._advance, count, states, controls)
            return self.graphs.call(self._writer.write, frames, states, controls)
        except Exception as error:
            self._memory.translate(error, 4 * values, rows, count, len(states))
            raise

    def _observe(
        self, block: np.ndarray, state: StreamState, controls: Controls, shown: "ObservedText | None"
    ) -> tuple[dict[str, np.ndarray], StreamState]:
        """Observe a block [n, frame_size]."""
        graph = self.graphs.observe
        names = ("log_likelihood", *(name for name in LATENT_OUTPUTS if name in graph.outputs))
        found: dict[str, list[np.ndarray]] = {name: [] for name in names}
        arrays = state.arrays
        for t, frame in enumerate(block):
            characters = None if shown is None else shown.characters
            arrays, outputs = self.run(graph, arrays, state.noise.at(state.steps + t), controls, frame, characters)
            for name in names:
                found[name].append(outputs[name][0])
            if shown is not None:
                arrays = shown.follow(arrays, float(outputs[POSITION][0]))
        stacked = {name: np.stack(values).astype(np.float32, copy=False) for name, values in found.items()}
        state.require_observed(self.voice.name, [*stacked.items(), *arrays.items()])
        latent = stacked["latent"][-1].copy() if "latent" in stacked else state.latent
        return stacked, state.stepped(arrays, len(block), latent)

    def _advance(
        self, frames: int, states: Sequence[StreamState], controls: Sequence[Controls]
    ) -> tuple[list[np.ndarray], list[StreamState]]:
        """Step one batch after the other."""
        shape = self.voice.manifest.block_shape
        blocks: list[np.ndarray] = []
        reached: list[StreamState] = []
        for first in range(0, len(states), self.rows):
            part = states[first : first + self.rows]
            with self.pool.lend(self.rows if self.graphs.captured else len(part)) as batch:
                made = self._step(batch, frames, part, controls[first : first + self.rows])
                after, latents, priors = batch.states(), batch.latents(), batch.priors()
            if not np.isfinite(made).all():
                for state, block in zip(part, made, strict=False):  # rows after the states are unused
                    state.require_finite(self.voice.name, block)
            for row, state in enumerate(part):
                # A copy, so that the block of one stream does not keep the blocks of the others in memory.
                block = made[row].copy() if len(made) > 1 else made[0]
                blocks.append(block.reshape(shape))
                latent, prior = (latents[row], priors[row]) if frames else (state.latent, state.prior)
                reached.append(state.stepped(after[row], frames, latent, prior))
        return blocks, reached

    def _step(
        self, batch: StepBatch, frames: int, states: Sequence[StreamState], controls: Sequence[Controls]
    ) -> np.ndarray:
        """Step one batch from these states; return the frames of its rows, [rows, frames, frame_size]."""
        made = np.empty((batch.rows, frames, self.voice.manifest.frame_size), np.float32)
        batch.load_states([state.arrays for state in states])
        for t in range(frames):
            batch.load_controls(enumerate(one.table for one in controls))
            if t % AHEAD == 0:
                sources = [(state.noise, state.frame + t) for state in states]
                ahead = draw_rows(min(AHEAD, frames - t), sources, batch.noise)
            for name, values in ahead.items():
                batch.noise[name][:] = values[t % AHEAD]
            batch.step()
            made[:, t] = batch.frame
        return made
