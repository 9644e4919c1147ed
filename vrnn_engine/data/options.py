"""How a corpus is read and cut into sequences: the `[data]` table of a recipe."""

from typing import Annotated

import msgspec

from vrnn_engine.data.layouts import Layout
from vrnn_engine.data.style import Style

Positive = Annotated[int, msgspec.Meta(ge=1)]
Above0 = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Decibels = Annotated[float, msgspec.Meta(ge=0, le=60)]

LEAST_AUGMENTED_RATE = 8000
"""Lowest sampling rate in Hz of augmented recordings: it includes the band of a telephone."""


class Augment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[data.augment]` table: how `vrnn_engine.data.augment.stretches` changes training recordings.

    A stretch is the signal of one lane between two resets of the state.  One condition is drawn for each stretch.
    """

    clean: Annotated[float, msgspec.Meta(ge=0.5, le=1)] = 0.5
    """Share of the stretches that stay as they are.  All shares below are shares of the other stretches."""
    gain: Decibels = 3.0
    """Largest change of the level in dB, up or down.  The model learns the changed signal."""
    edge: Share = 0.0
    """Share with another end of the top band: half of them filled up to half the sampling rate, half cut.  The model
    learns the changed signal."""
    edge_from: Above0 = 7000.0
    """Lowest frequency in Hz at which the top band is cut."""
    fill_from: Above0 = 7500.0
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


class SpeechData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="speech"):
    """Options of a folder of recordings; see `vrnn_engine.data.speech.SpeechCorpus`."""

    rate: Positive
    """Sampling rate of the corpus in Hz; recordings of another rate are resampled."""
    lanes: Positive
    """Number of stretches of the signal that are read in parallel: the rows of a batch."""
    chunk: Positive
    """Number of frames in a batch, in each lane."""
    carry: Positive
    """Number of batches over which the state is carried; then it is reset to zero."""
    layout: Layout = "folders"
    """How the corpus names and sorts its recordings; see `vrnn_engine.data.layouts`."""
    augment: Augment | None = None
    """Change the recording conditions of the training split on the fly."""

    def __post_init__(self) -> None:
        if self.augment and self.rate < LEAST_AUGMENTED_RATE:
            raise ValueError(f"data.augment needs a rate of at least {LEAST_AUGMENTED_RATE} Hz; remove the table")
        for name in ("edge_from", "fill_from"):
            if self.augment and self.augment.edge and not self.rate / 4 < getattr(self.augment, name) < self.rate / 2:
                raise ValueError(f"data.augment.{name} must be above a quarter and below half of the rate")


class TextLines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of lines with their texts; see `vrnn_engine.data.text.corpus.TextCorpus`."""

    min_characters: Positive = 2
    """Lines with shorter texts are left out."""
    max_characters: Positive = 80
    """Lines with longer texts are left out; two joined lines have at most this many characters as well."""
    min_points: Above0 = 4.0
    """Lines with fewer points per character are left out: they do not contain all of their text."""
    max_points: Above0 = 40.0
    """Lines with more points per character are left out: they contain more than their text."""
    parts: Annotated[int, msgspec.Meta(ge=3)] = 20
    """If the corpus does not say the splits, hashes of the ids divide the lines into this number of parts: one for
    validation, one for testing, and the others for training."""
    rest: Positive = 8
    """Number of points with the pen up and still after each line, from which the model learns what follows a text."""
    drop: Share = 0.1
    """Share of training lines without their text, so that the model also writes without one."""
    join: Share = 0.0
    """Share of training lines that are joined with another line of the same writer, after a space, if both together
    are short enough."""
    oversample: Annotated[float, msgspec.Meta(ge=1)] = 1.0
    """Limit of the number of copies, in an epoch, of a line with rare characters."""
    jitter: Annotated[float, msgspec.Meta(ge=0, lt=0.5)] = 0.0
    """Sd of a random log size, log aspect and slant of each training line."""


class PenData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="pen"):
    """Options of a corpus of handwritten lines; see `vrnn_engine.data.pen.PenCorpus`."""

    rows: Positive
    """Number of lines that are read in parallel: the rows of a batch."""
    chunk: Positive
    """Number of points in a batch, in each row; the state is carried to the end of a line."""
    rate: Positive
    """Points per second of the lines, and of a voice trained on them."""
    resample: bool = False
    """Resample every stroke to `rate` by linear interpolation; the first and last point of a stroke stay, and the move
    between two strokes stays one step.  If false, the points of the file are assumed to have that rate."""
    height_mm: Above0 | None = None
    """Scale the lines of each contributor to millimetres, such that the median sd of the ink about its baseline is this
    number of millimetres; contributors wrote on tablets of different scales.  If unset, lines stay in tablet units."""
    authors_normalisation: bool = False
    """Normalise dx and dy by one common mean and sd, as in the code of the paper's authors: both are sums over the two
    columns, divided by the number of points.  If false, each column has its own mean and sd."""
    max_points: Positive = 4096
    """Longer lines are left out."""
    max_move: Above0 | None = None
    """Lines that contain a longer move in x or y (in mm or tablet units) are left out: they are forms and tables, not
    running text."""
    split_by_form: bool = False
    """Keep lines whose id agrees up to its last dash (one form) in one split."""
    style: Style | None = None
    """Train on lines transformed to the mean style of the corpus; each stream of the voice then draws its own style."""
    text: TextLines | None = None
    """Train on lines with their texts; needs `model.text` and `resample`.  A batch then contains whole lines,
    whatever `chunk` is."""

    def __post_init__(self) -> None:
        if self.text and (not self.resample or self.authors_normalisation or self.split_by_form):
            raise ValueError("data.text needs resample = true, and neither authors_normalisation nor split_by_form")

    @property
    def height(self) -> float:
        """Typical rms height of the ink about its baseline, in the unit of the ink; 1 if the recipe does not say it."""
        return self.style.size if self.style else self.height_mm or 1.0
