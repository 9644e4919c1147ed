"""The `[data.augment]` table of a recipe: how training recordings are changed on the fly."""

from typing import Annotated

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Decibels = Annotated[float, msgspec.Meta(ge=0, le=60)]
Hertz = Annotated[float, msgspec.Meta(gt=0)]


class Augment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the augmentation; see `vrnn_engine.data.augment.stretches`.

    A stretch is the signal of one lane between two resets of the state.  One condition is drawn for each stretch.
    """

    clean: Annotated[float, msgspec.Meta(ge=0.5, le=1)] = 0.5
    """Share of the stretches that stay as they are.  All shares below are shares of the other stretches."""
    gain: Decibels = 3.0
    """Largest change of the level in dB, up or down.  The model learns the changed signal."""
    edge: Share = 0.0
    """Share with another end of the top band: half of them filled up to half the sampling rate, half cut.  The model
    learns the changed signal."""
    edge_from: Hertz = 7000.0
    """Lowest frequency in Hz at which the top band is cut."""
    fill_from: Hertz = 7500.0
    """Lowest frequency in Hz above which the top band is filled."""
    tilt: Decibels = 0.0
    """Largest slope of an equalisation, in dB between 100 Hz and half the sampling rate.  Only the input changes."""
    telephone: Share = 0.0
    """Share that is limited to 300 to 3,400 Hz.  Only the input changes; the model learns to generate the unlimited
    signal."""
    noise: Share = 0.0
    """Share with added noise.  Only the input changes."""
    noise_least: Decibels = 15.0
    """Smallest ratio of the level of the training split to that of the noise, in dB."""
    noise_most: Decibels = 30.0
    """Largest ratio, in dB."""

    def __post_init__(self) -> None:
        if self.noise_most < self.noise_least:
            raise ValueError(f"noise_most {self.noise_most} is below noise_least {self.noise_least}")
