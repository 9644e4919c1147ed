"""Translates between the events of the protocol and those of a performance.

A client may send the events that need neither files of the server nor its memory.  It restores states only by tokens,
which the server has sealed: nothing else of a client is ever restored.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from vrnn_engine.base.reading.decoding import one_line
from vrnn_engine.errors import StreamError
from vrnn_engine.runtime.live.events import (
    AnyEvent,
    Erase,
    Follow,
    Morph,
    Nudge,
    Reset,
    Restore,
    Seed,
    Set,
    Walk,
    Write,
)
from vrnn_engine.serve.protocol import MAX_EVENTS, MAX_TEXT

Possible = Set | Nudge | Walk | Morph | Follow | Reset | Seed | Write | Erase
_NAMES = ("set", "nudge", "walk", "morph", "follow", "reset", "seed", "write", "erase", "restore")
_RESTORED = "token"
"""Name of the saved state in the events that restore a token."""


@dataclass(frozen=True)
class Translator:
    """Translates the events of one session.

    Attributes
    ----------
    frames_per_second : float
    latents : int
        Number of dimensions of the voice's latent.
    snapshot_of : callable
        Returns the snapshot in a token; raises a `VRNNEngineError` if it is not a token of this voice.
    token_of : callable
        Returns a token of a snapshot.
    """

    frames_per_second: float
    latents: int
    snapshot_of: Callable[[str], bytes]
    token_of: Callable[[bytes], str]

    def event(self, fields: Mapping[str, Any]) -> AnyEvent:
        """Return an event that takes effect at once.

        Parameters
        ----------
        fields : mapping
            The JSON object.

        Raises
        ------
        VRNNEngineError
            It is not an event, or not one that a session takes.
        """
        event = self._event(fields)
        if event.frame is not None or event.second is not None:
            raise StreamError("an event that is sent takes effect at once; leave out frame and second")
        return event

    def timeline(self, events: Sequence[Mapping[str, Any]]) -> tuple[AnyEvent, ...]:
        """Return events of a timeline, each with its `frame`; raises a `VRNNEngineError` as `event` does."""
        if len(events) > MAX_EVENTS:
            raise StreamError(f"the timeline has {len(events)} events, more than {MAX_EVENTS}; send some of them later")
        planned: list[AnyEvent] = []
        for number, fields in enumerate(events):
            try:
                event = self._event(fields)
            except StreamError as error:
                raise StreamError(f"event {number} of the timeline: {error}") from None
            if (event.frame is None) == (event.second is None):
                raise StreamError(f"event {number} of the timeline needs either a frame or a second")
            frame = event.frame if event.frame is not None else round((event.second or 0) * self.frames_per_second)
            if planned and frame < (planned[-1].frame or 0):
                raise StreamError(f"event {number} of the timeline is earlier than the one before it; sort them")
            planned.append(msgspec.structs.replace(event, frame=frame, second=None))
        return tuple(planned)

    def fields(self, event: AnyEvent) -> dict[str, Any]:
        """Return the JSON object of an event that took effect."""
        if isinstance(event, Restore):
            token = self.token_of(event.snapshot or b"")
            return {"do": "restore", "frame": event.frame, "token": token}
        found: dict[str, Any] = msgspec.to_builtins(event)
        return found

    def restoring(self, token: str) -> Restore:
        """Return the event that restores a token; raises a `VRNNEngineError` if it is not one of this voice."""
        return Restore(name=_RESTORED, snapshot=self.snapshot_of(token))

    def _event(self, fields: Mapping[str, Any]) -> AnyEvent:
        name = fields.get("do")
        if name not in _NAMES:
            raise StreamError(f"a session takes no event {name!r:.40}; it takes {', '.join(_NAMES)}")
        if name == "restore":
            return self._restore(fields)
        try:
            event: AnyEvent = msgspec.convert(dict(fields), Possible)
        except (msgspec.ValidationError, RecursionError) as error:
            raise StreamError(f"cannot read the event {name!r}: {one_line(error)}") from None
        match event:
            case Morph(latent=None):
                raise StreamError("morph: give the latent itself; a session has no saved states")
            case Morph(latent=tuple() as latent) if len(latent) != self.latents:
                raise StreamError(f"morph: the latent has {len(latent)} dimensions, but the voice's has {self.latents}")
            case Follow(latents=None):
                raise StreamError("follow: give the latents themselves; a session reads no files")
            case Write() if len(event.text) > MAX_TEXT:
                raise StreamError(f"write: the text has more than {MAX_TEXT} characters")
        return event

    def _restore(self, fields: Mapping[str, Any]) -> Restore:
        token = fields.get("token")
        if not isinstance(token, str) or not fields.keys() <= {"do", "token", "frame", "second"}:
            raise StreamError("restore: give a token that this server has sent, and nothing else")
        times = {name: value for name, value in fields.items() if name in ("frame", "second")}
        try:
            event = msgspec.convert({"do": "restore", "name": _RESTORED, **times}, Restore)
        except msgspec.ValidationError as error:
            raise StreamError(f"restore: {one_line(error)}") from None
        return msgspec.structs.replace(event, snapshot=self.snapshot_of(token))
