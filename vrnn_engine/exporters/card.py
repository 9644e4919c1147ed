"""Writes CARD.md, the description of a voice for users, from its manifest."""

from vrnn_engine.runtime.voice.manifest import Manifest

MODALITY = {"audio": "sound", "pen": "handwriting"}


def card(manifest: Manifest) -> str:
    """Return the text of CARD.md.

    Parameters
    ----------
    manifest : Manifest
        The voice's manifest; its `files` are not used.
    """
    origin = manifest.provenance
    rate = "samples" if manifest.modality == "audio" else "points"
    controls = "\n".join(
        f"| `{c.name}` | {list(c.shape)} | {c.default:g} | {c.minimum:g} to {c.maximum:g} | {c.description} |"
        for c in manifest.controls
    )
    metrics = "\n".join(f"| {name} | {value:,.2f} |" for name, value in sorted(origin.metrics.items()))
    styled = any(c.name.startswith("style.") for c in manifest.controls)
    plain = ", of ink without its style" if styled else ""
    return f"""# {manifest.name}

A {manifest.family} that streams {MODALITY[manifest.modality]}: {manifest.rate} {rate} a second in frames of
{manifest.frame_size} values ({manifest.unit}), modelled in the `{manifest.basis}` basis.

    vrnn-engine stream --voice {manifest.name}

It makes up {MODALITY[manifest.modality]} that resembles its training data.  It was given no text and says nothing.

## Data

- {origin.data}
- Source: {origin.source}
- Licence of the data: {origin.licence}

## Training

    {origin.command}

| metric (nats of the normalised signal{plain}, one posterior sample a frame) | value |
|---|---|
{metrics}

## Controls

| control | shape | default | range | what it does |
|---|---|---|---|---|
{controls}
"""
