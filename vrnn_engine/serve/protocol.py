"""The messages of a WebSocket session, and their limits.  docs/serving.md explains them; `codec` reads and writes them.

A text message is a JSON object whose `type` is the name of the message.  A binary message carries frames.  This module
imports only msgspec, so that a client needs nothing else of the server.
"""

from typing import Annotated, Any, Literal

import msgspec

VERSION = 1
"""Version of the protocol."""
MAX_MESSAGE = 64 * 1024
"""Largest message of a client, in bytes."""
MAX_OPEN = 256 * 1024
"""Largest first message of a client, in bytes: it may hold the events of a session that continues."""
MAX_RATE = 100
"""Largest number of messages of a client per second, after a burst of twice as many."""
MAX_RESTORES = 10
"""Restores that a client may send in a second, for a short time twice as many; the others are refused."""
MAX_BAD = 20
"""Number of messages with an error after which a session ends."""
MAX_TOKEN = 60_000
"""Largest number of characters of a token; it fits into one message of a client."""
MAX_FRAMES = 50
"""Largest number of frames in a binary message."""
MAX_CREDIT = 1_000_000
"""Largest credit, in frames."""
MAX_WAITING = 50
"""Largest number of events of a session that have not taken effect yet."""
MAX_TEXT = 20_000
"""Largest number of characters that wait to be written."""
MAX_EVENTS = 1000
"""Largest number of events of a timeline."""
LEAST_TOKENS = 0.25
"""Least time in seconds between two tokens that are sent at their time."""

MESSAGE_SECONDS, INK_MESSAGE_SECONDS = 0.02, 0.1
"""A binary message of sound and of ink lasts at least as long as this by default."""
MAX_SKIPPED = 10.0
"""Largest number of seconds between a token and the first frame that is sent."""
OPEN_SECONDS = 3.0
"""Time in which a client has to send its first message."""
REPORT_SECONDS = 0.1
"""Time between two reports."""
STATS_SECONDS = 1.0
"""Time between two messages `stats`."""

# Close codes.  Below 4000 they are those of RFC 6455 and its registry.
DONE = 1000
GOING_AWAY = 1001
POLICY = 1008
TOO_BIG = 1009
FAILED = 1011
TRY_LATER = 1013
SLOW = 4001
BAD_MESSAGES = 4002
RUNAWAY = 4003
IDLE = 4004

Format = Literal["s16le", "f32le"]
Report = Literal["latents", "levels"]
SeedField = Annotated[int, msgspec.Meta(ge=0)] | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,20}$")]


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """Base class of all text messages."""


class Open(Message, frozen=True, kw_only=True, tag="open", omit_defaults=True):
    """Begin a session; the first message of a client."""

    protocol: int = VERSION
    seed: SeedField | None = None
    """0 to 2**64-1, also as decimal digits in a string, for languages whose numbers have 53 bits; random by default."""
    controls: dict[str, float | tuple[float, ...]] = {}
    """Values of controls before the first frame."""
    text: str | None = None
    """Text to write, for a voice that reads one."""
    width: float | None = None
    """Width of a line in the unit of the voice."""
    format: Format | None = None
    """Type of a sample: 16 bit integers or 32 bit floats.  By default s16le for sound; ink is always f32le."""
    frames: Annotated[int, msgspec.Meta(ge=1, le=MAX_FRAMES)] | None = None
    """Most frames of a binary message; by default the fewest that last 20 ms of sound or 100 ms of ink."""
    credit: Annotated[int, msgspec.Meta(ge=0, le=MAX_CREDIT)] = 0
    """Number of frames that the server may send before it is given more."""
    token: str | None = None
    """Continue the session in which the server sent this token.  Seed, controls and text are those of the token."""
    frame: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """With a token: the first frame to send.  By default that of the token; frames before it are computed, not sent."""
    events: tuple[dict[str, Any], ...] = ()
    """Events with their `frame` or `second`, in order.  With a token: all those from the token's frame on."""
    reports: tuple[Report, ...] = ()
    """The reports that are sent ten times a second."""
    tokens: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 1.0
    """Seconds between two tokens, at least 0.25; 0 for none."""


class Credit(Message, frozen=True, kw_only=True, tag="credit"):
    """Let the server send more frames."""

    frames: Annotated[int, msgspec.Meta(ge=1, le=MAX_CREDIT)]


class SendEvent(Message, frozen=True, kw_only=True, tag="event"):
    """Steer the stream: an event of `vrnn_engine.runtime.live.events`, which takes effect as soon as possible."""

    event: dict[str, Any]


class RestoreToken(Message, frozen=True, kw_only=True, tag="restore"):
    """Continue from the state of a token of the same voice.  Frame numbers go on."""

    token: str


class SaveToken(Message, frozen=True, kw_only=True, tag="save"):
    """Ask for a token of the present state."""


class Clear(Message, frozen=True, kw_only=True, tag="clear"):
    """Drop the frames that were computed and not sent."""


class Close(Message, frozen=True, kw_only=True, tag="close"):
    """End the session."""


ClientMessage = Open | Credit | SendEvent | RestoreToken | SaveToken | Clear | Close


class Opened(Message, frozen=True, kw_only=True, tag="opened"):
    """The session has begun."""

    protocol: int = VERSION
    session: str
    """Identifies the session in the logs of the server."""
    voice: str
    seed: SeedField
    """The seed; a string of digits if it has more than 53 bits."""
    frame: int
    """Number of the first frame that will be sent."""
    rate: int
    """Samples (or points) per second."""
    frame_size: int
    """Samples per frame; for ink 3: dx, dy and pen_up."""
    frames_per_second: float
    frames: int
    """Most frames of a binary message; it has fewer only when the credit is spent."""
    format: Format
    manifest: dict[str, Any]
    """The manifest of the voice."""


class Applied(Message, frozen=True, kw_only=True, tag="applied"):
    """An event took effect.  It is sent before the binary message with its frame."""

    frame: int
    """The first frame that the event affects."""
    event: dict[str, Any]
    """The event with everything that a replay needs, and its `frame`."""


class Latents(Message, frozen=True, kw_only=True, tag="latents"):
    """The latent of the last frame."""

    frame: int
    latent: tuple[float, ...]
    mean: tuple[float, ...] = ()
    """Mean of the prior; empty if the voice does not tell it."""
    std: tuple[float, ...] = ()
    """Standard deviation of the prior."""
    kl: tuple[float, ...] = ()
    """Divergence of the prior from N(0, 1) in each dimension, in nats."""


class Levels(Message, frozen=True, kw_only=True, tag="levels"):
    """The level of the sound since the last report; 1 is full scale."""

    frame: int
    peak: float
    rms: float


class TextProgress(Message, frozen=True, kw_only=True, tag="text"):
    """How much of the text is written, in characters."""

    written: int
    pending: int


class Token(Message, frozen=True, kw_only=True, tag="token"):
    """A token that continues the session from a frame on, on any server with the same key."""

    frame: int
    token: str
    latent: tuple[float, ...] = ()
    """The latent of the last frame before it."""
    reason: Literal["time", "save", "end"]
    """Whether it is sent at its time, because the client asked for it, or because the session ends."""


class Cleared(Message, frozen=True, kw_only=True, tag="cleared"):
    """Frames were dropped."""

    frame: int
    """Number of the next frame that will be sent."""


class Stats(Message, frozen=True, kw_only=True, tag="stats"):
    """How the server does, once a second."""

    step_ms: float
    """Mean time of computing one frame of all rows."""
    rows: int
    """Number of sessions of this voice."""
    lead_ms: float
    """How long this session's frames last that were computed and not sent."""


class ErrorMessage(Message, frozen=True, kw_only=True, tag="error"):
    """A message was refused, or an event failed.  The session continues."""

    code: Literal["bad-message", "bad-event", "bad-token", "bad-text", "not-finite"]
    message: str
    """One line."""


class End(Message, frozen=True, kw_only=True, tag="end"):
    """The session ends; the server closes the socket with the same code."""

    code: int
    reason: str
    """One line."""


ServerMessage = Opened | Applied | Latents | Levels | TextProgress | Token | Cleared | Stats | ErrorMessage | End
