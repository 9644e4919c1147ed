"""The targets that a stream can be written to: the form of each target string, its modalities and its sink class.

Error messages and the help of the command line list the targets from this table.  The module imports nothing heavy.
"""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

Modality = Literal["audio", "pen"]


@dataclass(frozen=True)
class Target:
    """One kind of target, found by a scheme (`speakers`, `serial:PORT`) or by a file ending (`FILE.wav`).

    Parameters
    ----------
    sink : str
        The class, as `module:Class` within `vrnn_engine.runtime.sinks`; it is imported when it is used.
    modalities : tuple of str
        The modalities that the target takes: `audio`, `pen`, or both.
    scheme : str
        The text before the colon, or the whole target string; empty for a file.
    argument : str
        Name, in messages, of the text that may follow the scheme after a colon; empty if none may follow.
    argument_required : bool
        Whether an argument must follow the scheme.
    ending : str
        The file's extension with its dot; empty if there is a scheme.
    """

    sink: str
    modalities: tuple[Modality, ...]
    scheme: str = ""
    argument: str = ""
    argument_required: bool = False
    ending: str = ""

    @property
    def forms(self) -> list[str]:
        """The ways to write this target, e.g. `speakers` and `speakers:NAME`."""
        if self.ending:
            return [f"FILE{self.ending}"]
        alone = [] if self.argument_required else [self.scheme]
        return [*alone, f"{self.scheme}:{self.argument}"] if self.argument else alone


TARGETS = (
    Target("speakers:SpeakersSink", ("audio",), scheme="speakers", argument="NAME"),
    Target("audiofile:AudioFileSink", ("audio",), ending=".wav"),
    Target("audiofile:AudioFileSink", ("audio",), ending=".flac"),
    Target("ink.svg:SvgSink", ("pen",), ending=".svg"),
    Target("ink.plotters.hpgl:HpglSink", ("pen",), ending=".hpgl"),
    Target("ink.plotters.hpgl:HpglSink", ("pen",), ending=".plt"),
    Target("ink.plotters.gcode:GcodeSink", ("pen",), ending=".gcode"),
    Target("ink.plotters.gcode:GcodeSink", ("pen",), ending=".nc"),
    Target("ink.plotters.serialport:SerialSink", ("pen",), scheme="serial", argument="PORT", argument_required=True),
    Target("ink.terminal:TerminalSink", ("pen",), scheme="terminal"),
    Target("jsonl:JsonLinesSink", ("audio", "pen"), ending=".jsonl"),
    Target("null:NullSink", ("audio", "pen"), scheme="null"),
    Target("stdout:StdoutSink", ("audio", "pen"), scheme="-"),
)
"""All built-in targets, in the order in which messages list them."""


def find_target(place: str) -> Target | None:
    """Return the built-in target that a target string names, or None if no target matches.

    Parameters
    ----------
    place : str
        A target string without its options.  A scheme takes precedence over a file ending.
    """
    scheme, colon, _ = place.partition(":")
    ending = PurePath(place).suffix.lower()
    by_scheme = (target for target in TARGETS if target.scheme == scheme != "" and (target.argument or not colon))
    by_ending = (target for target in TARGETS if target.ending == ending != "")
    return next(by_scheme, None) or next(by_ending, None)


def list_targets(*modalities: Modality) -> str:
    """Return the forms of all targets that take these modalities, for a message: `A, B or C`."""
    forms = [form for target in TARGETS if {*modalities} <= {*target.modalities} for form in target.forms]
    return f"{', '.join(forms[:-1])} or {forms[-1]}"


def list_targets_only(*modalities: Modality) -> str:
    """Return the forms of all targets that take exactly these modalities, for a help text: `A, B, C`."""
    return ", ".join(form for target in TARGETS if {*modalities} == {*target.modalities} for form in target.forms)
