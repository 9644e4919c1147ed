"""Measures how much of a bound is due to the top band of the recordings being empty or filled.

    python benchmarks/top_band.py blizzard --data FOLDER [FOLDER ...] [--edge 7600] [--level -85] [--samples 1]

Evaluates a voice or a checkpoint (CKPT.pt) on all recordings of each folder, in the chunks of its recipe: as recorded;
with the band above the edge filled with noise of a level in dB re full scale per Hz; filled with a mirror image of the
band below; and emptied.  The last column does not depend on a model: it is the change of the log density of a Gaussian
signal with the short-term spectra of the recordings (Kolmogorov's formula), so it is what the band is worth to a model
that expects what it finds there.  A larger change of a model's bound is the price of a band that it does not expect.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from vrnn_engine.data.augment.spectra import Sound, cut_above, fill_above
from vrnn_engine.data.batches import Batch, Floats, lane_chunks
from vrnn_engine.data.layouts import recordings_in
from vrnn_engine.data.options import SpeechData
from vrnn_engine.data.recordings import QUANTUM, read_mono
from vrnn_engine.evaluation.likelihood import likelihood
from vrnn_engine.exporters.training_file import load_start
from vrnn_engine.training.checkpoint import Checkpoint

WIDTH = 100.0
"""Width of the transition where the top band is emptied, Hz."""
WINDOW = 1024
"""Samples of a short-term spectrum."""
FLOOR = 1e-6
"""Least power of a bin of a spectrum, in squared steps of 16-bit audio: that of digital silence is 0."""


@dataclass
class Recordings:
    """Samples in memory as a corpus, normalised as the training data of a checkpoint."""

    samples: NDArray[np.int16]
    data: SpeechData
    frame_size: int
    context: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def epoch(self, split: str, rng: np.random.Generator | None) -> Iterator[Batch]:
        """Yield the chunks of all samples, whatever the split is."""
        frames, data = self.fitting_signal(), self.data
        # Each lane has at least one whole stretch, because the state is zero at its beginning.
        lanes = max(1, min(data.lanes, len(frames) // (data.carry * data.chunk)))
        read = lambda first, count: frames[first : first + count]  # noqa: E731
        return lane_chunks(read, len(frames), lanes, data.chunk, data.carry, self.context)

    def fitting_signal(self) -> Floats:
        """Return all frames [T, F], normalised."""
        whole = self.samples[: len(self.samples) // self.frame_size * self.frame_size]
        normalised = (whole.astype(np.float32) * np.float32(QUANTUM) - self.mean[0]) / self.std[0]
        return normalised.astype(np.float32).reshape(-1, self.frame_size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", help="a voice, or a checkpoint")
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--edge", type=float, default=7600.0, help="Hz")
    parser.add_argument("--level", type=float, default=-85.0, help="dB re full scale per Hz")
    parser.add_argument("--samples", type=int, default=1, help="samples of the latents")
    options = parser.parse_args()
    trained = load_start(options.voice)
    data = trained.recipe.data
    if not isinstance(data, SpeechData):
        parser.error(f"{options.voice} writes ink; give a voice of sound")
    seconds = data.chunk * trained.recipe.model.frame_size / data.rate
    for folder in options.data:
        sound = np.concatenate([read_mono(path, data.rate) for path in recordings_in(folder)]).astype(np.float64)
        print(f"{options.voice} on {len(sound) / data.rate / 60:.1f} min of {folder}, nats per {seconds:g} s")
        print(f"{'above ' + format(options.edge, 'g') + ' Hz':28}  bound        change  Gaussian change")
        recorded = None
        for name, changed in versions(sound, data.rate, options.edge, options.level).items():
            bound, interval = bound_of(trained, data, changed, options.samples)
            recorded = bound if recorded is None else recorded
            gained = data.chunk * trained.recipe.model.frame_size * log_density_change(sound, changed)
            print(f"{name:28}  {bound:7,.0f} ± {interval:3,.0f}  {bound - recorded:+7,.0f}  {gained:+15,.0f}")


def versions(sound: Sound, rate: int, edge: float, level: float) -> dict[str, Sound]:
    """Return the versions of a sound in steps of 16-bit audio, rounded to them, by name."""
    empty = cut_above(sound, rate, edge, WIDTH)
    noise = np.random.default_rng(0).standard_normal(len(sound))
    noise *= np.sqrt(10 ** (level / 10) * rate / 2) / QUANTUM
    made = {
        "as recorded": sound,
        f"noise at {level:g} dB per Hz": empty + noise - cut_above(noise, rate, edge, WIDTH),
        "mirror image": fill_above(sound, rate, edge, 1.0),
        "empty": empty,
    }
    return {name: np.clip(np.rint(each), -32768, 32767) for name, each in made.items()}


def bound_of(trained: Checkpoint, data: SpeechData, sound: Sound, samples: int) -> tuple[float, float]:
    """Return the ELBO of a sound per chunk, and half its 95 % confidence interval, in nats."""
    model, size = trained.build(), trained.recipe.model.frame_size
    corpus = Recordings(sound.astype(np.int16), data, size, model.basis.context, trained.mean, trained.std)
    found = likelihood(model, corpus, "test", samples).elbo
    return found.mean, found.interval


def log_density_change(before: Sound, after: Sound) -> float:
    """Return the change of the log density of Gaussian signals with the spectra of two sounds, in nats per sample.

    The entropy rate of a Gaussian signal is half the mean of log S(w) over all frequencies, plus a constant
    (Kolmogorov 1958; Cover and Thomas, Elements of Information Theory, section 12.5).
    """
    logs = []
    for sound in (before, after):
        spectra = np.square(np.abs(signal.stft(sound, nperseg=WINDOW, scaling="psd")[2]))
        logs.append(np.log(np.maximum(spectra, FLOOR)).mean())
    return float(0.5 * (logs[0] - logs[1]))


if __name__ == "__main__":
    main()
