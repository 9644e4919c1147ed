"""Resynthesises recordings under several conditions, and compares the envelope of the result with the input's.

    python benchmarks/revoicing.py --data FOLDER [FOLDER ...] [--voice blizzard] [--recordings 10] [--seed 1]
                                   [--set NAME=VALUE] [--json FILE]

Makes copies of the first recordings of each folder: as recorded, limited to the band of a telephone, with white noise
at 20 dB below the level of the recording, and slower by a fifth, which is a lower voice with a longer vocal tract.
Each copy is resynthesised as by `vrnn-engine stream --from COPY --mode resynthesise`.  An envelope is the rms of pieces
of 25 ms.  The table has, over the recordings: the mean and the lowest correlation with the envelope of the copy, the
mean correlation with the envelope before the band was limited or noise was added, and the level in pauses minus that of
the recording, where a pause is the quietest tenth of the pieces.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from vrnn_engine import Engine
from vrnn_engine.data.augment.spectra import telephone_band
from vrnn_engine.data.layouts import recordings_in
from vrnn_engine.data.recordings import QUANTUM, read_mono
from vrnn_engine.runtime.live.inputs import open_input
from vrnn_engine.runtime.live.listening_stream import ListeningStream

Sound = NDArray[np.float64]

PIECE = 0.025
"""Length of a piece of an envelope, seconds."""
SNR = 20.0
"""Level of a recording over that of the added noise, dB."""
SLOWER = 0.8
"""Speed of the slower copy."""
GOAL = 0.8
"""Lowest correlation that counts as keeping the envelope."""
MOST_DELAY = 2
"""Largest number of frames by which the result may be late: frames of the basis `mdct` need the next samples."""
PAUSES = 0.1
"""Share of the pieces that count as pauses: the quietest ones."""


@dataclass(frozen=True)
class Copy:
    """A recording under one condition."""

    name: str
    sound: Sound
    """Samples, full scale +-1."""
    clean: Sound
    """The same without the change of the band or the noise."""
    speed: float = 1.0
    """Speed at which it is played."""


@dataclass(frozen=True)
class Comparison:
    """The result of one copy beside its input."""

    with_input: float
    """Correlation of the envelopes of result and input."""
    with_clean: float
    """Correlation of the envelopes of result and clean recording."""
    pauses: float
    """Level of the result's pauses minus that of the clean recording's, dB."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", default="blizzard")
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--recordings", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="set a control, e.g. output.temperature=0.7"
    )
    parser.add_argument("--json", type=Path, help="write the numbers to this file as well")
    options = parser.parse_args()
    engine = Engine.load(options.voice)
    controls = {name: float(value) for name, _, value in (one.partition("=") for one in options.set)}
    found = {}
    for folder in options.data:
        files = recordings_in(folder)[: options.recordings]
        if not files:
            parser.error(f"{folder}: no recordings in this folder")
        print(f"{engine.voice.name} ({engine.provider}), {len(files)} recordings of {folder}")
        print(f"{'':18}  correlation  lowest  with clean  pauses dB")
        found[str(folder)] = table = compare_all(engine, files, options.seed, controls)
        for name, row in table.items():
            kept = "" if row["lowest"] >= GOAL else f"  below {GOAL}"
            print(
                f"{name:18}  {row['correlation']:11.2f}  {row['lowest']:6.2f}  {row['with_clean']:10.2f}"
                f"  {row['pauses']:+9.1f}{kept}"
            )
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def compare_all(
    engine: Engine, files: list[Path], seed: int, controls: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Return the means over recordings of each copy's comparison, and the lowest correlation."""
    rate = engine.voice.manifest.rate
    rows: dict[str, list[Comparison]] = {}
    for path in files:
        for copy in copies(read_mono(path, rate) * QUANTUM, rate):
            rows.setdefault(copy.name, []).append(compare(engine, copy, seed, controls))
    return {
        name: {
            "correlation": float(np.mean([one.with_input for one in each])),
            "lowest": min(one.with_input for one in each),
            "with_clean": float(np.mean([one.with_clean for one in each])),
            "pauses": float(np.mean([one.pauses for one in each])),
        }
        for name, each in rows.items()
    }


def copies(sound: Sound, rate: int) -> Iterator[Copy]:
    """Yield the copies of a recording [N] at a rate in Hz."""
    noise = np.random.default_rng(0).standard_normal(len(sound))
    noise *= np.sqrt(np.mean(np.square(sound))) * 10 ** (-SNR / 20)
    yield Copy("as recorded", sound, sound)
    yield Copy("telephone band", telephone_band(sound, rate), sound)
    yield Copy(f"noise at {SNR:g} dB", sound + noise, sound)
    yield Copy("slower by a fifth", sound, sound, SLOWER)


def compare(engine: Engine, copy: Copy, seed: int, controls: Mapping[str, float]) -> Comparison:
    """Resynthesise a copy, and compare the result with it."""
    manifest = engine.voice.manifest
    with tempfile.TemporaryDirectory() as folder:
        path, clean = Path(folder) / "copy.wav", Path(folder) / "clean.wav"
        for where, sound in ((path, copy.sound), (clean, copy.clean)):
            soundfile.write(where, np.clip(sound, -1, 1), round(manifest.rate * copy.speed), subtype="PCM_16")
        made = resynthesise(engine, path, seed, controls)
        inputs = [read_mono(where, manifest.rate) * QUANTUM for where in (path, clean)]
    delay = best_delay(made, inputs[0], manifest.rate, manifest.samples_per_frame)
    made = made[delay:]
    with_input, with_clean = (correlation(made, sound, manifest.rate) for sound in inputs)
    return Comparison(with_input, with_clean, pause_level(made, manifest.rate) - pause_level(inputs[1], manifest.rate))


def resynthesise(engine: Engine, path: Path, seed: int, controls: Mapping[str, float]) -> Sound:
    """Return what a voice makes of a recording, [N]."""
    made = []
    heard = open_input(str(path), engine.voice.manifest)
    with engine.stream(seed) as stream:
        stream.controls.update(controls)
        with ListeningStream(stream, heard, "resynthesise") as listening:
            while len(block := listening.read(80)):
                made.append(block)
    sound = np.concatenate(made).astype(np.float64)
    return sound if sound.ndim == 1 else sound.mean(axis=1)


def best_delay(made: Sound, heard: Sound, rate: int, frame: int) -> int:
    """Return the delay in samples, a whole number of frames, at which the envelopes correlate most."""
    delays = [frame * count for count in range(MOST_DELAY + 1)]
    return max(delays, key=lambda delay: correlation(made[delay:], heard, rate))


def correlation(one: Sound, two: Sound, rate: int) -> float:
    """Return the correlation of the envelopes of two sounds that begin together."""
    first, second = envelope(one, rate), envelope(two, rate)
    count = min(len(first), len(second))
    return float(np.corrcoef(first[:count], second[:count])[0, 1])


def pause_level(sound: Sound, rate: int) -> float:
    """Return the level of the quietest pieces of a sound, dB re full scale."""
    return float(20 * np.log10(max(float(np.quantile(envelope(sound, rate), PAUSES)), 1e-6)))


def envelope(sound: Sound, rate: int) -> Sound:
    """Return the rms of each piece of a sound; samples behind the last whole piece are left out."""
    length = round(PIECE * rate)
    whole = sound[: len(sound) // length * length].reshape(-1, length)
    return np.sqrt(np.square(whole).mean(axis=1))


if __name__ == "__main__":
    main()
