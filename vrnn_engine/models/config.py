"""What a model is made of: the frozen, typed description that recipes and checkpoints carry."""

from typing import Annotated, Literal

import msgspec

Size = Annotated[int, msgspec.Meta(ge=1)]
Layers = Annotated[tuple[Size, ...], msgspec.Meta(min_length=1)]
"""Units of each hidden layer, first to last."""


class LinearPrediction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gated linear prediction of a frame from past frames; see `vrnn_engine.models.prediction`."""

    frames: Size
    """P, how many past frames."""
    bins: Size
    """M, of how many values, from the first on."""
    predictors: Size
    """K, how many predictors the decoder mixes."""
    gates: tuple[Size, ...] = ()
    """Units of the layers that read the past frames' own correlations to mix the predictors, beside the
    decoder's features; none mixes them by the features alone."""


Corner = Annotated[float, msgspec.Meta(gt=0, lt=0.5)]


class EmphasisConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An invertible filter before an audio basis; see `vrnn_engine.models.emphasis`.  It lifts what lies
    below `lower` by about 6 dB x order x log2(upper / lower), and nothing above `upper`."""

    order: Annotated[int, msgspec.Meta(ge=2, multiple_of=2)]
    lower: Corner
    """Cycles per sample: 0.00625 is 100 Hz at 16 kHz."""
    upper: Corner

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ValueError(f"emphasis.lower {self.lower:g} must be below emphasis.upper {self.upper:g}")


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes and choices of one model; names follow the paper (phi_x, phi_z, encoder, prior, decoder)."""

    family: str
    """Of `vrnn_engine.models.families`; `-gauss` has one Gaussian as output, `-gmm` a mixture of
    `components` of them."""
    basis: Literal["samples", "mdct", "points"]
    """What a frame is modelled as: its samples, their MDCT coefficients, or a pen's (dx, dy, pen-up)."""
    frame_size: Size
    """F: samples in an audio frame; 3 for a pen."""
    recurrent_size: Size
    phi_x: Layers
    decoder: Layers
    latent_size: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Z; this and the next three only where the family has them."""
    phi_z: tuple[Size, ...] = ()
    encoder: tuple[Size, ...] = ()
    prior: tuple[Size, ...] = ()
    components: Size = 1
    prediction: LinearPrediction | None = None
    """Predict the frame's mean linearly from the frames before it; None leaves that to h alone."""
    emphasis: EmphasisConfig | None = None
    """Lift the low end before the basis `mdct`, whose frames leak into it."""
    input_compression: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """k > 0 shows phi_x the frame as sign(x) log(1 + k|x|): the MDCT of speech spans four decades,
    and the quiet ones tell as much as the loud ones."""

    def __post_init__(self) -> None:
        if (self.basis == "points") != (self.frame_size == 3):
            raise ValueError("basis 'points' goes with frame_size 3 (dx, dy, pen-up), and only it does")
        if self.family.endswith("-gmm") != (self.components > 1):
            raise ValueError(f"family {self.family!r}: one that ends in -gmm needs components > 1, others have one")
        if self.emphasis and self.basis != "mdct":
            raise ValueError("emphasis goes with basis 'mdct'")
        if self.prediction and self.basis == "points":
            raise ValueError("prediction is for audio: a pen-up bit has no linear prediction")
        if self.prediction and self.prediction.bins > self.frame_size:
            raise ValueError(f"prediction.bins {self.prediction.bins} is more than frame_size {self.frame_size}")

    @property
    def past_size(self) -> int:
        """Width of the past frames that a state carries: P times F, or 0 without prediction."""
        return self.prediction.frames * self.frame_size if self.prediction else 0

    @property
    def modality(self) -> Literal["audio", "pen"]:
        """`pen` for points, `audio` otherwise."""
        return "pen" if self.basis == "points" else "audio"
