"""Lines pieced together for the recogniser, and the glyphs that the attention of a model finds."""

import numpy as np
import pytest
import torch
from support import text_models
from support.drawn_text import ALPHABET, draw

from vrnn_engine.data.text.glyphs import Glyph
from vrnn_engine.data.text.prepared import TextLine
from vrnn_engine.evaluation.glyphs import GlyphFinder
from vrnn_engine.evaluation.legibility.pieced import FEW, few_glyphs, made_texts, pieced_lines


def glyph(character, session="s"):
    ink = draw(character)
    points = np.column_stack([np.cumsum(ink[:, :2], axis=0), ink[:, 2]])
    return Glyph(points, 1.0, session, "c")


def line(text, session="s#0", place=0):
    return TextLine(f"{session}#{place}", draw(text), text, session, "train")


def test_characters_with_few_glyphs():
    glyphs = {"a": [glyph("a")] * FEW, "b": [glyph("b")] * (FEW - 1), ".": []}
    assert few_glyphs(glyphs, " ab.A") == {"b", ".", "A"}


def test_a_text_that_lacks_a_glyph_is_left_out_and_others_keep_their_text():
    glyphs = {character: [glyph(character)] for character in "ab1"}
    found = list(pieced_lines(["ab 1", "aB", "b"], glyphs, np.random.default_rng(0)))
    assert [one.text for one in found] == ["ab 1", "b"]
    assert len({one.id for one in found}) == 2
    assert found[0].ink[:, 2].sum() == 3  # strokes


def test_made_texts_have_only_characters_with_glyphs_and_words_of_the_lines():
    characters = "0123456789-. /:ABCDEFGHIJKLMNOPQRSTUVWXYZabc"
    glyphs = {character: [glyph("a")] for character in characters if character != " "}
    texts = made_texts([line("abc")], glyphs, 50, np.random.default_rng(0))
    assert len(texts) == 50
    assert set("".join(texts)) <= set(characters)
    assert any("ABC" in text for text in texts)
    assert any(character.isdigit() for character in "".join(texts))


@pytest.fixture
def finder():
    torch.manual_seed(0)
    model = text_models.model(0).float().eval()
    return GlyphFinder(model, (0.0, 0.0), (1.0, 1.0), None, 30.0)


def test_glyphs_have_the_session_and_strokes_of_their_line(finder):
    characters = [character for character in ALPHABET if character in finder.index and character != " "]
    lines = [line(2 * character, f"session {place}", place) for place, character in enumerate(characters)]
    for character, glyphs in finder.find(lines, every=1).items():
        for one in glyphs:
            assert one.session == one.contributor == f"session {characters.index(character)}"
            assert one.points[-1, 2] == 1
            assert one.points[:, 0].min() == 0


def test_attention_is_that_before_each_point(finder):
    text = "".join(character for character in finder.index if character in ALPHABET)[:3]
    ink = draw(text)
    attention = finder.attention([ink, ink[:10]], [text, text[:1]])
    frames = torch.zeros(len(ink), 1, 3)
    frames[:, 0] = torch.from_numpy(ink)
    indices = torch.tensor([[*(finder.index[character] for character in text), len(finder.index) + 1]])
    noise = torch.zeros(len(ink), 1, finder.model.config.latent_size)
    after = finder.model.unroll(frames, noise, text=indices).attention[:, 0].detach().numpy()
    np.testing.assert_allclose(attention[1:, 0], after[:-1], atol=1e-6)
    assert attention.shape[1] == 2
