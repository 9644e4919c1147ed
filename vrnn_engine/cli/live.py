"""Options of `vrnn-engine stream` for live control, and the control sources that they request."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vrnn_engine.cli.stream_options import STEERING
from vrnn_engine.cli.usage import WrongOption

if TYPE_CHECKING:
    from vrnn_engine.runtime.live.control.sources import ControlSource

OscPort = Annotated[
    str | None,
    typer.Option(
        "--osc",
        metavar="[HOST:]PORT",
        help="Receive OSC messages on this UDP port (docs/live.md).",
        rich_help_panel=STEERING,
    ),
]
OscTo = Annotated[
    str | None,
    typer.Option(
        "--osc-to",
        metavar="HOST:PORT",
        help="Send levels and latents to this address.  Default: to the sender of the last message.",
        rich_help_panel=STEERING,
    ),
]
MidiPort = Annotated[
    str | None,
    typer.Option(
        "--midi",
        metavar="NAME",
        help="Receive MIDI from the device whose name contains NAME; `virtual` opens a port for other programs.",
        rich_help_panel=STEERING,
    ),
]
MidiLearn = Annotated[
    list[str] | None,
    typer.Option(
        "--midi-learn",
        metavar="CONTROL[/N]",
        help="Bind this control to the MIDI controller that you move next, and save the binding; repeatable.",
        rich_help_panel=STEERING,
    ),
]
MidiFile = Annotated[
    Path | None,
    typer.Option(
        "--midi-map",
        metavar="FILE",
        help="File of MIDI bindings.  Default: midi.json in your configuration folder.",
        rich_help_panel=STEERING,
    ),
]

Learn = Callable[[str], None] | None


class Steering:
    """The control sources that the command line requests; they are not started yet.

    Parameters
    ----------
    osc, osc_to, midi, midi_learn, midi_map, plugins
        The values of the options `--osc`, `--osc-to`, `--midi`, `--midi-learn`, `--midi-map` and `--steer`.

    Attributes
    ----------
    sources : list of ControlSource
    learn : callable or None
        Binds a control to the next MIDI controller that moves; None without `--midi`.

    Raises
    ------
    typer.BadParameter
        An option that needs `--midi` is given without it.
    SourceError
        An address, a file of bindings or a plug-in is wrong.
    """

    def __init__(
        self,
        osc: str | None,
        osc_to: str | None,
        midi: str | None,
        midi_learn: list[str] | None,
        midi_map: Path | None,
        plugins: list[str] | None,
    ) -> None:
        if midi is None and (midi_learn or midi_map):
            raise WrongOption("needs --midi NAME", param_hint="--midi-learn" if midi_learn else "--midi-map")
        self.sources: list[ControlSource] = []
        self.learn: Learn = None
        if plugins:
            from vrnn_engine.runtime.live.control.sources import make_source

            self.sources += map(make_source, plugins)
        if osc is not None or osc_to is not None:
            from vrnn_engine.runtime.live.control.osc import Osc

            self.sources.append(Osc(osc or "0", osc_to))
        if midi is not None:
            from vrnn_engine.runtime.live.control.midi import Midi
            from vrnn_engine.runtime.live.control.midi_map import MidiMap

            device = Midi(midi, MidiMap(midi_map), midi_learn or ())
            self.sources.append(device)
            self.learn = device.learn
