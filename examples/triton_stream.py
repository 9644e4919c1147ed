r"""Stream a voice from NVIDIA Triton Inference Server into a WAV file, or a pen's points to the terminal.

    vrnn-engine export blizzard --triton models
    docker run --rm -p 8001:8001 -v $PWD/models:/models nvcr.io/nvidia/tritonserver:25.06-py3 \
        tritonserver --model-repository=/models
    pip install 'tritonclient[grpc]'
    python examples/triton_stream.py [VOICE] [SECONDS] [SEED] [HOST:PORT]

Triton keeps the state of the stream; this client sends the noise and the controls of each frame.  The noise is that of
the runtime, so that a seed gives the same stream as `vrnn-engine stream --seed`.
"""

import queue
import sys
import wave
from collections.abc import Iterator

import numpy as np
from tritonclient import grpc

from vrnn_engine.runtime.noise import NoiseSource
from vrnn_engine.runtime.voice.manifest import Manifest, decode_manifest

AHEAD = 16
"""Requests that are on their way, so that no frame waits for the network."""


class TritonStream:
    """A stream of a voice on a Triton server.

    Parameters
    ----------
    address : str
        HOST:PORT of the server's gRPC.
    voice : str
        Name of the model.
    seed : int
    """

    def __init__(self, address: str, voice: str, seed: int) -> None:
        self.client = grpc.InferenceServerClient(address)
        config = self.client.get_model_config(voice).config
        described = config.parameters["voice.manifest"].string_value.encode()
        self.manifest: Manifest = decode_manifest(described, f"{address}/{voice}")
        self.shapes = {one.name: tuple(one.dims) for one in config.input}
        widths = {name: shape[0] for name, shape in self.shapes.items() if name.startswith("noise.")}
        self.noise = NoiseSource(seed, {name.removeprefix("noise."): width for name, width in widths.items()})
        self.controls = {
            f"control.{one.name}": np.full(one.shape, one.default, np.float32) for one in self.manifest.controls
        }
        self.sequence = seed % 2**32 + 1  # another one for each stream; 0 would mean no sequence

    def inputs(self, frame: int) -> list[grpc.InferInput]:
        """Return the inputs of a frame; those of a text are left at 0, which is no text."""
        values = {f"noise.{name}": value for name, value in self.noise.at(frame).items()} | self.controls
        tensors = []
        for name, shape in self.shapes.items():
            tensors.append(grpc.InferInput(name, [1, *shape], "FP32"))
            tensors[-1].set_data_from_numpy(values.get(name, np.zeros(shape, np.float32))[np.newaxis])
        return tensors

    def frames(self, count: int) -> Iterator[np.ndarray]:
        """Yield frames [frame_size], each as soon as it has been computed."""
        answers: queue.SimpleQueue[tuple[grpc.InferResult, Exception | None]] = queue.SimpleQueue()
        self.client.start_stream(lambda result, error: answers.put((result, error)))
        wanted = [grpc.InferRequestedOutput("frame")]
        sent = 0
        try:
            for received in range(count):
                while sent < min(received + AHEAD, count):
                    flags = {"sequence_start": sent == 0, "sequence_end": sent == count - 1}
                    self.client.async_stream_infer(
                        self.manifest.name, self.inputs(sent), outputs=wanted, sequence_id=self.sequence, **flags
                    )
                    sent += 1
                result, error = answers.get()
                if error is not None:
                    raise error
                yield result.as_numpy("frame")[0]
        finally:
            self.client.stop_stream()


def main(voice: str = "blizzard", seconds: str = "5", seed: str = "7", address: str = "127.0.0.1:8001") -> None:
    """Write VOICE.wav, or print the points of a pen as `dx dy pen_up`."""
    stream = TritonStream(address, voice, int(seed))
    frames = stream.frames(round(float(seconds) * stream.manifest.frames_per_second))
    if stream.manifest.modality == "pen":
        for frame in frames:
            print(*frame)
        return
    with wave.open(f"{stream.manifest.name}.wav", "wb") as file:
        file.setparams((1, 2, stream.manifest.rate, 0, "NONE", ""))
        for frame in frames:
            file.writeframes(np.rint(np.clip(frame, -1, 1) * 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
