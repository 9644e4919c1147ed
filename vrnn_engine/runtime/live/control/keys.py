"""Maps the keys of the terminal to events of a performance."""

from collections.abc import Callable

import numpy as np

from vrnn_engine.errors import VRNNEngineError
from vrnn_engine.runtime.live.control.steerable import Steerable
from vrnn_engine.runtime.live.events import AnyEvent, Follow, Nudge, Reset, Restore, Rewind, Save, Set, Trace

STEP, BIG_STEP = 0.01, 0.1
"""Change that an arrow key makes, alone and with Shift, as a fraction of the control's range."""
SECONDS = 2.0
"""Seconds that `b` rewinds, and the length of the loop that `l` makes."""
LOOP = "loop"
"""Name of the trajectory that `l` saves."""


class Keyboard:
    """Sends the event for each key to a performance.

    Parameters
    ----------
    performance : Steerable
    learn : callable, optional
        Called with CONTROL or CONTROL/INDEX to bind that control to the next MIDI controller that moves.

    Attributes
    ----------
    chosen : str
        The control that the keys change.
    dimension : int or None
        The dimension of the control that the keys change; None for all dimensions.
    message : str
        Result of the last key, for display.
    """

    # No line has more than 79 columns.
    HELP = (
        "up/down choose   left/right change, Shift: faster   [ ] dimension   d default",
        "r reset all   h hold the latent   l loop its last 2 s   b rewind 2 s",
        "s 1-9 save   1-9 restore   m learn a MIDI controller   q quit",
    )

    def __init__(self, performance: Steerable, learn: Callable[[str], None] | None = None) -> None:
        self._performance = performance
        self._learn = learn
        self._names = list(performance.controls)
        self._saving = False
        self.chosen = self._names[0] if self._names else ""
        self.dimension: int | None = None
        self.message = ""

    @property
    def line(self) -> str:
        """The message, or else the keys, behind the chosen control, its value and how much of a text is to come."""
        if not self.chosen:
            return self.message
        value = np.atleast_1d(self._performance.controls[self.chosen])
        number = value.mean() if self.dimension is None else value[self.dimension]
        now = f"{self._target} {number:.3g}"
        if self.message:
            return f"{self.message}   {now}"  # first, as a terminal may cut the end off
        has_text = self._performance.voice.manifest.text is not None
        pending = self._performance.stream.pending if has_text else 0
        text = f"{pending:,} to come   " if pending else ""
        return f"{now}   {text}q quits; arrows [ ] d r h l b s 1-9 m"

    def press(self, key: str) -> bool:
        """Carry out the action of a key.

        Parameters
        ----------
        key : str
            A key as `KeyReader.keys` returns it.  Unknown keys do nothing.

        Returns
        -------
        bool
            Whether to continue; False for `q`.
        """
        if key == "q":
            return False
        saving, self._saving, self.message = self._saving, False, ""
        try:
            if key in "123456789":
                if saving:
                    self._send(Save(name=key), f"saved as {key}")
                else:
                    self._send(Restore(name=key), f"restored {key}")
            elif key == "s":
                self._saving, self.message = True, "save the state as 1 to 9?"
            elif key == "r":
                self._send(Reset(), "all controls at their defaults")
            elif key == "b":
                self._send(Rewind(seconds=SECONDS), f"rewound {SECONDS:g} s")
            elif key == "h":
                self._hold()
            elif key == "l":
                self._performance.send(Trace(name=LOOP, seconds=SECONDS))
                self._send(Follow(path=LOOP, times=0), f"looping the latents of the last {SECONDS:g} s; h ends it")
            elif key == "m":
                self._learn_midi()
            elif self.chosen:
                self._turn(key)
        except VRNNEngineError as error:
            self.message = str(error)
        return True

    @property
    def _target(self) -> str:
        return self.chosen if self.dimension is None else f"{self.chosen}/{self.dimension}"

    def _turn(self, key: str) -> None:
        """Choose another control or dimension, or change the chosen one."""
        spec = self._performance.controls.specs[self.chosen]
        span = spec.maximum - spec.minimum
        match key:
            case "up" | "down":
                at = self._names.index(self.chosen) + (1 if key == "down" else -1)
                self.chosen, self.dimension = self._names[at % len(self._names)], None
            case "[" | "]":
                count = spec.shape[0]
                if count > 1:
                    at = count if self.dimension is None else self.dimension  # "all" comes after the last dimension
                    at = (at + (1 if key == "]" else -1)) % (count + 1)
                    self.dimension = None if at == count else at
            case "left" | "right" | "-" | "+":
                self._add(span * STEP * (1 if key in ("right", "+") else -1))
            case "shift-left" | "shift-right":
                self._add(span * BIG_STEP * (1 if key == "shift-right" else -1))
            case "d":
                self._performance.send(Set(control=self.chosen, index=self.dimension, value=spec.default))

    def _add(self, by: float) -> None:
        self._performance.send(Nudge(control=self.chosen, index=self.dimension, by=by))

    def _hold(self) -> None:
        performance = self._performance
        hold, target = performance.controls.get("latent.hold"), performance.controls.specs.get("latent.target")
        if hold is None or target is None or not performance.stream.latent.size:
            self.message = "this voice has no latents to hold"
        elif np.any(hold):
            self._send(Set(control="latent.hold", value=0.0), "latent released")
        else:
            now = np.clip(performance.stream.latent, target.minimum, target.maximum)
            performance.send(Set(control="latent.target", value=tuple(now.tolist())))
            self._send(Set(control="latent.hold", value=1.0), "latent held")

    def _learn_midi(self) -> None:
        if self._learn is None:
            self.message = "no MIDI device: start with --midi NAME"
        elif self.chosen:
            self._learn(self._target)

    def _send(self, event: AnyEvent, message: str) -> None:
        self._performance.send(event)
        self.message = message
