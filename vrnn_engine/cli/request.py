"""What the command line asks of a voice: the values of the options of `stream` and `write`."""

from dataclasses import dataclass
from pathlib import Path

from vrnn_engine.cli.manuscript import TextRequest


@dataclass(frozen=True)
class Request:
    """What the command line asks for: the values of the options of the same names."""

    voice: str
    to: str | None = None
    width: float | None = None
    seconds: float | None = None
    latency: float | None = None
    resume: Path | None = None
    volume: float | None = None
    ceiling: float | None = None
    channels: int | None = None
    strict: bool = False
    prime: Path | None = None
    prime_text: str | None = None
    hand: str | None = None
    save_hand: str | None = None
    listening: str | None = None
    mode: str | None = None
    seed: int | None = None
    temperature: float | None = None
    settings: tuple[str, ...] = ()
    timeline: Path | None = None
    record: Path | None = None
    allow: tuple[str, ...] = ()
    overwrite: bool = False
    device: str = "auto"
    precision: str | None = None
    threads: int = 1
    text: TextRequest | None = None
    token: str | None = None

    @property
    def buffered(self) -> float:
        """Seconds that a sound device buffers: `latency`, or its default."""
        return 0.05 if self.latency is None else self.latency
