"""Write texts with a checkpoint of a text-conditioned model, as a picture of ink and attention.

python benchmarks/text_samples.py runs/handwriting/last.pt samples.png "The pen writes" "what you type."
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from vrnn_engine.models.families.text import TextVRNN
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.text.window import START
from vrnn_engine.training.checkpoint import load_checkpoint

TEXTS = [
    "The pen writes what you type.",
    "Stroke after stroke, 42 lines",
    "Dear Anna, thank you for the letter.",
    "Sphinx of black quartz, judge my vow!",
    "PACK MY BOX WITH FIVE DOZEN JUGS",
    "17 Hill St., Boston, MA 02139",
    "3 * (4 + 5) = 27; 50% of $80 is <40>",
    'Why? "Because," he said, it\'s @ #7 & [x] {y}.',
]
POINTS_PER_CHARACTER = 40
RESTING = 3
"""Number of successive points with the pen up and the attention on the end after which a text is written."""
PAST = 1.0
"""Distance of the position behind the end, in characters, at which a text counts as written."""


def write(
    model: TextVRNN, texts: list[list[int]], seed: int, temperature: float, mixture: float, hand: float
) -> tuple[list[np.ndarray], list[np.ndarray], list[bool]]:
    """Return the normalised points [n, 3] and attention [n, U] of each text, and whether it was written to its end."""
    rows, widest = len(texts), max(map(len, texts))
    text = torch.zeros(rows, widest, dtype=torch.long)
    for row, indices in enumerate(texts):
        text[row, : len(indices)] = torch.tensor(indices)
    ends = torch.tensor([len(indices) - 1 for indices in texts])
    noise = torch.Generator().manual_seed(seed)
    state, size = model.initial_state(rows), model.config.latent_size
    latent = hand * torch.randn(rows, size, generator=noise)
    points, looks, still = [], [], torch.zeros(rows, dtype=torch.long)
    stop, ended = torch.full((rows,), -1), torch.zeros(rows, dtype=torch.bool)
    for t in range(POINTS_PER_CHARACTER * widest):
        drawn = OutputNoise(
            torch.randn(rows, 3, generator=noise),
            torch.randn(rows, model.config.components, generator=noise),
            temperature,
            mixture,
        )
        made = model.generate(state, text, latent, drawn)
        state = made.state
        points.append(made.frame)
        looks.append(made.attention)
        before = (made.attention * (torch.arange(widest) < ends[:, None])).sum(1)
        last = before < 0.5 * made.attention.sum(1)
        still = torch.where(last & (made.frame[:, 2] > 0.5), still + 1, 0)
        stop = torch.where((stop < 0) & (still >= RESTING), t - RESTING + 2, stop)
        past = made.state.position.squeeze(1) + START > ends + PAST
        stop = torch.where((stop < 0) & past, t + 1, stop)
        ended = ended | (last & (still >= RESTING))
        if (stop >= 0).all():
            break
    frames, attention = torch.stack(points).numpy(), torch.stack(looks).numpy()
    until = [int(n) if n >= 0 else len(frames) for n in stop]
    return (
        [frames[:n, row] for row, n in enumerate(until)],
        [attention[:n, row, : len(texts[row])] for row, n in enumerate(until)],
        ended.tolist(),
    )


def main() -> None:
    """Draw."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("texts", nargs="*", default=TEXTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=0.7, help="of the output and the mixture")
    parser.add_argument("--mixture", type=float, default=None)
    parser.add_argument("--hand", type=float, default=1.0, help="of the latent")
    options = parser.parse_args()
    checkpoint = load_checkpoint(options.checkpoint)
    model = checkpoint.build()
    if not isinstance(model, TextVRNN):
        parser.error(f"{options.checkpoint}: its model does not read a text")
    index = {character: place for place, character in enumerate(model.text.alphabet, 1)}
    texts = [[*(index[c] for c in text), model.text.end] for text in options.texts]
    mixture = options.temperature if options.mixture is None else options.mixture
    began = time.monotonic()
    with torch.no_grad():
        inks, looks, ended = write(model, texts, options.seed, options.temperature, mixture, options.hand)
    print(f"{sum(map(len, inks)):,} points in {time.monotonic() - began:.1f} s; ended {sum(ended)} of {len(ended)}")
    figure, axes = plt.subplots(len(texts), 2, figsize=(17, 1.6 * len(texts)), width_ratios=[4, 1], squeeze=False)
    for (page, look), text, ink, attention, end in zip(axes, options.texts, inks, looks, ended, strict=True):
        path = np.cumsum(ink[:, :2] * checkpoint.std + checkpoint.mean, axis=0)
        for stroke in np.split(path, np.flatnonzero(ink[:, 2] > 0.5) + 1):
            if len(stroke):
                page.plot(stroke[:, 0], -stroke[:, 1], "k-", lw=1)
        page.set_aspect("equal")
        page.axis("off")
        page.set_title(f"{text} | {len(ink)} points{'' if end else ', no end'}", fontsize=8)
        look.imshow(attention.T, aspect="auto", origin="upper", cmap="gray_r", interpolation="nearest")
        look.tick_params(labelsize=6)
    updates = checkpoint.resume.get("done")
    figure.suptitle(f"{updates} updates, temperature {options.temperature}, hand {options.hand}", fontsize=8)
    figure.tight_layout(pad=0.3)
    figure.savefig(options.picture, dpi=65)


if __name__ == "__main__":
    main()
