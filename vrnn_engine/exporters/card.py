"""Writes CARD.md, the description of a voice for users, from its manifest."""

from vrnn_engine.runtime.voice.manifest import Manifest
from vrnn_engine.runtime.voice.text import Text, readable_alphabet

MODALITY = {"audio": "sound", "pen": "handwriting"}


def card(manifest: Manifest) -> str:
    """Return the text of CARD.md.

    Parameters
    ----------
    manifest : Manifest
        The voice's manifest; its `files` are not used.
    """
    origin = manifest.provenance
    made = "stereo " * (manifest.channels == 2) + MODALITY[manifest.modality]
    rate = "samples" if manifest.modality == "audio" else "points"
    controls = "\n".join(
        f"| `{c.name}` | {list(c.shape)} | {c.default:g} | {c.minimum:g} to {c.maximum:g} | {c.description} |"
        for c in manifest.controls
    )
    metrics = "\n".join(f"| {name} | {value:,.2f} |" for name, value in sorted(origin.metrics.items()))
    styled = any(c.name.startswith("style.") for c in manifest.controls)
    plain = ", of ink without its style" if styled else ""
    drawn = "line" if manifest.text else "frame"
    return f"""# {manifest.name}

A {manifest.family} that streams {made}: {manifest.rate} {rate} a second in frames of
{manifest.frame_size} values ({manifest.unit}), modelled in the `{manifest.basis}` basis.

    vrnn-engine stream --voice {manifest.name}{_writing(manifest.text) if manifest.text else _made_up(manifest)}

## Data

- {origin.data}
- Source: {origin.source}
- Licence of the data: {origin.licence}

## Training

    {origin.command}

| metric (nats of the normalised signal{plain}, one posterior sample a {drawn}) | value |
|---|---|
{metrics}

## Controls

| control | shape | default | range | what it does |
|---|---|---|---|---|
{controls}
"""


def _made_up(manifest: Manifest) -> str:
    return f"""

It makes up {MODALITY[manifest.modality]} that resembles its training data.  It was given no text and says nothing."""


def _writing(text: Text) -> str:
    """Return how to write with a voice, and what it can write."""
    return f""" --text "What the pen writes."

It writes the text that it is given.  The seed (`--seed`) chooses the hand, which stays the same from line to line.
Without a text, it makes up handwriting that resembles its training data.

## Alphabet

{len(text.writable)} characters, besides the end of a line:

    {readable_alphabet(text)}

Other characters are an error that names them.  Baselines are {text.line_height:g} apart, in the unit above.

## How to write

- `output.temperature` and `mixture.temperature` make the ink more careful (below 1) or looser.
- If words come out wrong, lower these temperatures, or try another seed.
- `style.slant` and `style.size`, where the voice has them, change slant and size of the ink."""
