"""Print sha256 hashes of streams of each voice, one per line: equal lines of two commits mean equal bits.

    python benchmarks/fingerprints.py [--voice VOICE]... [--frames 40] [--device cpu] > lines.txt

To compare two commits, run this file on both and compare the output:

    git worktree add ../before COMMIT
    PYTHONPATH=../before python benchmarks/fingerprints.py > before.txt
    PYTHONPATH=$PWD python benchmarks/fingerprints.py > after.txt
    diff before.txt after.txt

Each line has a voice, its precision, the test case, and the sha256 of all numbers that the case returned: frames,
latents, observations, saved states. Only public names are used, so the file runs on old commits as well. The output
depends on the machine, on the version of onnxruntime and on the device; compare only runs that share all three.
"""

import argparse
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from vrnn_engine import Engine, Performance, Stream, Voice
from vrnn_engine.runtime.live.timeline import read_timeline

VOICES = ("blizzard", "handwriting")
SEEDS = (0, 7, 2**64 - 1)
BLOCK_SIZES = (1, 7, 64)
"""Numbers of frames per read. Their lines are equal, because block sizes change no bit."""
ROWS = (1, 3, 8)
"""Numbers of streams in a batch. With 1 row, two streams take turns."""
SETTINGS: Mapping[str, Mapping[str, float]] = {
    "default": {},
    "cold": {"latent.temperature": 0.5, "output.temperature": 0.25},
    "shifted": {"latent.shift": 0.5},
    "held": {"latent.hold": 0.75, "latent.target": -0.25},
}
"""Values of controls. A control that a voice lacks is left out."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", action="append", help="name, folder or .zip; all bundled voices by default")
    parser.add_argument("--frames", type=int, default=40, help="frames of each stream")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    if options.frames < 20:
        parser.error("--frames: at least 20, so that each event of the timeline takes effect")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VRNN_ENGINE_MOMENTS"] = folder  # do not read or write the user's saved states
        for name in options.voice or VOICES:
            for line in fingerprints(Voice.open(name), options.frames, options.device):
                print(line, flush=True)


def fingerprints(voice: Voice, frames: int = 40, device: str = "cpu") -> Iterator[str]:
    """Yield a line for each test case of a voice, in each of its precisions.

    Parameters
    ----------
    voice : Voice
        The voice.
    frames : int
        Number of frames of each stream.
    device : str
        `cpu`, `cuda` or `cuda:N`.

    Yields
    ------
    str
        Voice, precision, test case, and a sha256 in hexadecimal.
    """
    cases: dict[str, Callable[[Engine, int], list[np.ndarray | bytes]]] = {
        **{f"seed {seed}": by_seed(seed) for seed in SEEDS},
        **{f"controls {name}": by_controls(values) for name, values in SETTINGS.items()},
        **{f"blocks of {size}": by_block_size(size) for size in BLOCK_SIZES},
        "controls moved": controls_moved,
        "snapshot": restored,
        "fork": forked,
        "reseed, continue_from": continued,
        "prime": primed,
        "timeline": replayed,
    }
    for precision in [graph.precision for graph in voice.manifest.graphs if graph.role == "step"]:
        engine = Engine.load(voice, device, precision=precision)
        for name, case in cases.items():
            yield f"{voice.name} {precision} {name}: {_sha256(case(engine, frames))}"
        for rows in ROWS:
            batch = Engine.load(voice, device, rows, precision)
            yield f"{voice.name} {precision} rows {rows}: {_sha256(batched(batch, frames))}"


def by_seed(seed: int) -> Callable[[Engine, int], list[np.ndarray | bytes]]:
    def case(engine: Engine, frames: int) -> list[np.ndarray | bytes]:
        stream = engine.stream(seed)
        return [stream.read(frames), stream.latent]

    return case


def by_controls(values: Mapping[str, float]) -> Callable[[Engine, int], list[np.ndarray | bytes]]:
    def case(engine: Engine, frames: int) -> list[np.ndarray | bytes]:
        stream = engine.stream(7)
        _set(stream, values)
        return [stream.read(frames), stream.latent]

    return case


def by_block_size(size: int) -> Callable[[Engine, int], list[np.ndarray | bytes]]:
    def case(engine: Engine, frames: int) -> list[np.ndarray | bytes]:
        stream = engine.stream(7)
        blocks = [next(stream.blocks(size)) for _ in range(-(-frames // size))]
        return [np.concatenate(blocks)[: len(blocks[0]) // size * frames]]

    return case


def controls_moved(engine: Engine, frames: int) -> list[np.ndarray | bytes]:
    """Set and reset controls between frames."""
    stream, made = engine.stream(7), []
    for number in range(frames):
        _set(stream, list(SETTINGS.values())[number % len(SETTINGS)])
        if number % 5 == 0:
            stream.controls.reset()
        made += [stream.read(1), stream.latent]
    return made


def restored(engine: Engine, frames: int) -> list[np.ndarray | bytes]:
    """Save a state, and restore it in the same stream and in another one."""
    stream = engine.stream(7)
    _set(stream, SETTINGS["shifted"])
    stream.read(frames // 2)
    saved = stream.snapshot()
    stream.read(3)
    other = engine.stream(8)
    stream.restore(saved)
    other.restore(saved)
    return [saved, stream.read(frames), other.read(frames), other.latent, other.snapshot()]


def forked(engine: Engine, frames: int) -> list[np.ndarray | bytes]:
    """Fork with the same and with another seed; the first stream continues."""
    stream = engine.stream(7)
    _set(stream, SETTINGS["cold"])
    stream.read(frames // 2)
    same, other = stream.fork(7), stream.fork(8)
    return [one.read(frames) for one in (same, other, stream)] + [other.latent]


def continued(engine: Engine, frames: int) -> list[np.ndarray | bytes]:
    """Reseed a stream; then continue it from another stream's state."""
    one, two = engine.stream(7), engine.stream(8)
    made = [one.read(5), two.read(frames // 2)]
    one.reseed(9)
    made.append(one.read(frames // 2))
    one.continue_from(two)
    return [*made, one.latent, one.read(frames)]


def primed(engine: Engine, frames: int) -> list[np.ndarray | bytes]:
    """Observe the frames of another stream, then generate."""
    stream = engine.stream(7)
    seen = stream.prime(engine.stream(3).read(frames))
    made = [seen.latents, seen.posterior_mean, seen.posterior_std, seen.kl, seen.log_likelihood]
    return [*made, stream.latent, stream.snapshot(), stream.read(frames)]


def batched(engine: Engine, frames: int) -> list[np.ndarray | bytes]:
    """Read streams with different controls together and separately, while streams join and leave the batch."""
    streams = [engine.stream(seed) for seed in range(max(engine.rows, 2))]
    for stream, values in zip(streams, SETTINGS.values(), strict=False):
        _set(stream, values)
    made = engine.read(frames // 4)
    streams[1].close()
    made += engine.read(frames // 4)
    streams += [engine.stream(100), streams[0].fork(101)]
    made += engine.read(frames // 4)
    made += engine.read(3, streams[:1:-1])
    made.append(streams[0].read(frames // 4))
    return [*made, *(stream.latent for stream in streams)]


def replayed(engine: Engine, frames: int) -> list[np.ndarray | bytes]:
    """Play a timeline that has events of almost every kind."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = engine.voice.manifest
        fork = Path(folder, "fork.wav" if manifest.modality == "audio" else "fork.jsonl")
        path = Path(folder, "timeline.jsonl")
        path.write_text("\n".join(json.dumps(event) for event in timeline(frames, str(fork))) + "\n")
        events = read_timeline(path, manifest.frames_per_second).events
        stream = engine.stream(7)
        with Performance(stream, events) as performance:
            made = [performance.read(size) for size in (1, 7, frames)]
        return [*made, stream.latent, stream.snapshot(), fork.read_bytes()]


def timeline(frames: int, fork: str) -> list[dict[str, object]]:
    """Return events of almost every kind, as lines of a timeline of `frames` frames."""
    events: list[dict[str, object]] = [
        {"do": "set", "control": "output.temperature", "value": 0.5, "ramp": 0.1},
        {"do": "walk", "control": "latent.shift", "speed": 0.5, "index": 1, "seed": 3},
        {"do": "snapshot", "name": "here"},
        {"do": "nudge", "control": "latent.temperature", "by": -0.25},
        {"do": "trace", "name": "way", "seconds": 0.1},
        {"do": "follow", "path": "way", "times": 2},
        {"do": "fork", "to": fork, "seconds": 0.2},
        {"do": "seed", "seed": 11},
        {"do": "restore", "name": "here"},
        {"do": "morph", "to": "here", "seconds": 0.1},
        {"do": "rewind", "seconds": 0.1},
        {"do": "reset"},
    ]
    return [event | {"frame": 2 + number * frames // len(events)} for number, event in enumerate(events)]


def _set(stream: Stream, values: Mapping[str, float]) -> None:
    stream.controls.update({name: value for name, value in values.items() if name in stream.controls})


def _sha256(made: list[np.ndarray | bytes]) -> str:
    """Hash arrays with their shape and type, and bytes as they are."""
    digest = hashlib.sha256()
    for one in made:
        if not isinstance(one, bytes):
            digest.update(f"{one.dtype} {one.shape};".encode())
        digest.update(one if isinstance(one, bytes) else one.tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
