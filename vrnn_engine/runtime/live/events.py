"""What can be asked of a performance while it plays: plain data, to be sent from anywhere, written down and replayed.

An event with neither `frame` nor `second` is for the next frame.  Both count what the performance has played,
whatever it went back to meanwhile.
"""

from typing import Annotated

import msgspec

from vrnn_engine.runtime.snapshot import Tensor

Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]  # a bound of thirty years: infinity is no time
Finite = Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)]
Duration = Annotated[float, msgspec.Meta(gt=0, le=1e9)]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True, omit_defaults=True):
    """What all events share."""

    frame: Count | None = None
    """The first frame that it changes."""
    second: Seconds | None = None
    """The same in seconds."""


class Set(Event, frozen=True, kw_only=True, tag="set"):
    """Give a control a value."""

    control: str
    value: float | tuple[float, ...]
    index: Count | None = None
    """The one dimension of a vector that it is for, counted from 0; all of them if not given."""
    ramp: Seconds = 0.0
    """How long the way there takes; it is straight, a step a frame."""


class Nudge(Event, frozen=True, kw_only=True, tag="nudge"):
    """Add to a control, as far as its range goes."""

    control: str
    by: Finite
    index: Count | None = None
    """As in `Set`."""


class Walk(Event, frozen=True, kw_only=True, tag="walk"):
    """Let a control wander at random, until it is set."""

    control: str
    speed: Duration
    """How far it gets in a second: the standard deviation of each dimension."""
    index: Count | None = None
    """As in `Set`."""
    seed: Count = 0


class Morph(Event, frozen=True, kw_only=True, tag="morph"):
    """Hold the latent, and bring it from what it is to that of a kept moment."""

    to: str
    seconds: Seconds
    latent: tuple[float, ...] | None = None
    """That latent itself, where it may not be found under its name; a recording has it."""


class Trace(Event, frozen=True, kw_only=True, tag="trace"):
    """Keep the path that the latent went in the last seconds, under a name."""

    name: str
    seconds: Duration


class Follow(Event, frozen=True, kw_only=True, tag="follow"):
    """Hold the latent to a path, and then as it was held before."""

    path: str
    """The name of a kept one; or a file: a .npy of `[frames, dimensions]`, or a recording, to the latents of which."""
    times: Count = 1
    """0: again and again, until `latent.hold` or `latent.target` is set."""
    latents: Tensor | None = None
    """The path itself, where it may not be found any more; a recording has it."""


class Reset(Event, frozen=True, kw_only=True, tag="reset"):
    """Give every control its default."""


class Seed(Event, frozen=True, kw_only=True, tag="seed"):
    """Draw from here on what another seed draws."""

    seed: Count


class Keep(Event, frozen=True, kw_only=True, tag="snapshot"):
    """Keep this moment under a name."""

    name: str


class Return(Event, frozen=True, kw_only=True, tag="restore"):
    """Go on where a kept moment was."""

    name: str
    snapshot: bytes | None = None
    """The moment itself, where it may not be found under its name; a recording has it."""


class Rewind(Event, frozen=True, kw_only=True, tag="rewind"):
    """Go on where the stream was so many seconds ago, to a tenth of a second, as it was heard."""

    seconds: Duration


class Prime(Event, frozen=True, kw_only=True, tag="prime"):
    """Go on as after listening to a recording."""

    file: str


class Fork(Event, frozen=True, kw_only=True, tag="fork"):
    """Let a copy go on by itself, into a target, while the stream plays on."""

    to: str
    seconds: Duration
    seed: Count | None = None
    """The stream's own if not given: what would be heard if nothing more were asked of it."""


AnyEvent = Set | Nudge | Walk | Morph | Trace | Follow | Reset | Seed | Keep | Return | Rewind | Prime | Fork
