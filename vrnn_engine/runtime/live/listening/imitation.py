"""Imitates an input frame by frame: a latent is drawn from the posterior of each frame, and a frame from the latent."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.graph.arrays import Arrays
from vrnn_engine.runtime.stream import Stream
from vrnn_engine.runtime.voice.manifest import OWN, OWN_FRAME


class SeenFrame(NamedTuple):
    """The results of observing a frame.

    Attributes
    ----------
    latent : float32 array [Z]
        Sample of the posterior.
    kl : float
        KL(posterior || prior) in nats.
    log_likelihood : float
        Log-likelihood of the frame in nats.
    """

    latent: np.ndarray
    kl: float
    log_likelihood: float


class Imitator(ABC):
    """Lets a stream imitate frames.

    Parameters
    ----------
    stream : Stream
        The stream that imitates.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    @abstractmethod
    def imitate(self, frame: np.ndarray) -> tuple[np.ndarray, SeenFrame]:
        """Imitate a frame [F]; return the stream's frame as `Stream.read` does, and what was observed."""

    @abstractmethod
    def restart(self) -> None:
        """Observe from the state of the stream on, which has just been replaced by that of another stream."""

    def set_controls(self, values: Mapping[str, np.ndarray]) -> None:
        """Set the controls, for the latent of the posterior and for the frame that is drawn."""
        self._stream.controls.restore(values)

    def reseed(self, seed: int) -> None:
        """Use the noise of another seed from here on."""
        self._stream.reseed(seed)

    def close(self) -> None:
        """Close what was opened for this; the stream stays open."""
        return


def imitator_for(stream: Stream) -> Imitator:
    """Return what lets a stream imitate an input.

    Parameters
    ----------
    stream : Stream
        From now on it must be read only by the imitator.

    Raises
    ------
    VoiceError
        The graph cannot be loaded, or there is none.
    StreamError
        The voice has no latents that can be held.
    """
    if stream.voice.manifest.has("resynthesise"):
        return GraphImitator(stream)
    if "latent.target" not in stream.controls:
        raise StreamError(f"voice {stream.voice.name!r} has no latents to resynthesise from; observe or continue")
    return LatentImitator(stream)


class GraphImitator(Imitator):
    """Imitates by a graph that observes and generates in one step.

    Latent and frame are drawn given the state that observes the input.  Only what the sound must continue, such as its
    last samples, follows the imitation: the states `own.NAME` of the graph.

    Parameters
    ----------
    stream : Stream
        After each frame, its state is the one that has observed the input, except that the states `own.NAME` are those
        of the imitation.
    """

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._graph = stream.stepper.graphs.resynthesise
        self._own = [name.removeprefix(OWN) for name in self._graph.state if name.startswith(OWN)]
        self._heard: Arrays = stream.state.arrays

    def imitate(self, frame: np.ndarray) -> tuple[np.ndarray, SeenFrame]:
        """Imitate a frame [F]; return the stream's frame as `Stream.read` does, and what was observed."""
        stream = self._stream
        with stream.lock:
            stream.check_open()
            state = stream.state
            arrays = {**self._heard, **{OWN + name: state.arrays[name] for name in self._own}}
            noise = state.noise.at(state.steps)
            after, outputs = stream.stepper.run(self._graph, arrays, noise, stream.controls, frame)
            heard = {name: values for name, values in after.items() if not name.startswith(OWN)}
            own = {name: after[OWN + name] for name in self._own}
            made = outputs.pop(OWN_FRAME)
            state.require_observed(stream.voice.name, [*outputs.items(), *heard.items()])
            state.require_finite(stream.voice.name, made, *own.values())
            latent = outputs["latent"][0]
            self._heard, stream.state = heard, state.stepped({**heard, **own}, 1, latent)
        seen = SeenFrame(latent, float(outputs["kl"][0]), float(outputs["log_likelihood"][0]))
        return made[0].reshape(stream.voice.manifest.block_shape), seen

    def restart(self) -> None:
        """Observe from the state of the stream on, which has just been replaced by that of another stream."""
        self._heard = self._stream.state.arrays


class LatentImitator(Imitator):
    """Imitates by two streams, for a voice without such a graph: one observes, and its latents are held in the other.

    Parameters
    ----------
    stream : Stream
        The stream that generates.
    """

    def __init__(self, stream: Stream) -> None:
        _ = stream.stepper.graphs.observe  # loaded here, so that the first frame does not wait for it
        super().__init__(stream)
        self._listener = stream.fork(stream.seed)
        self._held: object = None  # the last table of the stream's controls, if it holds the latent

    def imitate(self, frame: np.ndarray) -> tuple[np.ndarray, SeenFrame]:
        """Imitate a frame [F]; return the stream's frame as `Stream.read` does, and what was observed."""
        found = self._listener.observe([frame[np.newaxis]])
        seen = SeenFrame(found.latents[0], float(found.kl[0]), float(found.log_likelihood[0]))
        controls = self._stream.controls
        target = controls.specs["latent.target"]
        held = {"latent.target": seen.latent.clip(target.minimum, target.maximum)}
        controls.update(held if controls.table is self._held else {"latent.hold": 1.0, **held})
        self._held = controls.table
        return self._stream.read(1), seen

    def set_controls(self, values: Mapping[str, np.ndarray]) -> None:
        """Set the controls, for the latent of the posterior and for the frame that is drawn."""
        super().set_controls(values)
        self._listener.controls.restore(values)

    def reseed(self, seed: int) -> None:
        """Use the noise of another seed from here on."""
        super().reseed(seed)
        self._listener.reseed(seed)

    def restart(self) -> None:
        """Observe from the state of the stream on, which has just been replaced by that of another stream."""
        self._listener.continue_from(self._stream)

    def close(self) -> None:
        """Close the stream that observes."""
        self._listener.close()
