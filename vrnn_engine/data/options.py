"""How a corpus is read and cut into sequences: the `[data]` table of a recipe."""

from typing import Annotated

import msgspec

from vrnn_engine.data.layouts import Layout
from vrnn_engine.data.style import Style

Positive = Annotated[int, msgspec.Meta(ge=1)]
Above0 = Annotated[float, msgspec.Meta(gt=0)]


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
