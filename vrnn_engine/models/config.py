"""Configuration of a model, as recipes and checkpoints contain it; frozen and typed."""

from typing import Annotated, Literal

import msgspec

Size = Annotated[int, msgspec.Meta(ge=1)]
MOST_LAYERS = 100
Layers = Annotated[tuple[Size, ...], msgspec.Meta(min_length=1, max_length=MOST_LAYERS)]
"""Units of each hidden layer, first to last."""
OptionalLayers = Annotated[tuple[Size, ...], msgspec.Meta(max_length=MOST_LAYERS)]
"""The same; none for families that do not use these layers."""


class SourceFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The source-filter output of audio samples; see `vrnn_engine.models.source_filter`."""

    cepstrum: Size
    """Number of cepstral coefficients of the filter."""
    warp: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    """Warping of the filter's frequency axis: 0.42 is the mel scale at 16 kHz, 0 is none."""
    shortest: Size
    """Shortest period of the excitation, in samples."""
    longest: Size
    """Longest period of the excitation, in samples; at most `frame_size`."""
    pitch: Layers
    """Units of the hidden layers that choose the period."""
    gains: Size = 5
    """Number of parts of a frame that have their own gain of the periodic excitation; a divisor of `frame_size`."""
    levels: Size = 10
    """Number of parts of a frame that have their own level of noise, and their own level among the features that phi_x
    reads; a divisor of `frame_size`."""

    @property
    def periods(self) -> int:
        """Number of possible periods."""
        return self.longest - self.shortest + 1


Corner = Annotated[float, msgspec.Meta(gt=0, lt=0.5)]


class EmphasisConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An invertible filter of the samples; see `vrnn_engine.models.emphasis`.

    It lifts frequencies below `lower` by about 6 dB x order x log2(upper / lower), and leaves those above `upper` as
    they are.
    """

    order: Annotated[int, msgspec.Meta(ge=2, multiple_of=2)]
    """Order of the Butterworth filter, even."""
    lower: Corner
    """Lower corner frequency in cycles per sample: 0.00625 is 100 Hz at 16 kHz."""
    upper: Corner
    """Upper corner frequency in cycles per sample."""

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ValueError(f"emphasis.lower {self.lower:g} is not below emphasis.upper {self.upper:g}")


class SlowCells(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cells of the recurrence that are leaky averages; see `vrnn_engine.models.slow_cells`."""

    count: Size
    """Number of these cells."""
    shortest: Annotated[float, msgspec.Meta(gt=1)]
    """Averaging time of the first cell, in frames; the times are spaced evenly on a logarithmic scale."""
    longest: Annotated[float, msgspec.Meta(gt=1)]
    """Averaging time of the last cell, in frames."""

    def __post_init__(self) -> None:
        if self.longest < self.shortest:
            raise ValueError(f"slow_cells.longest {self.longest:g} is below slow_cells.shortest {self.shortest:g}")


class TextConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text that a model reads, and its first layer; see `vrnn_engine.models.families.text`."""

    alphabet: Annotated[str, msgspec.Meta(min_length=1)]
    """All characters that can be written.  The index of the first is 1.  Index 0 is "no character", and the index after
    the last is the end of a text."""
    embedding: Size
    """E: width of the embedding of a character."""
    gaussians: Size
    """Number of Gaussians of the attention; see `vrnn_engine.models.text.window`."""
    reader_size: Size
    """Number of cells of the first LSTM layer, which reads the text; the second layer has the other cells of
    `recurrent_size`."""
    points_per_character: Annotated[float, msgspec.Meta(gt=0)]
    """Points per character at which the attention moves before training."""
    style_frames: Size = 8
    """Number of successive points that phi_x reads, for the latent of a line."""

    def __post_init__(self) -> None:
        if len(set(self.alphabet)) != len(self.alphabet):
            raise ValueError("text.alphabet has a character twice")

    @property
    def symbols(self) -> int:
        """Number of indices: none, the characters, the end."""
        return len(self.alphabet) + 2

    @property
    def end(self) -> int:
        """Index of the end of a text."""
        return len(self.alphabet) + 1


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Family, sizes and options of one model; names as in Chung et al. (2015)."""

    family: str
    """Name of a family in `vrnn_engine.models.families`, with the ending `-gauss` if the output is one Gaussian, or
    `-gmm` if it is a mixture of `components` Gaussians."""
    basis: Literal["samples", "mdct", "points"]
    """What a frame consists of: audio samples, their MDCT coefficients, or the (dx, dy, pen-up) of a pen."""
    frame_size: Size
    """F: samples in an audio frame, those of all channels together; 3 for a pen."""
    recurrent_size: Size
    """H: number of cells of the LSTM."""
    phi_x: Layers
    """Units of the layers that read a frame."""
    decoder: Layers
    """Units of the decoder's hidden layers."""
    latent_size: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Z: number of dimensions of the latent.  This field and the next three are set only for families that use them."""
    phi_z: OptionalLayers = ()
    """Units of the layers that read the latent."""
    encoder: OptionalLayers = ()
    """Units of the encoder's hidden layers."""
    prior: OptionalLayers = ()
    """Units of the prior's hidden layers."""
    channels: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1
    """Channels of audio: 1, or 2 for stereo, whose frames interleave left and right samples."""
    quietest: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    """Smallest rms by which an MDCT coefficient is divided, relative to the largest one.  In single precision, loud
    coefficients leave rounding errors in those that are more than 60 dB quieter."""
    components: Size = 1
    """K: number of components of the output mixture."""
    source_filter: SourceFilter | None = None
    """If set, a frame of samples is modelled as a filtered excitation, given the past frames."""
    emphasis: EmphasisConfig | None = None
    """If set, the low frequencies of audio samples are lifted."""
    slow_cells: SlowCells | None = None
    """If set, the first cells of the recurrence are averages over past frames."""
    text: TextConfig | None = None
    """If set, the model writes a text; only for families that read one."""
    input_compression: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """k.  If k > 0, phi_x reads sign(x) log(1 + k |x|) instead of x: MDCT coefficients of speech span four decades, and
    the small ones matter as much as the large ones."""

    def __post_init__(self) -> None:
        if (self.basis == "points") != (self.frame_size == 3):
            raise ValueError("basis 'points' needs frame_size 3 (dx, dy, pen-up), and no other basis may have it")
        if self.family.endswith("-gmm") != (self.components > 1):
            raise ValueError(
                f"family {self.family!r} with components {self.components}: -gmm needs components > 1, -gauss needs 1"
            )
        if self.input_compression and self.basis == "points":
            raise ValueError("input_compression is for audio, not for basis 'points'")
        if self.emphasis and self.basis != "samples":
            raise ValueError("emphasis needs basis 'samples'")
        if self.channels > 1 and (self.basis != "mdct" or self.frame_size % 2):
            raise ValueError("channels 2 needs basis 'mdct' and an even frame_size")
        if self.slow_cells and self.slow_cells.count > self.recurrent_size:
            raise ValueError(f"slow_cells.count {self.slow_cells.count} is above recurrent_size {self.recurrent_size}")
        if self.text:
            self._check_text(self.text)
        if self.source_filter:
            self._check_source_filter(self.source_filter)

    def _check_source_filter(self, c: SourceFilter) -> None:
        if self.basis != "samples" or self.components > 1 or self.input_compression:
            raise ValueError("source_filter needs basis 'samples', a -gauss family, and no input_compression")
        if not c.shortest <= c.longest <= self.frame_size:
            sizes = f"shortest {c.shortest}, longest {c.longest}, frame_size {self.frame_size}"
            raise ValueError(f"source_filter: {sizes}: need shortest <= longest <= frame_size")
        for name, parts in (("gains", c.gains), ("levels", c.levels)):
            if self.frame_size % parts:
                raise ValueError(f"source_filter.{name} {parts} does not divide frame_size {self.frame_size}")

    def _check_text(self, text: TextConfig) -> None:
        if self.basis != "points":
            raise ValueError("text needs basis 'points'")
        if not text.reader_size < self.recurrent_size:
            raise ValueError(f"text.reader_size {text.reader_size} is not below recurrent_size {self.recurrent_size}")

    @property
    def past_size(self) -> int:
        """Width of the past frames in a state: two frames, or 0 without a source-filter output."""
        return 2 * self.frame_size if self.source_filter else 0

    @property
    def modality(self) -> Literal["audio", "pen"]:
        """`pen` for points, `audio` otherwise."""
        return "pen" if self.basis == "points" else "audio"
