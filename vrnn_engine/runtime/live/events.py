"""The events that steer a performance: plain data that can be sent, written to a timeline and replayed.

An event with neither `frame` nor `second` takes effect at the next frame.  Both count the frames that the performance
has played since it began; `Rewind` and `Restore` do not set the count back.

The timeline format uses the tags and field names, so changing them would break files written by earlier versions.
"""

from typing import Annotated, Any, get_args

import msgspec
import numpy as np

from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.snapshot import Tensor

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]  # JSON of other languages has no larger integers
SeedNumber = Annotated[int, msgspec.Meta(ge=0)]  # 0 to 2**64-1; msgspec compares with no number above 2**63-1
Times = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]  # the upper limit, about 30 years, excludes infinity
Finite = Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)]
Duration = Annotated[float, msgspec.Meta(gt=0, le=1e9)]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True, omit_defaults=True):
    """The time of an event; base class of all events."""

    frame: Count | None = None
    """The first frame that the event affects, counted from the start of the performance."""
    second: Seconds | None = None
    """The same time in seconds; an event has a `frame` or a `second`, or neither."""


class Set(Event, frozen=True, kw_only=True, tag="set"):
    """Set a control, at once or along a linear ramp."""

    control: str
    """Name of the control."""
    value: float | tuple[float, ...]
    """The new value: a number for all dimensions, or one number for each."""
    index: Count | None = None
    """The dimension to set, counted from 0; None sets all dimensions."""
    ramp: Seconds = 0.0
    """Seconds until the value is reached, in equal steps, one per frame."""


class Nudge(Event, frozen=True, kw_only=True, tag="nudge"):
    """Add to a control; the result is clipped to the control's range."""

    control: str
    """Name of the control."""
    by: Finite
    """The amount to add."""
    index: Count | None = None
    """The dimension to change, counted from 0; None changes all dimensions."""


class Walk(Event, frozen=True, kw_only=True, tag="walk"):
    """Start a random walk of a control; it ends when the control is set."""

    control: str
    """Name of the control."""
    speed: Duration
    """Standard deviation of the change of each dimension per second."""
    index: Count | None = None
    """The dimension that walks, counted from 0; None makes all dimensions walk."""
    seed: SeedNumber = 0
    """Seed of the random numbers."""


class Morph(Event, frozen=True, kw_only=True, tag="morph"):
    """Hold the latent and move it along a straight line to the latent of a saved state."""

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
    """Length of the trajectory; limited to the `memory` of the performance."""


class Follow(Event, frozen=True, kw_only=True, tag="follow"):
    """Make the latent follow a trajectory; afterwards the latent is held or free, as it was before."""

    path: str
    """Name of a saved trajectory, a .npy file of [frames, dimensions], or a recording whose latents are used."""
    times: Times = 1
    """How often to play the trajectory; 0 repeats it until `latent.hold` or `latent.target` is set."""
    latents: Tensor | None = None
    """The trajectory itself, [T, Z]; if None, it is looked up by `path`.  A performance log contains it."""


class Reset(Event, frozen=True, kw_only=True, tag="reset"):
    """Set every control to its default."""


class Seed(Event, frozen=True, kw_only=True, tag="seed"):
    """Use the noise of another seed from here on."""

    seed: SeedNumber
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
    """The state, as `Stream.snapshot` returns it; if None, it is looked up by name.  A performance log contains it."""


class Rewind(Event, frozen=True, kw_only=True, tag="rewind"):
    """Continue from an earlier state, with the controls and movements of that time.

    The state is that of the last checkpoint before that time; there are ten checkpoints per second.
    """

    seconds: Duration
    """Seconds to go back."""


class Prime(Event, frozen=True, kw_only=True, tag="prime"):
    """Continue from the state that the voice reaches when it observes a recording from the zero state."""

    file: str
    """Path of the recording."""


class Fork(Event, frozen=True, kw_only=True, tag="fork"):
    """Start a copy of the stream that plays into its own target."""

    to: str
    """The target, as for `--to`."""
    seconds: Duration
    """Seconds that the copy plays."""
    seed: SeedNumber | None = None
    """Seed of the copy.  None keeps the stream's seed, so that the copy plays as the stream would without events."""


class Write(Event, frozen=True, kw_only=True, tag="write"):
    r"""Add text behind what is to be written, if the voice writes a text."""

    text: str
    r"""Characters of the voice's alphabet; ``\n`` begins a new line."""


class Erase(Event, frozen=True, kw_only=True, tag="erase"):
    """Remove the last characters that are to be written; those of the word that is being written stay."""

    count: Count
    """Number of characters; all of them if there are fewer."""


AnyEvent = (
    Set | Nudge | Walk | Morph | Trace | Follow | Reset | Seed | Save | Restore | Rewind | Prime | Fork | Write | Erase
)


def fault_of(plain: Any, error: Exception) -> str:
    """Return why something is not an event; for an unknown event or field, with the known ones.

    Parameters
    ----------
    plain : any
        What was decoded.
    error : Exception
        Why msgspec does not convert it.
    """
    kinds = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyEvent)}
    name = plain.get("do") if isinstance(plain, dict) else None
    if not isinstance(name, str):
        return str(error)
    if name not in kinds:
        return f"there is no event {name!r}{suggest(name, kinds, 'events')}"
    fields = kinds[name].__struct_fields__
    unknown = next((field for field in plain if field not in ("do", *fields)), None)
    return f"{name} has no field {unknown!r}{suggest(unknown, fields, 'its fields')}" if unknown else str(error)


def convert(event: AnyEvent) -> AnyEvent:
    """Return an event with its fields converted to their types; numpy's numbers become plain ones.

    Parameters
    ----------
    event : event

    Raises
    ------
    StreamError
        The object is not an event, or a field has a wrong value.
    """
    try:
        plain = msgspec.to_builtins(event, builtin_types=(bytes,), enc_hook=_from_numpy)
        found: AnyEvent = msgspec.convert(plain, AnyEvent)
        return found
    except NotImplementedError:  # an object of a type that msgspec does not know
        raise StreamError(f"not an event: {event!r:.60}") from None
    except (TypeError, ValueError) as error:  # msgspec.ValidationError is a ValueError
        raise StreamError(f"not an event: {error}") from None


def _from_numpy(value: Any) -> Any:
    """Convert a numpy scalar or array to plain Python numbers."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise NotImplementedError
