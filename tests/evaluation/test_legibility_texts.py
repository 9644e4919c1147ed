"""The texts of the legibility test: their number, lengths and characters."""

from collections import Counter

import pytest

from vrnn_engine.errors import DataError
from vrnn_engine.evaluation.legibility.texts import read_texts, texts_to_write
from vrnn_engine.training.recipe import load_recipe


def test_there_are_200_different_texts_with_a_long_line_and_a_page():
    texts = texts_to_write()
    flat = [text for kind in texts.values() for text in kind]
    assert len(flat) == len(set(flat)) == 200
    assert [len(text) for text in texts["long"]] == [120]
    assert [len(text) for text in texts["page"]] == [1500]
    assert all("\n" not in text for kind, found in texts.items() for text in found if kind != "page")
    assert all(text.isupper() for text in texts["capitals"])


def test_texts_have_every_character_of_the_recipe_several_times_and_no_other():
    alphabet = load_recipe("handwriting").model.text.alphabet
    counts = Counter("".join(text for kind in texts_to_write().values() for text in kind))
    assert set(counts) - {"\n"} == set(alphabet)
    assert min(counts.values()) >= 4


def test_texts_of_a_file_are_its_lines(tmp_path):
    (tmp_path / "mine.txt").write_text("One.\n\n  two \n", encoding="utf-8-sig")
    assert read_texts(tmp_path / "mine.txt") == {"text": ["One.", "two"]}


@pytest.mark.parametrize(
    ("content", "words"), [(b"\n \n", "has no text"), (b"caf\xe9", "not in UTF-8"), (None, "cannot be read")]
)
def test_file_without_texts_is_an_error(tmp_path, content, words):
    path = tmp_path / "mine.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=rf"mine\.txt.*{words}|{words}.*mine\.txt"):
        read_texts(path)
