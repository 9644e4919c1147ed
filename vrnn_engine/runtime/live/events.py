"""The events that steer a performance: plain data that can be sent, written to a timeline and replayed.

An event with neither `frame` nor `second` takes effect at the next frame.  Both count the frames that the performance
has played since it began; `Rewind` and `Restore` do not set the count back.

The tags and field names are those of the timeline format; files written by earlier versions use them too.
"""

from typing import Annotated

import msgspec

from vrnn_engine.runtime.snapshot import Tensor

Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]  # the upper limit, about 30 years, excludes infinity
Finite = Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)]
Duration = Annotated[float, msgspec.Meta(gt=0, le=1e9)]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True, omit_defaults=True):
    """The time of an event; base class of all events."""

    frame: Count | None = None
    """The first frame that it affects, counted from the start of the performance."""
    second: Seconds | None = None
    """The same time in seconds; an event has at most one of the two."""


class Set(Event, frozen=True, kw_only=True, tag="set"):
    """Set a control, at once or along a linear ramp."""

    control: str
    """Name of the control."""
    value: float | tuple[float, ...]
    """The new value: a number for all dimensions, or one number for each."""
    index: Count | None = None
    """The one dimension to set, counted from 0; None sets all."""
    ramp: Seconds = 0.0
    """Seconds until the value is reached, in equal steps, one a frame."""


class Nudge(Event, frozen=True, kw_only=True, tag="nudge"):
    """Add to a control; the result is limited to the control's range."""

    control: str
    """Name of the control."""
    by: Finite
    """The amount to add."""
    index: Count | None = None
    """The one dimension to change, counted from 0; None changes all."""


class Walk(Event, frozen=True, kw_only=True, tag="walk"):
    """Start a random walk of a control; it ends when the control is set."""

    control: str
    """Name of the control."""
    speed: Duration
    """Standard deviation of the change in one second, of each dimension."""
    index: Count | None = None
    """The one dimension that walks, counted from 0; None walks all."""
    seed: Count = 0
    """Seed of the random numbers."""


class Morph(Event, frozen=True, kw_only=True, tag="morph"):
    """Hold the latent and move it, along a straight line, to the latent of a saved state."""

    to: str
    """Name of the saved state."""
    seconds: Seconds
    """Duration of the movement."""
    latent: tuple[float, ...] | None = None
    """The latent itself, [Z]; if None, it is looked up by name.  A performance log contains it."""


class Trace(Event, frozen=True, kw_only=True, tag="trace"):
    """Save the latent trajectory of the last seconds under a name."""

    name: str
    """Name to save it under."""
    seconds: Duration
    """Length of the trajectory; at most what the performance remembers."""


class Follow(Event, frozen=True, kw_only=True, tag="follow"):
    """Hold the latent to a trajectory; afterwards it is held, or free, as it was before."""

    path: str
    """Name of a saved trajectory; or a file: a .npy of [frames, dimensions], or a recording whose latents are used."""
    times: Count = 1
    """How often to repeat it; 0 repeats it until `latent.hold` or `latent.target` is set."""
    latents: Tensor | None = None
    """The trajectory itself, [T, Z]; if None, it is looked up by `path`.  A performance log contains it."""


class Reset(Event, frozen=True, kw_only=True, tag="reset"):
    """Set every control to its default."""


class Seed(Event, frozen=True, kw_only=True, tag="seed"):
    """Use the noise of another seed from here on."""

    seed: Count
    """The new seed, 0 to 2**64 - 1."""


class Save(Event, frozen=True, kw_only=True, tag="snapshot"):
    """Save the state of the stream under a name."""

    name: str
    """Name to save it under: up to 64 letters, digits, spaces, dots, hyphens and underscores."""


class Restore(Event, frozen=True, kw_only=True, tag="restore"):
    """Continue from a saved state."""

    name: str
    """Name of the saved state."""
    snapshot: bytes | None = None
    """The state itself, as from `Stream.snapshot`; if None, it is looked up by name.  A performance log contains it."""


class Rewind(Event, frozen=True, kw_only=True, tag="rewind"):
    """Continue from the state of some seconds ago, with the controls and movements of that time.

    The state is that of the last checkpoint before; there are ten a second.
    """

    seconds: Duration
    """How far to go back."""


class Prime(Event, frozen=True, kw_only=True, tag="prime"):
    """Continue from the state that the voice reaches when it observes a recording from the zero state."""

    file: str
    """Path of the recording."""


class Fork(Event, frozen=True, kw_only=True, tag="fork"):
    """Start a copy of the stream that plays into a target of its own."""

    to: str
    """The target, as for `--to`."""
    seconds: Duration
    """How long the copy plays."""
    seed: Count | None = None
    """Seed of the copy; None keeps the stream's own, so that the copy plays what the stream would have."""


AnyEvent = Set | Nudge | Walk | Morph | Trace | Follow | Reset | Seed | Save | Restore | Rewind | Prime | Fork
