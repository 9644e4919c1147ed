"""Soft attention over the characters of a text: a mixture of Gaussians around one position that only moves forward.

    position_t = position_(t-1) + exp(step)        centre_k = position + REACH tanh(offset_k)
    bump_k(u) = exp(-exp(sharpness_k) ((centre_k - u)^2 + CLOSEST^2))
    attention(u) = sum_k weight_k bump_k(u)   for |position - u| < SPAN, else 0
    window = sum_u attention(u) embedding(character u)

`step`, `offset`, `sharpness` and the logits of `weight` (a softmax) are linear in the output of the first LSTM layer.

The attention follows Graves 2013 (arXiv:1308.0850), equations 46 to 51; the initial values follow Battenberg et al.
2019 (arXiv:1910.10288).  In both papers, each Gaussian has its own position, and some run far ahead of the text while
others lag.  Here all Gaussians share one position, and each has a bounded offset from it.  So the position says how
much of the text is written, and a window of a few characters contains all that a step can read.

Training makes some Gaussians ever sharper, so that they read nothing.  Without CLOSEST, rounding errors would determine
what such a Gaussian reads when its centre passes a character.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vrnn_engine.models.config import TextConfig
from vrnn_engine.models.layers import linear

REACH = 3.0
"""Largest distance of a Gaussian's centre from the position, in characters."""
SPAN = 10.0
"""Distance from the position, in characters, at which the attention becomes 0."""
WINDOW = 2 * int(SPAN) + 2
"""Number of characters that a step graph reads: all within SPAN of a position, and one more for its rounding."""
CLOSEST = 0.05
"""Distance from a centre, in characters, below which a Gaussian does not distinguish distances."""
START = -0.5
"""Position before the first frame: half a character before the first character."""
FIRST_SHARPNESS = -1.0
"""Initial sharpness: a Gaussian's sd is 1.2 characters."""
SPREAD = 0.6
"""The initial tanh(offset_k) are spaced evenly over [-SPREAD, SPREAD]."""
NONE = 0
"""Index of "no character": before a text, after its end, and in lines without text; its embedding is zeros."""


class Attention(NamedTuple):
    """What one step reads of the text."""

    position: Tensor
    """The new position, [B, 1], in characters."""
    attention: Tensor
    """Weight of each character, [B, U]."""
    window: Tensor
    """Sum of the embeddings, weighted by the attention, [B, E]."""


class TextWindow(nn.Module):
    """The characters' embedding and the parameters of the attention.

    Parameters
    ----------
    config : TextConfig
        Gives the alphabet, the width of the embedding and the number of Gaussians.
    """

    def __init__(self, config: TextConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.symbols, config.embedding, padding_idx=NONE)
        with torch.no_grad():
            self.embedding.weight.mul_(0.5)
        self.heads = linear(config.reader_size, 3 * config.gaussians + 1)
        k = config.gaussians
        with torch.no_grad():
            self.heads.weight.mul_(0.25)
            self.heads.bias[k : 2 * k] = torch.atanh(torch.linspace(-SPREAD, SPREAD, k)) if k > 1 else 0.0
            self.heads.bias[2 * k : 3 * k] = FIRST_SHARPNESS
            self.heads.bias[3 * k] = -math.log(config.points_per_character)

    def embed(self, text: Tensor) -> Tensor:
        """Return the embeddings [B, U, E] of the indices of characters [B, U]."""
        embedded: Tensor = self.embedding(text)
        return embedded

    def forward(self, h: Tensor, position: Tensor, characters: Tensor) -> Attention:
        """Move the position, and read the characters around it.

        Parameters
        ----------
        h : Tensor
            Output of the first LSTM layer, [B, H].
        position : Tensor
            The old position, [B, 1].
        characters : Tensor
            Embeddings of the text, [B, U, E].
        """
        weight, offset, sharpness, step = self.split(self.heads(h))
        position = position + torch.exp(step)
        attention = attend(weight, offset, sharpness, position, characters.shape[1])
        return Attention(position, attention, (attention.unsqueeze(-2) @ characters).squeeze(-2))

    def split(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Split [..., 3 K + 1] into weight logits, offsets and sharpnesses, [..., K] each, and step [..., 1]."""
        k = self.config.gaussians
        return raw.split([k, k, k, 1], dim=-1)


def attend(weight: Tensor, offset: Tensor, sharpness: Tensor, position: Tensor, count: int) -> Tensor:
    """Return the attention to each character, [B, U].

    Parameters
    ----------
    weight, offset, sharpness : Tensor
        Parameters of the Gaussians, [B, K]; `weight` contains the logits of a softmax.
    position : Tensor
        [B, 1], in characters.
    count : int
        U, the number of characters.
    """
    places = torch.arange(count, device=position.device, dtype=position.dtype)
    away = (position + REACH * torch.tanh(offset)).unsqueeze(-1) - places
    bumps = torch.exp(-torch.exp(sharpness).unsqueeze(-1) * (away * away + CLOSEST**2))
    attention = (torch.softmax(weight, dim=-1).unsqueeze(-2) @ bumps).squeeze(-2)
    return torch.where((position - places).abs() < SPAN, attention, 0.0)
