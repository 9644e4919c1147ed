"""Listen to a server of voices as many players do, and print what they got as JSON.

    python benchmarks/serve_listeners.py ws://127.0.0.1:8080/blizzard [--listeners 10] [--seconds 5] [--ramp 2]

Each listener is a player with a buffer: it opens a session, gives credit for `--window` seconds, begins to play when it
has `--prebuffer` seconds, and gives more credit as it plays.  Where the next frame has not come when it has to be
played, the player stands still until it comes; that time is its underrun.

One JSON object: for each listener `underrun_ms`, `first_audio_ms` (from before the connection until the first frame)
and `frames`; the number of sessions that were `refused`, and the words of those that `failed`; the `cpu_seconds` of
this process, and the `seconds` from the first connection to the end.
"""

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from vrnn_engine.client.session import WINDOW_SECONDS
from vrnn_engine.serve.codec import decode_server, encode, unpack_frames
from vrnn_engine.serve.protocol import TRY_LATER, Credit, End, Open, Opened

FIRST_CREDIT = 10
"""Frames that a listener takes before it knows how long they last."""
CREDIT_SECONDS = 0.1
"""Time between two messages with credit."""


@dataclass
class Player:
    """The clock of one player.  Times are in seconds, positions in frames."""

    rate: float
    prebuffer: float
    received: int = 0
    started: float | None = None
    underrun: float = 0.0

    def arrived(self, frames: int, now: float) -> None:
        """Count frames that have come; stand still for as long as the first of them was late."""
        if self.started is not None:
            late = now - (self.started + self.received / self.rate + self.underrun)
            self.underrun += max(0.0, late)
        self.received += frames
        if self.started is None and self.received >= self.prebuffer * self.rate:
            self.started = now

    def played(self, now: float) -> int:
        """Return the number of frames that were played."""
        if self.started is None:
            return 0
        return max(0, min(self.received, int((now - self.started - self.underrun) * self.rate)))


@dataclass
class Heard:
    """Results of all listeners."""

    underrun_ms: list[float] = field(default_factory=list)
    first_audio_ms: list[float] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    refused: int = 0
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0


async def listen(args: argparse.Namespace, number: int, heard: Heard) -> None:
    """Play one session until the time is over."""
    await asyncio.sleep(args.ramp * number / args.listeners)
    start = time.perf_counter()
    try:
        async with connect(args.url, compression=None, max_size=None) as connection:
            await _play(connection, args, number, start, heard)
    except InvalidStatus as error:
        if error.response.status_code != 503:
            raise
        heard.refused += 1
    except (ConnectionClosed, OSError, TimeoutError) as error:
        heard.failed.append(str(error))


async def _play(
    connection: ClientConnection, args: argparse.Namespace, number: int, start: float, heard: Heard
) -> None:
    text = args.text if args.text else None
    await connection.send(encode(Open(seed=number, credit=FIRST_CREDIT, text=text, tokens=args.tokens)))
    opened = decode_server(await connection.recv())
    if isinstance(opened, End) and opened.code == TRY_LATER:  # the last place was taken after the handshake
        heard.refused += 1
        return
    if not isinstance(opened, Opened):
        heard.failed.append(str(opened))
        return
    player = Player(opened.frames_per_second, args.prebuffer)
    seconds = args.window or WINDOW_SECONDS[opened.manifest["modality"]]
    window = max(2 * opened.frames, round(seconds * opened.frames_per_second))
    first, given, next_credit = None, FIRST_CREDIT, 0.0
    until = time.perf_counter() + args.seconds
    while (now := time.perf_counter()) < until:
        if now >= next_credit:
            next_credit = now + CREDIT_SECONDS
            more = player.played(now) + window - given
            if more > 0:
                await connection.send(encode(Credit(frames=more)))
                given += more
        try:
            async with asyncio.timeout(min(until, next_credit) - now):
                message = await connection.recv()
        except TimeoutError:
            continue
        if isinstance(message, bytes):
            unpack_frames(message)
            now = time.perf_counter()
            first = first or now
            player.arrived(opened.frames, now)
        elif '"end"' in message[:20]:
            end = decode_server(message)
            heard.failed.append(end.reason if isinstance(end, End) else str(end))
            break
    # A player that stands still at the end has waited until now.
    player.arrived(0, time.perf_counter())
    heard.underrun_ms.append(1e3 * player.underrun)
    heard.frames.append(player.received)
    if first is not None:
        heard.first_audio_ms.append(1e3 * (first - start))


async def listen_all(args: argparse.Namespace) -> Heard:
    """Play all sessions."""
    heard, start, cpu = Heard(), time.perf_counter(), time.process_time()
    await asyncio.gather(*(listen(args, number, heard) for number in range(args.listeners)))
    heard.seconds, heard.cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    return heard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="address of a served voice")
    add_options(parser)
    print(json.dumps(vars(asyncio.run(listen_all(parser.parse_args())))))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what a load consists of."""
    parser.add_argument("--listeners", type=int, default=10, metavar="N", help="number of players")
    parser.add_argument("--seconds", type=float, default=5.0, metavar="S", help="time that each of them plays")
    parser.add_argument("--ramp", type=float, default=2.0, metavar="S", help="time in which all of them come")
    parser.add_argument(
        "--window",
        type=float,
        default=0.0,
        metavar="S",
        help="credit, in seconds; 0 for that of vrnn_engine.client",
    )
    parser.add_argument(
        "--prebuffer", type=float, default=0.1, metavar="S", help="time that is buffered before playing"
    )
    parser.add_argument("--tokens", type=float, default=1.0, metavar="S", help="seconds between two tokens; 0 for none")
    parser.add_argument("--text", default="", help="text to write, for a voice that reads one")


if __name__ == "__main__":
    main()
