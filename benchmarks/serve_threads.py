"""Serve a voice with one thread for each listener: the obvious server, to compare `vrnn-engine serve` with.

    python benchmarks/serve_threads.py VOICE --port 8081

It answers the messages of `serve_listeners.py`: each connection has a thread, in which a stream of its own is read two
frames at a time, a quarter of a second ahead of its clock (a second for ink).  All threads share one engine, and thus
the weights.  It reads no credit, refuses nobody, and sends no tokens.
"""

import argparse
import sys
import time

import msgspec
from websockets.sync.server import ServerConnection, serve

from vrnn_engine import Engine
from vrnn_engine.runtime.sinks.pcm import to_pcm16
from vrnn_engine.serve.codec import decode_client, encode, pack_frames
from vrnn_engine.serve.protocol import INK_MESSAGE_SECONDS, MESSAGE_SECONDS, Open, Opened
from vrnn_engine.serve.sessions.pacing import frames_in


def play(connection: ServerConnection, engine: Engine) -> None:
    """Read a stream and send it, at the speed at which it plays."""
    message = decode_client(connection.recv())
    if not isinstance(message, Open):
        return
    manifest = engine.voice.manifest
    ink = manifest.modality == "pen"
    rate = manifest.frames_per_second
    frames = frames_in(INK_MESSAGE_SECONDS if ink else MESSAGE_SECONDS, rate)
    stream = engine.stream(int(message.seed or 0), message.text)
    opened = Opened(
        session="thread",
        voice=manifest.name,
        seed=stream.seed,
        frame=0,
        rate=manifest.rate,
        frame_size=manifest.frame_size,
        frames_per_second=rate,
        frames=frames,
        format="f32le" if ink else "s16le",
        manifest=msgspec.to_builtins(manifest),
    )
    connection.send(encode(opened))
    start = time.perf_counter()
    while True:
        block = stream.read(frames)
        samples = block.tobytes() if ink else to_pcm16(block)[0].tobytes()
        connection.send(pack_frames(stream.frame - frames, samples))
        ahead = stream.frame / rate - (time.perf_counter() - start) - (1.0 if ink else 0.25)
        try:
            while True:  # credit, which has to be taken off the connection
                connection.recv(timeout=max(0.0, ahead))
                ahead = 0.0
        except TimeoutError:
            continue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice")
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    engine = Engine.load(args.voice, device="cpu")
    with serve(lambda connection: play(connection, engine), "127.0.0.1", args.port, compression=None) as server:
        print(f"serving; open http://127.0.0.1:{server.socket.getsockname()[1]}/", file=sys.stderr, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
