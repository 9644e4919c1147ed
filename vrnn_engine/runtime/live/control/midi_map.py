"""Which MIDI controller turns which control: kept in a JSON file that a person may edit.

    {"midi": 1, "bindings": [
      {"channel": 1, "cc": 21, "control": "output.temperature"},
      {"channel": 1, "cc": 22, "control": "latent.shift", "index": 3, "low": -2, "high": 2}]}

Channels are counted from 1, dimensions from 0.
"""

import os
from pathlib import Path
from typing import Annotated

import msgspec

from vrnn_engine.base.files import write_atomically
from vrnn_engine.base.folders import config_folder
from vrnn_engine.errors import SinkError, SourceError
from vrnn_engine.runtime.live.events import Count, Set
from vrnn_engine.runtime.voice.manifest import Control

VERSION = 1
MOST = 127
"""What a controller sends when it is turned all the way up."""


class Binding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One controller and what it turns."""

    channel: Annotated[int, msgspec.Meta(ge=1, le=16)]
    cc: Annotated[int, msgspec.Meta(ge=0, le=MOST)]
    control: str
    index: Count | None = None
    """The one dimension of a vector; all of them if not given."""
    low: float | None = None
    high: float | None = None
    """What the controller's ends stand for; the control's own range if not given."""

    def event(self, value: int, spec: Control) -> Set:
        """Return what a controller's value, 0 to 127, asks for."""
        low = spec.minimum if self.low is None else self.low
        high = spec.maximum if self.high is None else self.high
        wanted = low + (high - low) * value / MOST
        return Set(control=self.control, index=self.index, value=min(max(wanted, spec.minimum), spec.maximum))


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    midi: int = VERSION
    bindings: tuple[Binding, ...] = ()


class MidiMap:
    """The bindings, and the file that keeps them.

    Parameters
    ----------
    path : path, optional
        `midi.json` in `$VRNN_ENGINE_CONFIG`, or in the user's folder for configuration, if not given.

    Raises
    ------
    SourceError
        The file is there, but cannot be read or is no such map.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path or config_folder() / "midi.json")
        self.bindings: dict[tuple[int, int], Binding] = {}
        """By channel, from 1, and number of the controller."""
        try:
            file = msgspec.json.decode(self.path.read_bytes(), type=_File)
        except FileNotFoundError:
            return
        except OSError as error:
            raise SourceError(f"{self.path}: cannot be read: {error.strerror}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceError(f"{self.path}: not a map of MIDI controllers: {error}") from None
        if file.midi > VERSION:
            raise SourceError(f"{self.path}: version {file.midi} is newer than this vrnn-engine understands")
        self.bindings = {(one.channel, one.cc): one for one in file.bindings}

    def bind(self, binding: Binding) -> None:
        """Add a binding, in place of what its controller and its control had before, and write the file.

        Raises
        ------
        SourceError
            The file cannot be written; the binding holds nevertheless.
        """
        target = (binding.control, binding.index)
        kept = {key: one for key, one in self.bindings.items() if (one.control, one.index) != target}
        self.bindings = {**kept, (binding.channel, binding.cc): binding}
        text = msgspec.json.format(msgspec.json.encode(_File(bindings=tuple(self.bindings.values()))), indent=2)
        try:
            write_atomically(self.path, text + b"\n", parents=True)
        except SinkError as error:
            raise SourceError(f"cannot keep what was learnt: {error}") from error
