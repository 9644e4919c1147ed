"""What a model is made of: the frozen, typed description that recipes and checkpoints carry."""

from typing import Annotated, Literal

import msgspec

Size = Annotated[int, msgspec.Meta(ge=1)]
Layers = Annotated[tuple[Size, ...], msgspec.Meta(min_length=1)]
"""Units of each hidden layer, first to last."""


class SourceFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The source-filter output of audio samples; see `vrnn_engine.models.source_filter`."""

    cepstrum: Size
    """Coefficients of the filter's envelope."""
    warp: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    """Of its frequency axis: 0.42 is the mel scale at 16 kHz, 0 none."""
    shortest: Size
    """Samples of the shortest period that the excitation may have."""
    longest: Size
    """At most frame_size."""
    pitch: Layers
    """Units of the layers that choose the period."""
    gains: Size = 5
    """Parts of a frame with a gain of their own for the period; a divisor of frame_size."""
    levels: Size = 10
    """Parts of a frame with a level of their own, and whose levels phi_x is shown; a divisor of frame_size."""

    @property
    def periods(self) -> int:
        """How many periods there are to choose from."""
        return self.longest - self.shortest + 1


Corner = Annotated[float, msgspec.Meta(gt=0, lt=0.5)]


class EmphasisConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An invertible filter before frames of samples; see `vrnn_engine.models.emphasis`.  It lifts what lies
    below `lower` by about 6 dB x order x log2(upper / lower), and nothing above `upper`."""

    order: Annotated[int, msgspec.Meta(ge=2, multiple_of=2)]
    lower: Corner
    """Cycles per sample: 0.00625 is 100 Hz at 16 kHz."""
    upper: Corner

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ValueError(f"emphasis.lower {self.lower:g} must be below emphasis.upper {self.upper:g}")


class SlowCells(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cells of the recurrence that are leaky averages; see `vrnn_engine.models.slow_cells`."""

    count: Size
    shortest: Annotated[float, msgspec.Meta(gt=1)]
    """Frames that the first averages over; they are spaced evenly by their logarithms."""
    longest: Annotated[float, msgspec.Meta(gt=1)]

    def __post_init__(self) -> None:
        if self.longest < self.shortest:
            raise ValueError(f"slow_cells.longest {self.longest:g} is below slow_cells.shortest {self.shortest:g}")


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
    source_filter: SourceFilter | None = None
    """Model a frame of samples as an excitation through a filter, given the past."""
    emphasis: EmphasisConfig | None = None
    """Lift the low end of audio samples."""
    slow_cells: SlowCells | None = None
    """Have the first cells of the recurrence average over what went before."""
    input_compression: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """k > 0 shows phi_x the frame as sign(x) log(1 + k|x|): the MDCT of speech spans four decades,
    and the quiet ones tell as much as the loud ones."""

    def __post_init__(self) -> None:
        if (self.basis == "points") != (self.frame_size == 3):
            raise ValueError("basis 'points' goes with frame_size 3 (dx, dy, pen-up), and only it does")
        if self.family.endswith("-gmm") != (self.components > 1):
            raise ValueError(f"family {self.family!r}: one that ends in -gmm needs components > 1, others have one")
        if self.input_compression and self.basis == "points":
            raise ValueError("input_compression goes with audio, not with basis 'points'")
        if self.emphasis and self.basis != "samples":
            raise ValueError("emphasis goes with basis 'samples'")
        if self.slow_cells and self.slow_cells.count > self.recurrent_size:
            raise ValueError(f"slow_cells.count {self.slow_cells.count} is above recurrent_size {self.recurrent_size}")
        if self.source_filter:
            self._check_source_filter(self.source_filter)

    def _check_source_filter(self, c: SourceFilter) -> None:
        if self.basis != "samples" or self.components > 1 or self.input_compression:
            raise ValueError("source_filter goes with basis 'samples', a -gauss family, and no input_compression")
        if not c.shortest <= c.longest <= self.frame_size:
            order = f"shortest {c.shortest}, longest {c.longest}, frame_size {self.frame_size}"
            raise ValueError(f"source_filter: {order} must not fall in this order")
        for name, parts in (("gains", c.gains), ("levels", c.levels)):
            if self.frame_size % parts:
                raise ValueError(f"source_filter.{name} {parts} does not divide frame_size {self.frame_size}")

    @property
    def past_size(self) -> int:
        """Width of the past frames that a state carries: two, or none without a source and filter."""
        return 2 * self.frame_size if self.source_filter else 0

    @property
    def modality(self) -> Literal["audio", "pen"]:
        """`pen` for points, `audio` otherwise."""
        return "pen" if self.basis == "points" else "audio"
