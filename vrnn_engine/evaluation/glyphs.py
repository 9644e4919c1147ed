"""Finds glyphs in lines of ink: the attention of a text voice says which strokes draw which character."""

import collections
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from vrnn_engine.data.style import Style, plain
from vrnn_engine.data.text.glyphs import Glyph, Glyphs, contributor_of, single_characters, usual_glyphs
from vrnn_engine.data.text.prepared import TextLine
from vrnn_engine.models.families.text import TextVRNN

COMMON = " .,"
"""Signs that are common."""
EVERY = 3
"""One in this number of the lines without digits and rarer signs is read."""
ROWS = 32


class GlyphFinder:
    """Cuts single characters out of lines.

    Parameters
    ----------
    model : TextVRNN
        A trained model, in evaluation mode.
    mean, std : tuple of float
        Of dx and dy in its training.
    style : Style, optional
        The usual style, to which lines are transformed first; None if the lines have it already.
    rate : float
        Points per second of the lines.
    """

    def __init__(
        self, model: TextVRNN, mean: tuple[float, ...], std: tuple[float, ...], style: Style | None, rate: float
    ):
        self.model, self.mean, self.std, self.style, self.rate = model, mean, std, style, rate
        self.index = {character: place for place, character in enumerate(model.text.alphabet, 1)}

    def find(self, lines: Sequence[TextLine], every: int = EVERY, share: float = 0.25) -> Glyphs:
        """Return the usual glyphs of each character.

        Parameters
        ----------
        lines : sequence of TextLine
            Lines whose texts are in the alphabet of the model.
        every : int
            One in this number of the lines without digits and rarer signs is read: other characters are in every few
            lines.
        share : float
            Share of the glyphs of a character that are clear enough; see `usual_glyphs`.
        """
        signs = {c for c in self.index if not c.isalpha()} - set(COMMON)
        chosen = [line for place, line in enumerate(lines) if place % every == 0 or signs & set(line.text)]
        chosen.sort(key=lambda line: len(line.ink))
        found: Glyphs = collections.defaultdict(list)
        for first in range(0, len(chosen), ROWS):
            group = chosen[first : first + ROWS]
            inks = [plain(line.ink, self.style, self.rate) if self.style else line.ink for line in group]
            attention = self.attention(inks, [line.text for line in group])
            for row, (line, ink) in enumerate(zip(group, inks, strict=True)):
                weight = attention[: len(ink), row, : len(line.text)]
                for character, points, clear in single_characters(ink, line.text, weight):
                    found[character].append(Glyph(points, clear, line.writer, contributor_of(line.writer)))
        return {character: usual_glyphs(glyphs, share) for character, glyphs in found.items()}

    def attention(self, inks: Sequence[NDArray[np.float32]], texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the attention before each point of lines.

        Parameters
        ----------
        inks : sequence of arrays [n, 3]
            dx, dy, pen-up, in the usual style.
        texts : sequence of str
            Text of each line.

        Returns
        -------
        array [T, B, U]
            For each point, line and character; U counts the end of a text as a character.
        """
        longest, widest = max(map(len, inks)), 1 + max(map(len, texts))
        frames, text = torch.zeros(longest, len(inks), 3), torch.zeros(len(inks), widest, dtype=torch.long)
        for row, (ink, characters) in enumerate(zip(inks, texts, strict=True)):
            moves = (ink[:, :2] - self.mean) / self.std
            frames[: len(ink), row] = torch.from_numpy(np.column_stack([moves, ink[:, 2]]).astype(np.float32))
            indices = [*(self.index[character] for character in characters), len(self.index) + 1]
            text[row, : len(indices)] = torch.tensor(indices)
        noise = torch.zeros(longest, len(inks), self.model.config.latent_size)
        with torch.no_grad():
            attention = self.model.unroll(frames, noise, text=text).attention.numpy()
        return np.concatenate([attention[:1], attention[:-1]])
