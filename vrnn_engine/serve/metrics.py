"""Counts what the server does, for Prometheus.

Each server has a registry of its own, so that two servers in one process do not share their numbers.  Every label has
few values: the names of the voices, and codes of this program.  Any thread may call any method.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

# Narrow below 25 ms and 200 ms, which the frames of a tick of sound and of ink last.
_TICK_SECONDS = (
    *(0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.0175, 0.02, 0.0225, 0.025, 0.03, 0.04, 0.05),
    *(0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.5),
)
_RENDER_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """Metrics of one server; docs/serving.md lists them."""

    content_type = CONTENT_TYPE_LATEST
    """Media type of what `expose` returns."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        name, voice = "vrnn_engine", ["voice"]
        self._sessions = Gauge(f"{name}_sessions", "Open sessions.", voice, registry=own)
        self._opened = Counter(f"{name}_sessions_opened", "Sessions opened.", voice, registry=own)
        self._ended = Counter(f"{name}_sessions_ended", "Sessions ended.", ["voice", "reason"], registry=own)
        self._refused = Counter(f"{name}_refused", "Sessions and requests refused.", ["reason"], registry=own)
        what = "Time to compute the frames of all sessions that were due."
        self._ticks = Histogram(f"{name}_tick_seconds", what, voice, registry=own, buckets=_TICK_SECONDS)
        self._rows = Gauge(f"{name}_rows", "Sessions stepped in the last tick.", voice, registry=own)
        self._frames = Counter(f"{name}_frames", "Frames generated for sessions.", voice, registry=own)
        what, labels = "Time to render a file.", ["voice", "format"]
        self._renders = Histogram(f"{name}_render_seconds", what, labels, registry=own, buckets=_RENDER_SECONDS)

    def session_opened(self, voice: str) -> None:
        """Count a session that was opened.

        Parameters
        ----------
        voice : str
            Name of a served voice.
        """
        self._sessions.labels(voice).inc()
        self._opened.labels(voice).inc()

    def session_ended(self, voice: str, reason: str) -> None:
        """Count a session that has ended.

        Parameters
        ----------
        voice : str
            Name of a served voice.
        reason : str
            A code of this program, such as `closed`, `idle` or `slow`.
        """
        self._sessions.labels(voice).dec()
        self._ended.labels(voice, reason).inc()

    def refused(self, reason: str) -> None:
        """Count a session or request that was refused.

        Parameters
        ----------
        reason : str
            A code of this program, such as `busy`, `token` or `rate`.
        """
        self._refused.labels(reason).inc()

    def tick(self, voice: str, seconds: float, rows: int, frames: int) -> None:
        """Record a tick, in which all sessions of a voice that were due were stepped.

        Parameters
        ----------
        voice : str
            Name of a served voice.
        seconds : float
            Time that the tick took.
        rows : int
            Number of sessions that were stepped.
        frames : int
            Number of frames generated for all of them.
        """
        self._ticks.labels(voice).observe(seconds)
        self._rows.labels(voice).set(rows)
        self._frames.labels(voice).inc(frames)

    def rendered(self, voice: str, format: str, seconds: float) -> None:
        """Record a rendering.

        Parameters
        ----------
        voice : str
            Name of a served voice.
        format : str
            Format of the file, such as `wav`.
        seconds : float
            Time that the rendering took.
        """
        self._renders.labels(voice, format).observe(seconds)

    def expose(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
