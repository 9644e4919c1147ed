"""Speech corpora: normalisation, epochs, noise, and errors."""

import msgspec
import numpy as np
import pytest
import soundfile
from support.corpora import make_speech, speech_corpus, split_names
from support.recipes import speech_recipe

from vrnn_engine.data import cache, speech
from vrnn_engine.data.batches import SPLITS
from vrnn_engine.data.layouts import LAYOUTS
from vrnn_engine.data.options import SpeechData
from vrnn_engine.data.recordings import read_mono
from vrnn_engine.data.signal import Joined, Noise
from vrnn_engine.data.speech import SpeechCorpus
from vrnn_engine.errors import DataError
from vrnn_engine.training.corpus import open_corpus
from vrnn_engine.training.trainer import train


def epoch_in_memory(corpus, split, rng, frame_size, lanes, chunk, carry, context):
    """Yield the signals of an epoch, computed in the simplest way: from the whole signal, with one draw of noise."""
    part = corpus.parts[split]
    whole = [part.samples[a:b] for a, b in zip(part.bounds[:-1], part.bounds[1:], strict=True)]
    if rng is not None:
        whole = [whole[i] for i in rng.permutation(len(whole))]
        whole[0] = whole[0][int(rng.integers(frame_size)) :]
    signal = np.concatenate(whole).astype(np.float32)
    if rng is not None:
        signal += rng.random(len(signal), dtype=np.float32) - 0.5
    signal *= speech.QUANTUM / corpus.std[0]
    signal -= corpus.mean[0] / corpus.std[0]
    blocks = signal[: len(signal) // frame_size * frame_size].reshape(-1, frame_size)
    length = (len(blocks) - context) // lanes
    for position in range(0, length - chunk + 1, chunk):
        rows = (np.arange(lanes) * length)[None, :] + position + np.arange(context + chunk)[:, None]
        yield blocks[rows], position // chunk % carry == 0


@pytest.mark.parametrize("seed", [None, 0, 1, 2, 3])
def test_epoch_equals_one_computed_from_the_whole_signal(tmp_path, seed):
    lengths = [0.5, 0.01, 0.33, 0.0001, 0.21]
    folder = make_speech(tmp_path, [f"{split}/x.wav" for split in SPLITS])
    for i, seconds in enumerate(lengths):
        make_speech(folder, [f"train/{i}.wav"], seconds=seconds)
    corpus = speech_corpus(folder, 8000, frame_size=7, lanes=3, context=2)
    rng = lambda: None if seed is None else np.random.default_rng([9, seed])  # noqa: E731
    lazy = list(corpus.epoch("train", rng()))
    plain = list(epoch_in_memory(corpus, "train", rng(), frame_size=7, lanes=3, chunk=5, carry=2, context=2))
    assert len(lazy) == len(plain) > 50
    for batch, (signal, fresh) in zip(lazy, plain, strict=True):
        assert np.array_equal(batch.signal, signal)
        assert batch.fresh == fresh


@pytest.mark.parametrize("drawn", [0, 1, 2, 3])
def test_noise_does_not_depend_on_where_reading_begins(drawn):
    rng = np.random.default_rng(5)
    rng.random(drawn, dtype=np.float32)  # an odd number leaves half of a 64-bit draw
    noise = Noise(rng)
    whole = rng.random(100, dtype=np.float32)
    for first, count in ((0, 100), (0, 3), (1, 5), (2, 98), (51, 20), (99, 1), (7, 0)):
        assert np.array_equal(noise.read(first, count), whole[first : first + count])


def test_joined_recordings_are_read_across_their_joins():
    samples, bounds = np.arange(20, dtype=np.int16), np.array([0, 5, 5, 12, 20])
    part = cache.Decoded(samples, bounds, 0.0, 1.0)
    joined = Joined(part, np.array([2, 1, 3, 0]), 3)
    whole = np.concatenate([samples[8:12], samples[12:20], samples[0:5]])
    assert len(joined) == 17
    for first in range(17):
        for count in range(18 - first):
            assert np.array_equal(joined.read(first, count), whole[first : first + count])
    assert len(Joined(part, np.array([0, 1, 2, 3]), 6)) == 15  # the first is left out as a whole
    assert bounds.tolist() == [0, 5, 5, 12, 20]


def test_fitting_signal_of_a_long_corpus_is_a_fixed_part(tmp_path, monkeypatch):
    folder = make_speech(tmp_path, split_names(4))
    corpus = speech_corpus(folder, 8000)
    whole = corpus.fitting_signal()
    assert whole.shape == (800, 20)
    monkeypatch.setattr(speech, "FITTING_FRAMES", 105)
    monkeypatch.setattr(speech, "FITTING_STRETCH", 10)
    part = corpus.fitting_signal()
    assert part.shape == (100, 20)
    assert np.array_equal(part, corpus.fitting_signal())
    rows = {row.tobytes(): i for i, row in enumerate(whole)}
    at = np.array([rows[row.tobytes()] for row in part]).reshape(10, 10)
    assert (np.diff(at, axis=1) == 1).all()  # stretches
    assert (np.diff(at[:, 0]) >= 10).all()
    assert np.ptp(at) > 400


def test_recipe_layout_and_strict_reach_the_corpus(tmp_path):
    folder = make_speech(tmp_path / "speech", [f"english{i}.wav" for i in range(1, 10)])
    recipe = speech_recipe()
    assert recipe.data.layout == "folders"
    by_speaker = SpeechData(rate=8000, lanes=2, chunk=10, carry=2, layout="accent")
    recipe = msgspec.structs.replace(recipe, data=by_speaker)
    corpus = open_corpus(recipe, folder)
    assert {split: len(part.bounds) - 1 for split, part in corpus.parts.items()} == {"train": 7, "valid": 1, "test": 1}
    (folder / "english3.wav").write_bytes(b"no sound")
    assert len(open_corpus(recipe, folder).skipped) == 1
    with pytest.raises(DataError, match=r"english3\.wav: not a readable"):
        train(recipe, folder, tmp_path / "run", strict=True)
    assert not (tmp_path / "run").exists()


def test_speech_is_normalised_by_one_mean_and_sd(tmp_path):
    folder = make_speech(tmp_path, split_names(4), channels=2)
    corpus = speech_corpus(folder, 8000)
    signal = corpus.fitting_signal()
    assert signal.mean() == pytest.approx(0, abs=1e-3)
    assert signal.std() == pytest.approx(1, abs=1e-3)
    assert corpus.std[0] == pytest.approx(0.1 / np.sqrt(2), rel=0.02)  # two channels, averaged
    one, two = (list(corpus.epoch("train", np.random.default_rng(s))) for s in (1, 1))
    other = next(iter(corpus.epoch("train", np.random.default_rng(2))))
    assert np.array_equal(one[0].signal, two[0].signal)
    assert not np.array_equal(one[0].signal, other.signal)


def test_speech_of_another_rate_is_resampled(tmp_path):
    folder = make_speech(tmp_path, [f"{s}/a.wav" for s in SPLITS], rate=16000, seconds=1)
    corpus = speech_corpus(folder, 8000, context=0)
    assert len(corpus.parts["train"].samples) == 8000


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_single_recording_is_split_in_time(tmp_path, layout):
    path = make_speech(tmp_path, ["long.flac"], seconds=2.0) / "long.flac"
    parts = speech_corpus(path, 8000, layout=layout).parts
    whole = read_mono(path, 8000)
    for split, begin, end in (("train", 0, 12800), ("valid", 12800, 14400), ("test", 14400, 16000)):
        np.testing.assert_array_equal(parts[split].samples, whole[begin:end])
        assert parts[split].bounds.tolist() == [0, end - begin]
        assert parts[split].mean == pytest.approx(whole[begin:end].mean())
        assert parts[split].std == pytest.approx(whole[begin:end].std())


def test_a_single_file_that_is_short_or_no_recording_raises_one_line(tmp_path):
    path = make_speech(tmp_path, ["short.flac"], seconds=0.1) / "short.flac"
    with pytest.raises(DataError, match=r"short\.flac: its train split has 0\.1 s, fewer than the .* give more data"):
        SpeechCorpus(path, SpeechData(rate=8000, lanes=8, chunk=50, carry=2), frame_size=20, context=1)
    path.write_bytes(b"not a recording")
    with pytest.raises(DataError, match=r"short\.flac: not a readable recording"):
        speech_corpus(path, 8000)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no such recording or folder"),
        (["train/a.wav", "valid/a.wav", "test/readme.wav.txt"], "test: no recordings .* in this folder"),
        (["train/a.wav", "valid/a.wav", "test/a.wav"], "fewer than"),
    ],
)
def test_unusable_speech_raises_one_line(tmp_path, names, message):
    folder = tmp_path / "speech"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".wav"):
            make_speech(folder, [name], seconds=0.05)
        else:
            (folder / name).write_text("no sound")
    with pytest.raises(DataError, match=message) as caught:
        SpeechCorpus(folder, SpeechData(rate=8000, lanes=8, chunk=50, carry=2), frame_size=20, context=1)
    assert "\n" not in str(caught.value)


def test_error_names_a_file_that_is_not_a_recording(tmp_path):
    for split in SPLITS:
        (tmp_path / split).mkdir()
        (tmp_path / split / "a.wav").write_bytes(b"not a wav")
    with pytest.raises(DataError, match=r"none of its 3 recordings .*train/a\.wav: not a readable recording"):
        speech_corpus(tmp_path, 8000)


def test_silent_or_too_short_speech_is_refused(tmp_path):
    for split in SPLITS:
        (tmp_path / split).mkdir()
        soundfile.write(tmp_path / split / "a.wav", np.zeros(8000), 8000)
    with pytest.raises(DataError, match="silent"):
        speech_corpus(tmp_path, 8000)
    make_speech(tmp_path, [f"{split}/a.wav" for split in SPLITS], seconds=(2 * 5 + 2) * 20 / 8000)
    corpus = speech_corpus(tmp_path, 8000)
    assert all(len(list(corpus.epoch("train", np.random.default_rng(seed)))) == 1 for seed in range(20))
