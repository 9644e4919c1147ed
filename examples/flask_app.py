"""Serve a voice from a web page: each listener gets an endless WAV, generated while it is sent.

    pip install flask
    python examples/flask_app.py        then open http://127.0.0.1:5000/ or: curl -N 'http://127.0.0.1:5000/blizzard.wav?seed=7'

All listeners share one engine and its weights; each has a stream with its own seed and controls.
"""

import io
import wave
from collections.abc import Iterator

import numpy as np
from flask import Flask, Response, request

from vrnn_engine import ControlError, Engine, Stream, StreamError

FRAMES = 8
MAX_SAMPLES = 2**30
"""The header of a WAV file needs a length; this one is 18 hours."""

app = Flask(__name__)
engine = Engine.load("blizzard")


@app.get("/")
def page() -> str:
    """Return a page with an audio player."""
    name = engine.voice.name
    return f'<!doctype html><title>{name}</title><h1>{name}</h1><audio controls src="/{name}.wav?seed=7"></audio>'


@app.get("/<name>.wav")
def sound(name: str) -> Response | tuple[str, int]:
    """Stream a voice; the query may set `seed`, `seconds` and any scalar control, e.g. `?output.voicing=-6`."""
    if name != engine.voice.name:
        return f"there is no voice {name!r} here, only {engine.voice.name!r}\n", 404
    query = request.args.to_dict()
    try:
        seed = query.pop("seed", None)
        seconds = float(query.pop("seconds", "inf"))
        stream = engine.stream(None if seed is None else int(seed))
        stream.controls.update({name: float(value) for name, value in query.items()})
    except (ValueError, ControlError, StreamError) as error:
        return f"{error}\n", 400
    return Response(generate_wav(stream, seconds), mimetype="audio/wav")


def generate_wav(stream: Stream, seconds: float) -> Iterator[bytes]:
    """Yield a WAV file, header first, and close the stream at the end or when the listener disconnects."""
    left = min(round(min(seconds, 1e9) * stream.voice.manifest.rate), MAX_SAMPLES)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, stream.voice.manifest.rate, left, "NONE", ""))
        file.writeframesraw(b"")
        header = buffer.getvalue()  # taken now, since closing the file would correct its length to 0
    with stream:
        yield header
        while left > 0:
            block = stream.read(FRAMES)[:left]
            left -= len(block)
            yield np.rint(np.clip(block, -1, 1) * 32767).astype("<i2").tobytes()


if __name__ == "__main__":
    app.run(threaded=True)
