"""Synthesises recordings for the recipe `sound`: a shore at night, strings and bells in a room, or a choir in stereo.

    python benchmarks/sound_material.py shore FOLDER [--minutes 12] [--rate 44100] [--recordings 3] [--seed 1]
    python benchmarks/sound_material.py strings FOLDER ...
    python benchmarks/sound_material.py choir FOLDER ...

The same arguments give the same samples.  The recordings are free of any licence: no sound of anybody is in them.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

Sound = NDArray[np.float64]

SCALE = (0, 2, 3, 5, 7, 9, 10)
"""Semitones of the Dorian mode."""
LOUDEST = 0.5
"""Largest absolute sample of a recording."""
VOWELS = {"a": (700, 1100, 2600), "o": (450, 800, 2600), "e": (480, 1900, 2550), "u": (320, 700, 2400)}
"""Frequencies of three formants, Hz."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("shore", "strings", "choir"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=12.0, help="length of all recordings together")
    parser.add_argument("--rate", type=int, default=44100)
    parser.add_argument("--recordings", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    make = {"shore": shore, "strings": strings, "choir": choir}[options.kind]
    for number in range(options.recordings):
        rng = np.random.default_rng([options.seed, number])
        sound = make(60 * options.minutes / options.recordings, options.rate, rng)
        path = options.folder / f"{options.kind}-{number + 1}.flac"
        soundfile.write(path, LOUDEST * sound / np.abs(sound).max(), options.rate, subtype="PCM_16")
        print(path)


def shore(seconds: float, rate: int, rng: np.random.Generator) -> Sound:
    """Return waves that break on a shore, wind, and crickets, mono [N]."""
    sound = 0.03 * _band(60, 400, seconds, rate, rng)  # wind
    at = 0.0
    while at < seconds:
        length = rng.uniform(4.0, 9.0)
        _add(sound, wave(length, rate, rng), int(at * rate))
        at += length * rng.uniform(0.5, 0.8)
    chirps = 0.0
    while chirps < seconds:
        _add(sound, rng.uniform(0.5, 1.0) * chirp(rate, rng), int(chirps * rate))
        chirps += rng.uniform(0.5, 1.2)
    return sound


def wave(seconds: float, rate: int, rng: np.random.Generator) -> Sound:
    """Return a wave: it comes with low frequencies, breaks with all of them, and runs out with the highest."""
    t = np.linspace(0, 1, int(seconds * rate))
    rumble = _band(50, 500, seconds, rate, rng) * np.exp(-(((t - 0.4) / 0.18) ** 2))
    surf = _band(300, 5000, seconds, rate, rng) * np.exp(-(((t - 0.45) / 0.12) ** 2))
    foam = _band(3000, 14000, seconds, rate, rng) * np.exp(-(((t - 0.6) / 0.2) ** 2))
    return rng.uniform(0.4, 1.0) * np.asarray(rumble + surf + 0.3 * foam) * np.minimum(1, np.minimum(t, 1 - t) * 20)


def chirp(rate: int, rng: np.random.Generator) -> Sound:
    """Return a cricket: five pulses of a high tone."""
    t = np.arange(int(0.2 * rate)) / rate
    pulses = np.clip(np.sin(2 * np.pi * 25 * t), 0, None) ** 2
    return np.asarray(0.15 * pulses * np.sin(2 * np.pi * rng.uniform(4300, 4600) * t))


def _band(low: float, high: float, seconds: float, rate: int, rng: np.random.Generator) -> Sound:
    """Return noise between two frequencies with a root mean square of 1."""
    noise = rng.standard_normal(int(seconds * rate))
    sound = signal.sosfilt(signal.butter(2, [low, min(high, 0.45 * rate)], "bandpass", fs=rate, output="sos"), noise)
    return np.asarray(sound / np.sqrt(np.mean(sound**2)))


def strings(seconds: float, rate: int, rng: np.random.Generator) -> Sound:
    """Return plucked strings and bells in a room, mono [N]."""
    dry = np.zeros(int(seconds * rate))
    step, at = 7, 0.2
    while at < seconds - 0.5:
        step = int(np.clip(step + rng.integers(-3, 4), 0, 20))
        frequency = 110 * 2 ** ((12 * (step // 7) + SCALE[step % 7]) / 12)
        note = bell(2 * frequency, rate, rng) if rng.random() < 0.2 else pluck(frequency, rate, rng)
        _add(dry, note * rng.uniform(0.4, 1.0), int(at * rate))
        at += rng.choice([0.2, 0.4, 0.4, 0.8]) * rng.uniform(0.97, 1.03)
    return dry + 0.3 * signal.fftconvolve(dry, room(1.2, rate, rng))[: len(dry)]


def pluck(frequency: float, rate: int, rng: np.random.Generator) -> Sound:
    """Return a plucked string: harmonics, the higher ones weaker and shorter."""
    order = np.arange(1, int(0.45 * rate / frequency))[:40]
    heard = np.abs(np.sin(np.pi * order * rng.uniform(0.12, 0.2))) / order
    return _partials(frequency * order * np.sqrt(1 + 1e-4 * order**2), heard, 1.5 / order**0.7, rate, rng)


def bell(frequency: float, rate: int, rng: np.random.Generator) -> Sound:
    """Return a bell: partials that are no multiples of each other."""
    ratios = np.array([0.5, 1.0, 1.19, 1.56, 2.0, 2.51, 2.66, 3.01, 4.1])
    return _partials(frequency * ratios, 0.5 / np.arange(1, 10), 3.0 / np.arange(1, 10) ** 0.8, rate, rng)


def choir(seconds: float, rate: int, rng: np.random.Generator) -> Sound:
    """Return chords of eight singers who stand from left to right, with a wide room, stereo [N, 2]."""
    dry = np.zeros((int(seconds * rate), 2))
    at, root = 0.0, 0
    while at < seconds - 1:
        length = min(rng.uniform(2.5, 5.0), seconds - at)
        vowel = VOWELS[str(rng.choice(list(VOWELS)))]
        root = int((root + rng.choice([-2, 3, 4, 0])) % 7)
        for singer in range(8):
            degree = root + 2 * (singer % 4)
            frequency = 110 * 2 ** (singer // 4) * 2 ** ((12 * (degree // 7) + SCALE[degree % 7]) / 12)
            sung = voice(min(frequency, 700), length + 0.4, vowel, rate, rng)
            angle = np.pi / 2 * (singer + 0.5) / 8
            _add(dry, sung[:, np.newaxis] * [np.cos(angle), np.sin(angle)], int(at * rate))
        at += length
    wide = np.column_stack([room(2.0, rate, rng), room(2.0, rate, rng)])
    return dry + 0.25 * signal.fftconvolve(dry, wide, axes=0)[: len(dry)]


def voice(frequency: float, seconds: float, vowel: tuple[int, ...], rate: int, rng: np.random.Generator) -> Sound:
    """Return one sung note: harmonics below the formants of a vowel, with vibrato, breath and a soft onset."""
    t = np.arange(int(seconds * rate)) / rate
    drift = np.cumsum(rng.standard_normal(len(t) // 441 + 2))
    wander = 2e-4 * np.interp(t * rate / 441, np.arange(len(drift)), drift)
    pitch = frequency * (1 + 0.006 * np.sin(2 * np.pi * rng.uniform(4.8, 5.8) * t + rng.uniform(0, 6)) + wander)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    sound = np.zeros(len(t))
    for order in range(1, int(min(0.45 * rate, 6000) / frequency)):
        level = sum(1 / (1 + ((order * frequency - f) / 120) ** 2) for f in vowel) + 0.02
        sound += level / order * np.sin(order * phase + rng.uniform(0, 6))
    breath = signal.sosfilt(
        signal.butter(2, [1500, 6000], "bandpass", fs=rate, output="sos"), rng.standard_normal(len(t))
    )
    fade = np.minimum(1, np.minimum(t, t[-1] - t) / 0.4)
    return (sound + 0.02 * breath) * np.sin(np.pi / 2 * fade) ** 2


def room(seconds: float, rate: int, rng: np.random.Generator) -> Sound:
    """Return the impulse response of a room without its direct sound; it falls by 60 dB in `seconds`."""
    t = np.arange(int(seconds * rate)) / rate
    noise = signal.sosfilt(signal.butter(1, 4000, fs=rate, output="sos"), rng.standard_normal(len(t)))
    tail = noise * 10 ** (-3 * t / seconds) * np.minimum(1, t / 0.01)
    return np.asarray(tail / np.sqrt(np.sum(tail**2)))


def _partials(frequencies: Sound, levels: Sound, times: Sound, rate: int, rng: np.random.Generator) -> Sound:
    """Return decaying sines: frequencies in Hz, and the times in seconds in which they fall to 1/e."""
    t = np.arange(int(4 * times.max() * rate)) / rate
    heard = frequencies < 0.45 * rate
    sound = np.zeros(len(t))
    for frequency, level, decay in zip(frequencies[heard], levels[heard], times[heard], strict=True):
        sound += level * np.exp(-t / decay) * np.sin(2 * np.pi * frequency * t + rng.uniform(0, 2 * np.pi))
    return sound * np.minimum(1, t / 0.002)


def _add(whole: Sound, part: Sound, start: int) -> None:
    part = part[: len(whole) - start]
    whole[start : start + len(part)] += part


if __name__ == "__main__":
    main()
