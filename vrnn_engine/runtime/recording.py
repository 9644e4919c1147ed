"""Reads a recording of sound or ink, and converts it to the frames that a voice observes."""

import json
import numbers
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vrnn_engine.base.file_errors import read_error
from vrnn_engine.base.file_kinds import non_file_kind
from vrnn_engine.base.process_exit import native_call
from vrnn_engine.base.sound_files import open_sound
from vrnn_engine.errors import RecordingError
from vrnn_engine.runtime.ink_recording import fit_to_voice
from vrnn_engine.runtime.voice.manifest import Manifest

RATES = 1, 10_000_000
"""Slowest and fastest rate of a recording, in samples or points per second; catches wrong units and typos."""
EVEN = 2e-6
"""Largest deviation in seconds of evenly spaced times that were rounded to microseconds."""
RecordingLike = str | os.PathLike[str] | np.ndarray | list[Any]
"""A path, or an array of samples or of points."""


@dataclass(frozen=True)
class Recording:
    """Frames of a recording in the format of a voice.

    Attributes
    ----------
    frames : float32 array [T, frame_size]
        Audio: samples, full scale +-1. Pen: dx and dy in the voice's unit, and pen-up, 0 or 1.
    conversions : tuple of str
        How the recording was converted, one line per conversion; empty if no conversion was needed.
    """

    frames: np.ndarray
    conversions: tuple[str, ...]


def read_recording(source: RecordingLike, manifest: Manifest, rate: float | None = None) -> Recording:
    """Read a recording and convert it to the format of a voice.

    Sound is mixed to mono and resampled to the voice's rate; its last frame is padded with zeros. Ink is
    converted to the voice's unit and rate if it says its own: an .npz in the arrays `unit` and `rate`, a .jsonl in
    fields `unit` and by the times `t` of its points.

    Parameters
    ----------
    source : path or array
        Audio: a sound file (WAV, FLAC, OGG, MP3), or samples [n] or [n, channels]: float with full scale +-1, int16 or
        int32. Pen: an .npz or .jsonl file with dx, dy and pen_up, or an array [T, 3] of them.
    manifest : Manifest
        Manifest of the voice.
    rate : float, optional
        Samples per second of an array; the voice's own rate by default. Ignored for a sound file, which has its own.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        The recording is missing, unreadable or empty, has the wrong shape, or contains NaN or infinity; or `rate` is
        not a number within `RATES`.

    See Also
    --------
    vrnn_engine.Stream.prime : Read and observe a recording.
    """
    is_path = isinstance(source, str | os.PathLike)
    where = os.fspath(source) if isinstance(source, str | os.PathLike) else "the array given"
    if is_path:
        _require_file(where)
    elif hasattr(source, "read"):
        raise RecordingError(f"{source!r:.100} is an open file; give the path of a recording, or an array")
    _check_rate(rate, where)
    if manifest.modality == "pen":
        points, unit, rate = _read_ink(Path(where)) if is_path else (source, None, rate)
        return _ink(points, unit, manifest, rate, where)
    if is_path:
        samples, rate = _read_sound(where)
    else:
        try:
            samples = np.asarray(source)
        except ValueError:
            raise RecordingError(f"{where}: samples must be an array of numbers [n] or [n, channels]") from None
    return _sound(samples, manifest, rate, where)


def _require_file(where: str) -> None:
    try:
        kind = non_file_kind(where)
    except FileNotFoundError:
        raise RecordingError(f"{where}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise read_error(where[:300], error, RecordingError) from None
    if kind is not None:
        raise RecordingError(f"{where}: is {kind}, not a file; give the path of a recording")


def _check_rate(rate: Any, where: str) -> None:
    """Raise `RecordingError` unless the rate is a number within `RATES`, or None."""
    slowest, fastest = RATES
    is_number = isinstance(rate, numbers.Real) and not isinstance(rate, bool)
    if rate is not None and not (is_number and slowest <= rate <= fastest):
        raise RecordingError(
            f"{where}: rate={rate!r:.40} is not a number from {slowest} to {fastest}, in samples or points per second"
        )


def _read_sound(where: str) -> tuple[np.ndarray, float]:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise RecordingError(f"{where}: reading sound needs soundfile and libsndfile: {error}") from None
    try:
        with open_sound(where) as file:
            samples, rate = file.read(dtype="float32", always_2d=True), file.samplerate
    except (soundfile.LibsndfileError, OSError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise RecordingError(f"{where}: cannot be read as sound ({reason}); use WAV, FLAC, OGG or MP3") from None
    return samples, rate


def _sound(samples: np.ndarray, manifest: Manifest, rate: float | None, where: str) -> Recording:
    conversions = []
    if samples.ndim == 1:
        samples = samples[:, np.newaxis]
    if samples.ndim != 2:
        raise RecordingError(f"{where}: samples must be [n] or [n, channels], not of shape {list(samples.shape)}")
    if samples.size == 0:
        raise RecordingError(f"{where}: is empty, it has no samples")
    if samples.shape[1] > 32 and samples.shape[1] > samples.shape[0]:
        raise RecordingError(f"{where}: shape {list(samples.shape)} looks like [channels, n]; transpose it")
    if samples.dtype in (np.int16, np.int32):
        full = -float(np.iinfo(samples.dtype).min)
        conversions.append(f"{samples.dtype} to full scale +-1")
        samples = samples / full
    elif samples.dtype.kind != "f":
        raise RecordingError(f"{where}: samples must be float, int16 or int32, not {samples.dtype}")
    if not np.isfinite(samples).all():
        raise RecordingError(f"{where}: some samples are NaN or infinite")
    if samples.shape[1] > 1:
        conversions.append(f"{samples.shape[1]} channels to mono")
    mono = samples.mean(axis=1, dtype=np.float64).astype(np.float32)

    if rate is not None and rate != manifest.rate:
        import soxr

        with native_call():
            mono = soxr.resample(mono, rate, manifest.rate)
        conversions.append(f"{rate:g} Hz to {manifest.rate} Hz")
        if mono.size == 0:
            raise RecordingError(f"{where}: too short to be resampled to {manifest.rate} Hz")
    short = -mono.size % manifest.frame_size
    if short:
        mono = np.pad(mono, (0, short))
        conversions.append(f"last frame filled up with {short} zeros")
    return Recording(np.ascontiguousarray(mono.reshape(-1, manifest.frame_size), np.float32), tuple(conversions))


def _read_ink(path: Path) -> tuple[np.ndarray, str | None, float | None]:
    """Return the points of a file, and its unit and rate if it says them."""
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                if missing := [name for name in ("dx", "dy", "pen_up") if name not in arrays]:
                    raise RecordingError(_describe_missing(path, missing, set(arrays)))
                points = np.stack([arrays[name] for name in ("dx", "dy", "pen_up")], axis=1)
                unit = str(arrays["unit"]) if "unit" in arrays else None
                return points, unit, float(arrays["rate"]) if "rate" in arrays else None
        if path.suffix.lower() == ".jsonl":
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            found = [line for line in lines if "dx" in line]
            rows = [(line["dx"], line["dy"], line["pen_up"]) for line in found]
            units = {str(line["unit"]) for line in lines if "unit" in line}
            if len(units) > 1:
                raise RecordingError(f"{path}: is ink in several units: {', '.join(sorted(units))}; give one")
            unit = units.pop() if units else None
            return np.array(rows, np.float64).reshape(-1, 3), unit, _rate([line.get("t") for line in found])
    except (OSError, ValueError, TypeError, LookupError, EOFError, zipfile.BadZipFile) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise RecordingError(f"{path}: cannot be read as ink with dx, dy and pen_up: {reason:.200}") from None
    raise RecordingError(
        f"{path}: ink is read from .npz or .jsonl files with dx, dy and pen_up; convert SVG, InkML, CSV "
        f"or stroke-3 with vrnn-engine ink convert {path} ink.npz"
    )


def _rate(times: list[float | None]) -> float | None:
    """Return the points per second of points at evenly spaced times, or None if they are not, or not known."""
    if len(times) < 2 or None in times:
        return None
    steps = np.diff(np.array(times, np.float64))
    step = float(steps.mean())
    if not (step > 0 and (np.abs(steps - step) <= EVEN).all()):
        return None
    rate = 1 / step
    return float(round(rate)) if abs(rate - round(rate)) <= EVEN * rate**2 else rate


def _describe_missing(path: Path, missing: list[str], present: set[str]) -> str:
    wanted = "the arrays dx, dy and pen_up, one value for each point"
    if {"dxy", "offsets"} <= present:  # a prepared corpus, in the units of the tablets that recorded it
        return (
            f"{path}: is a corpus of many lines; save one line, in the voice's unit and rate, as an .npz with {wanted}"
        )
    return f"{path}: an .npz of ink has {wanted}; this one lacks {', '.join(missing)}"


def _ink(source: Any, unit: str | None, manifest: Manifest, rate: float | None, where: str) -> Recording:
    try:
        if np.iscomplexobj(source):
            raise TypeError
        points = np.asarray(source, np.float32)
    except (TypeError, ValueError, OverflowError):
        raise RecordingError(f"{where}: ink must be an array of numbers [T, 3]: dx, dy, pen_up") from None
    if points.size == 0:
        raise RecordingError(f"{where}: is empty, it has no points")
    if points.ndim != 2 or points.shape[1] != 3:
        raise RecordingError(f"{where}: ink must have shape [T, 3]: dx, dy, pen_up; not {list(points.shape)}")
    if not np.isfinite(points).all():
        raise RecordingError(f"{where}: some points are NaN or infinite")
    if not np.isin(points[:, 2], (0.0, 1.0)).all():
        raise RecordingError(f"{where}: pen_up, the third column, must be 0 or 1")
    return Recording(*fit_to_voice(points, unit, rate, manifest, where))
