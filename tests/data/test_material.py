"""What recordings consist of, and the layout that splits a few of them in time."""

import numpy as np
import pytest
import soundfile
from support.corpora import make_speech, speech_corpus

from vrnn_engine.data import cache
from vrnn_engine.data.material import survey
from vrnn_engine.data.options import SpeechData
from vrnn_engine.data.recordings import read_mono, sample_blocks
from vrnn_engine.data.speech import SpeechCorpus
from vrnn_engine.errors import DataError


def test_rate_and_channels_are_those_of_most_of_the_sound(tmp_path):
    make_speech(tmp_path, ["a.wav", "b.wav", "c.wav"], rate=22050, seconds=0.5)
    make_speech(tmp_path, ["long.wav"], rate=44100, seconds=2, channels=2)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    found = survey(tmp_path)
    assert (found.rate, found.channels, found.recordings) == (44100, 2, 4)
    assert found.seconds == pytest.approx(3.5, abs=0.01)
    assert survey(tmp_path / "a.wav").rate == 22050


def test_recording_with_equal_channels_is_mono(tmp_path):
    sound = np.random.default_rng(0).uniform(-0.1, 0.1, (8000, 1))
    soundfile.write(tmp_path / "a.wav", np.repeat(sound, 2, axis=1), 8000)
    assert survey(tmp_path).channels == 1


def test_folder_without_a_readable_recording_is_an_error(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match="no recording here can be read"):
        survey(tmp_path)


@pytest.mark.parametrize("own_rate", [8000, 12000])
def test_each_of_a_few_recordings_is_split_in_time(tmp_path, own_rate):
    names = ["a.wav", "b.wav", "sub/c.wav"]
    make_speech(tmp_path, names, rate=own_rate, seconds=1)
    corpus = speech_corpus(tmp_path, 8000, layout="recordings")
    whole = [read_mono(tmp_path / name, 8000) for name in names]
    for split, begin, end in (("train", 0, 6400), ("valid", 6400, 7200), ("test", 7200, 8000)):
        expected = np.concatenate([recording[begin:end] for recording in whole])
        np.testing.assert_array_equal(corpus.parts[split].samples, expected)
        assert corpus.parts[split].mean == pytest.approx(expected.mean())
        assert np.diff(corpus.parts[split].bounds).tolist() == [end - begin] * 3


def test_each_of_a_few_recordings_is_decoded_once(tmp_path, monkeypatch):
    decoded = []

    def counted(path, rate, channels):
        decoded.append(path.name)
        return sample_blocks(path, rate, channels)

    monkeypatch.setattr(cache, "sample_blocks", counted)
    make_speech(tmp_path, ["a.wav", "b.wav"], seconds=1)
    speech_corpus(tmp_path, 8000, layout="recordings")
    assert decoded == ["a.wav", "b.wav"]


def test_many_recordings_stay_whole(tmp_path):
    make_speech(tmp_path, [f"{i}.wav" for i in range(20)])
    corpus = speech_corpus(tmp_path, 8000, layout="recordings")
    assert [len(corpus.parts[split].bounds) - 1 for split in ("train", "valid", "test")] == [18, 1, 1]


def test_damaged_recording_that_is_split_in_time_is_reported_once(tmp_path):
    make_speech(tmp_path, ["a.wav", "b.wav"], seconds=1)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    corpus = speech_corpus(tmp_path, 8000, layout="recordings")
    assert len(corpus.skipped) == 1
    assert "broken.wav" in corpus.skipped[0]


def test_frames_of_stereo_interleave_both_channels(tmp_path):
    make_speech(tmp_path, ["a.wav", "b.wav", "c.wav"], rate=12000, seconds=1, channels=2)
    options = SpeechData(rate=8000, lanes=2, chunk=5, carry=2, layout="recordings")
    corpus = SpeechCorpus(tmp_path, options, 20, 1, channels=2)
    whole = np.concatenate(list(sample_blocks(tmp_path / "a.wav", 8000, 2)))
    samples = corpus.parts["train"].samples
    assert samples.shape == (3 * 6400, 2)
    np.testing.assert_array_equal(samples[:6400], whole[:6400])
    assert corpus.std == (pytest.approx(samples.std() / 32768),)
    (first, *_) = corpus.epoch("train", None)
    assert first.signal.shape == (6, 2, 20)
    expected = (samples[:10] / 32768 - corpus.mean) / corpus.std
    np.testing.assert_allclose(first.signal[0, 0].reshape(10, 2), expected, rtol=1e-4, atol=1e-5)
    noisy = next(iter(corpus.epoch("train", np.random.default_rng(0))))
    assert noisy.signal.shape == (6, 2, 20)
    mono = SpeechCorpus(tmp_path, options, 20, 1)
    assert mono.parts["train"].samples.shape == (3 * 6400,)
    assert "stereo" in corpus.about
    assert "mono" in mono.about


def test_mono_recording_fills_both_channels(tmp_path):
    make_speech(tmp_path, ["a.wav"])
    (found,) = sample_blocks(tmp_path / "a.wav", 8000, 2)
    np.testing.assert_array_equal(found, np.repeat(read_mono(tmp_path / "a.wav", 8000)[:, np.newaxis], 2, axis=1))
