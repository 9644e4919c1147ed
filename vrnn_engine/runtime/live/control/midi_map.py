"""Bindings of MIDI controllers to controls, saved in a JSON file that users may edit.

    {"midi": 1, "bindings": [
      {"channel": 1, "cc": 21, "control": "output.temperature"},
      {"channel": 1, "cc": 22, "control": "latent.shift", "index": 3, "low": -2, "high": 2}]}

Channels are counted from 1, the dimensions of a vector from 0.
"""

import os
from pathlib import Path
from typing import Annotated

import msgspec

from vrnn_engine.base.file_errors import newer_error, read_error
from vrnn_engine.base.files import write_atomically
from vrnn_engine.base.folders import config_folder
from vrnn_engine.base.reading.decoding import decode_json
from vrnn_engine.base.text_files import read_text_bytes
from vrnn_engine.errors import SinkError, SourceError
from vrnn_engine.runtime.live.events import Count, Set
from vrnn_engine.runtime.voice.manifest import Control

VERSION = 1
MAX_VALUE = 127
"""Largest value of a MIDI controller."""


class Binding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A MIDI controller and the control that it sets."""

    channel: Annotated[int, msgspec.Meta(ge=1, le=16)]
    """MIDI channel."""
    cc: Annotated[int, msgspec.Meta(ge=0, le=MAX_VALUE)]
    """Number of the MIDI controller (control change)."""
    control: str
    """Name of the control."""
    index: Count | None = None
    """The dimension of a vector to set, counted from 0; None sets all dimensions."""
    low: float | None = None
    high: float | None = None
    """Values of the control at 0 and 127; None takes the end of the control's range.  `low` may exceed `high`."""

    def event(self, value: int, spec: Control) -> Set:
        """Return the event for a value of the controller.

        Parameters
        ----------
        value : int
            0 to 127.
        spec : Control
            The control in the voice's manifest.

        Returns
        -------
        Set
            Its value is within the control's range.
        """
        low = spec.minimum if self.low is None else self.low
        high = spec.maximum if self.high is None else self.high
        wanted = low + (high - low) * value / MAX_VALUE
        return Set(control=self.control, index=self.index, value=min(max(wanted, spec.minimum), spec.maximum))


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    midi: int = VERSION
    bindings: tuple[Binding, ...] = ()


class MidiMap:
    """All bindings, and the file that holds them.

    Parameters
    ----------
    path : path, optional
        Default: `midi.json` in `$VRNN_ENGINE_CONFIG`, else in the user's configuration folder.

    Attributes
    ----------
    path : Path
    bindings : dict of (int, int) to Binding
        Bindings by channel (from 1) and controller number.

    Raises
    ------
    SourceError
        The file exists, but cannot be read or has another format.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path or config_folder() / "midi.json")
        self.bindings: dict[tuple[int, int], Binding] = {}
        try:
            file = decode_json(read_text_bytes(self.path), _File)
        except FileNotFoundError:
            return
        except OSError as error:
            raise read_error(self.path, error, SourceError) from error
        except ValueError as error:
            raise SourceError(f"{self.path}: not a file of MIDI bindings: {error}") from None
        if file.midi > VERSION:
            raise newer_error(self.path, file.midi, SourceError)
        self.bindings = {(one.channel, one.cc): one for one in file.bindings}

    def bind(self, binding: Binding) -> None:
        """Add a binding and write the file.  It replaces other bindings of its controller and of its control.

        Parameters
        ----------
        binding : Binding

        Raises
        ------
        SourceError
            The file cannot be written. The binding is used until the program ends.
        """
        target = (binding.control, binding.index)
        kept = {key: one for key, one in self.bindings.items() if (one.control, one.index) != target}
        self.bindings = {**kept, (binding.channel, binding.cc): binding}
        text = msgspec.json.format(msgspec.json.encode(_File(bindings=tuple(self.bindings.values()))), indent=2)
        try:
            write_atomically(self.path, text + b"\n", parents=True)
        except SinkError as error:
            raise SourceError(f"cannot save the MIDI binding: {error}") from error
