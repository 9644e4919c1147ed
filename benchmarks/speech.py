"""Compares a voice with its training speech: level, third octaves, modulation, and spectrograms.

    python benchmarks/speech.py --voice blizzard --data DIR/train [--seeds 1 2 3] [--seconds 30]
                                [--picture out.png] [--save reference.json]

DIR/train contains the recordings that the voice was trained on.  Two references are added: steady noise with the
spectrum of that speech, the worst case for a voice; and the speech with random signs of its MDCT coefficients, whose
frames have wrong phases.  Needs the extra `train`, and `plot` for a picture.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from vrnn_engine import Engine
from vrnn_engine.data.layouts import recordings_in
from vrnn_engine.data.recordings import QUANTUM, read_mono
from vrnn_engine.evaluation.sound import CENTRES, describe
from vrnn_engine.models.basis import MdctBasis


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", default="blizzard")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="set a control, e.g. output.temperature=0.9"
    )
    parser.add_argument("--picture", type=Path)
    parser.add_argument(
        "--save", type=Path, help="write the statistics of the speech, for tests without the recordings"
    )
    options = parser.parse_args()

    engine = Engine.load(options.voice)
    rate = engine.voice.manifest.rate
    real = np.concatenate([read_mono(path, rate) for path in recordings_in(options.data)]).astype(np.float32) * QUANTUM
    frames = round(options.seconds * engine.voice.manifest.frames_per_second)
    made = {}
    for seed in options.seeds:
        with engine.stream(seed) as stream:
            stream.controls.update({name: float(value) for name, _, value in (s.partition("=") for s in options.set)})
            made[f"seed {seed}"] = stream.read(frames)
    speech = describe(real, rate)
    noise = steady_noise(real, round(rate * options.seconds))
    signs = random_signs(real[: round(rate * 600)], engine.voice.manifest.frame_size)

    print(f"{engine.voice.name} ({engine.provider}) against {len(real) / rate / 60:.1f} min of speech")
    print(f"{'':12} level dB  100 Hz dB  worst other band dB (Hz)  above 4 kHz dB  depth dB  syllabic  voiced  clipped")
    for name, sound in {"speech": real, "steady noise": noise, "random signs": signs, **made}.items():
        found = describe(sound, rate)
        difference = found.band_differences(speech)
        worst = 1 + int(np.abs(difference[1:]).argmax())
        print(
            f"{name:12} {found.level:8.1f}  {difference[0]:+9.1f}  {difference[worst]:+15.1f} ({CENTRES[worst]:5.0f})"
            f"  {found.high:14.1f}  {found.depth:8.1f}  {found.syllabic:8.2f}  {found.voiced:6.2f}  {found.clipped:.5f}"
        )
    if options.save:
        options.save.write_text(json.dumps(speech.to_dict(), indent=1) + "\n")
    if options.picture:
        start = len(real) // 2
        seconds = min(options.seconds, 10)
        first = next(iter(made.values()))
        draw({"speech": real[start:], engine.voice.name: first}, rate, seconds, options.picture)


def steady_noise(speech: np.ndarray, length: int) -> np.ndarray:
    """Return Gaussian noise with the long-term spectrum of a sound."""
    from scipy import signal

    frequency, density = signal.welch(speech, nperseg=4096)
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(length))
    shaped = np.fft.irfft(spectrum * np.sqrt(np.interp(np.fft.rfftfreq(length), frequency, density) / 2), length)
    return shaped.astype(np.float32)


def random_signs(speech: np.ndarray, frame_size: int) -> np.ndarray:
    """Return speech whose MDCT coefficients have the original magnitudes and random signs."""
    basis = MdctBasis(frame_size)
    blocks = torch.from_numpy(speech[: len(speech) // frame_size * frame_size].reshape(-1, frame_size))
    frames = basis.frames(blocks)
    drawn = frames.abs() * torch.randn(frames.shape, generator=torch.Generator().manual_seed(0)).sign()
    overlap, made = torch.zeros(frame_size), []
    for frame in drawn:
        block, overlap = basis.synthesise(overlap, frame)
        made.append(block)
    return torch.cat(made).numpy()


def draw(sounds: dict[str, np.ndarray], rate: int, seconds: float, path: Path) -> None:
    """Write spectrograms of the sounds' first seconds, one above the other."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(sounds), 1, figsize=(8, 2.3 * len(sounds)), sharex=True, layout="constrained")
    for axis, (name, sound) in zip(axes, sounds.items(), strict=True):
        axis.specgram(sound[: int(seconds * rate)] + 1e-7, NFFT=512, noverlap=384, Fs=rate, vmin=-120, vmax=-40)
        axis.set(title=name, ylabel="Hz")
    axes[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=75)


if __name__ == "__main__":
    main()
