"""A voice behind a web page: each listener gets an endless WAV of their own, made as it is sent.

    pip install flask
    python examples/flask_app.py        then open http://127.0.0.1:5000/ or: curl -N 'http://127.0.0.1:5000/blizzard.wav?seed=7'

All listeners share one engine, and with it one copy of the weights; each has a stream, with its seed and controls.
"""

import io
import wave
from collections.abc import Iterator

import numpy as np
from flask import Flask, Response, request

from vrnn_engine import ControlError, Engine, Stream, StreamError

FRAMES = 8
MOST = 2**30
"""Samples: the header of a WAV file has no word for endless, and 18 hours are enough."""

app = Flask(__name__)
engine = Engine.load("blizzard")


@app.get("/")
def page() -> str:
    """Return a page with a player."""
    name = engine.voice.name
    return f'<!doctype html><title>{name}</title><h1>{name}</h1><audio controls src="/{name}.wav?seed=7"></audio>'


@app.get("/<name>.wav")
def sound(name: str) -> Response | tuple[str, int]:
    """Stream a voice: `seed`, `seconds` and any control of one number, e.g. `?output.temperature=0.5`."""
    if name != engine.voice.name:
        return f"no voice {name!r} here; there is {engine.voice.name!r}\n", 404
    wanted = request.args.to_dict()
    try:
        seed = wanted.pop("seed", None)
        seconds = float(wanted.pop("seconds", "inf"))
        stream = engine.stream(None if seed is None else int(seed))
        stream.controls.update({name: float(value) for name, value in wanted.items()})
    except (ValueError, ControlError, StreamError) as error:
        return f"{error}\n", 400
    return Response(wav(stream, seconds), mimetype="audio/wav")


def wav(stream: Stream, seconds: float) -> Iterator[bytes]:
    """Yield a WAV file, header first; the stream is closed when the listener leaves."""
    left = min(round(min(seconds, 1e9) * stream.voice.manifest.rate), MOST)
    header = io.BytesIO()
    with wave.open(header, "wb") as file:
        file.setparams((1, 2, stream.voice.manifest.rate, left, "NONE", ""))
        file.writeframesraw(b"")
        begin = header.getvalue()  # before the file is closed, and its length made that of no samples at all
    with stream:
        yield begin
        while left > 0:
            block = stream.read(FRAMES)[:left]
            left -= len(block)
            yield np.rint(np.clip(block, -1, 1) * 32767).astype("<i2").tobytes()


if __name__ == "__main__":
    app.run(threaded=True)
