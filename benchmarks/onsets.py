"""Compares the KL and the change of the posterior mean at onsets with those at other frames.

    python benchmarks/onsets.py --voice blizzard --data DIR [--recordings 20]

An onset is one of the 5 % of frames whose log spectrum rises most from the previous frame.  The script also prints the
rank correlation of both quantities with the distance between neighbouring log spectra.  Needs the extra `train`.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy import stats

from vrnn_engine import Engine
from vrnn_engine.data.layouts import recordings_in
from vrnn_engine.data.recordings import QUANTUM, read_mono
from vrnn_engine.evaluation.latents import trace_latents

SEED = 0
"""Seed of the noise, as in `vrnn-engine latents`."""
SHARE = 0.05
"""Share of the frames that count as onsets."""
FLOOR = 1e-8
"""Added to the power of a bin before the logarithm."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", default="blizzard")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recordings", type=int, default=20)
    options = parser.parse_args()

    engine = Engine.load(options.voice)
    manifest = engine.voice.manifest
    kl, change, rise, distance = [], [], [], []
    for path in recordings_in(options.data)[: options.recordings]:
        samples = read_mono(path, manifest.rate).astype(np.float32) * QUANTUM
        with engine.stream(SEED) as stream:
            seen = stream.prime(samples)
        trace = trace_latents(
            seen.posterior_mean, seen.kl, seen.log_likelihood, manifest.basis, manifest.frames_per_second
        )
        spectra = log_spectra(samples, trace.seconds, manifest.rate, manifest.frame_size)
        steps = np.diff(spectra, axis=0)
        kl.append(trace.kl[1:])
        change.append(trace.change[1:])
        rise.append(steps.mean(1))
        distance.append(np.sqrt(np.square(steps).mean(1)))
    every = {"KL": np.concatenate(kl), "mean change": np.concatenate(change)}
    rises, distances = np.concatenate(rise), np.concatenate(distance)
    onset = rises > np.quantile(rises, 1 - SHARE)
    print(f"{manifest.name}: {len(kl)} recordings, {len(rises)} frames, {onset.sum()} onsets")
    for name, values in every.items():
        rank = stats.spearmanr(values, distances).statistic
        print(
            f"{name:12} {values[onset].mean():6.2f} at onsets, {values[~onset].mean():6.2f} elsewhere; "
            f"Spearman's correlation with the distance of neighbouring log spectra {rank:.2f}"
        )


def log_spectra(samples: np.ndarray, seconds: np.ndarray, rate: int, frame_size: int) -> np.ndarray:
    """Return the log power [T, frame_size + 1] of the sound around each time, under a Hann window of two frames."""
    padded = np.pad(samples, (frame_size, 2 * frame_size))  # the last frame may be partly silence
    starts = np.round(seconds * rate).astype(int)  # the padding of half a window centres the window
    windows = padded[starts[:, None] + np.arange(2 * frame_size)] * np.hanning(2 * frame_size)
    return np.log(np.abs(np.fft.rfft(windows)) ** 2 / frame_size + FLOOR)


if __name__ == "__main__":
    main()
