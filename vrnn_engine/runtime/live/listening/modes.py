"""The modes of a stream that listens to an input.  This module imports nothing heavy, as `--help` needs it."""

from typing import Literal, get_args

Mode = Literal["resynthesise", "observe", "continue"]
"""How a stream uses the input that it listens to; see `runtime.live.listening_stream`."""

MODES: tuple[Mode, ...] = get_args(Mode)
"""All modes; the first is the default."""
