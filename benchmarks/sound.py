"""Compares minutes of a voice with its training sound: level, third octaves, and spectrograms of both.

    python benchmarks/sound.py --voice ./mysound --data FOLDER [--minutes 10] [--seed 1]
                               [--set NAME=VALUE] [--picture out.png] [--save out.flac]

A third octave counts if the material has it within RANGE dB of its loudest one; what lies below is hardly heard.
Needs the extra `train`, and `plot` for a picture.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from vrnn_engine import Engine
from vrnn_engine.data.layouts import recordings_in
from vrnn_engine.data.recordings import QUANTUM, read_mono
from vrnn_engine.evaluation.sound import describe, third_octave_centres

RANGE = 60.0
"""Range of levels, in dB below the loudest third octave, in which third octaves are compared."""
SHOWN_SECONDS = 20
"""Length of a spectrogram."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--save", type=Path, help="write the generated sound")
    options = parser.parse_args()

    engine = Engine.load(options.voice)
    manifest = engine.voice.manifest
    rate, minute = manifest.rate, round(60 * manifest.frames_per_second)
    files = [options.data] if options.data.is_file() else recordings_in(options.data)
    real = np.concatenate([read_mono(path, rate) for path in files]).astype(np.float32) * QUANTUM
    material = describe(real, rate)
    counted = np.array(material.bands) > max(material.bands) - RANGE
    centres = np.array(third_octave_centres(rate))[counted]
    print(
        f"{manifest.name} ({engine.provider}), seed {options.seed}, against {len(real) / rate / 60:.1f} min of material"
    )
    print(
        f"{len(centres)} third octaves from {centres[0]:.0f} to {centres[-1]:.0f} Hz; material: {material.level:.1f} dB"
    )
    print("minute  level dB  mean band dB  worst band dB (Hz)")
    made = []
    with engine.stream(options.seed) as stream:
        stream.controls.update({name: float(value) for name, _, value in (s.partition("=") for s in options.set)})
        for number in range(options.minutes):
            made.append(stream.read(minute))
            found = describe(mono(made[-1]), rate)
            difference = found.band_differences(material)[counted]
            worst = int(np.abs(difference).argmax())
            print(
                f"{number + 1:6}  {found.level - material.level:+8.1f}  {np.abs(difference).mean():12.1f}  "
                f"{difference[worst]:+13.1f} ({centres[worst]:.0f})"
            )
    if options.save:
        soundfile.write(options.save, np.clip(np.concatenate(made), -1, 1), rate)
    if options.picture:
        last = mono(made[-1])
        draw(
            {"material": real[len(real) // 2 :], f"{manifest.name}, minute {options.minutes}": last},
            rate,
            options.picture,
        )


def mono(sound: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return sound [N] or [N, channels] as the mean of its channels."""
    return sound if sound.ndim == 1 else sound.mean(axis=1)


def draw(sounds: dict[str, NDArray[np.floating]], rate: int, path: Path) -> None:
    """Write spectrograms of the sounds' first seconds, one above the other."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(sounds), 1, figsize=(9, 2.6 * len(sounds)), sharex=True, layout="constrained")
    for axis, (name, sound) in zip(axes, sounds.items(), strict=True):
        shown = sound[: SHOWN_SECONDS * rate] + 1e-7
        axis.specgram(shown, NFFT=2048, noverlap=1536, Fs=rate, vmin=-140, vmax=-40)
        axis.set(title=name, ylabel="Hz")
    axes[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
