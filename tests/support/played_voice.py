"""Computes a voice in a page, as fast as it can, and returns what it computed."""

import base64
from pathlib import Path
from typing import Any

import numpy as np

import vrnn_engine
from support.browser import Browser

VOICES = Path(vrnn_engine.__file__).parent / "voices"

_LOAD = """
    const { loadOnnxruntime } = await import('/player/onnxruntime.js');
    const { Stepper } = await import('/player/stepper.js');
    const { Voice } = await import('/player/voice.js');
    const voice = await Voice.load(new URL(given[0] + '/', location));
    window.ort ??= loadOnnxruntime();
    window.steppers ??= {};
    const stepper = steppers[given[0]] ??= await Stepper.load(voice, ort);
    const packed = arrays => new Promise(resolve => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result.split(',')[1]);
        reader.readAsDataURL(new Blob(arrays));
    });
"""

_PLAY = """
    const [name, beginning, count, requests, wanted] = given;
    const { Session } = await import('/player/session.js');
    const frames = [], events = [];
    const start = { ...beginning, seed: BigInt(beginning.seed) };
    const session = new Session(stepper, voice, start, (event, detail) => events.push([event, detail]));
    await new Promise((resolve, reject) => session.run({
        get isDue() {
            if (frames.length === count) resolve();
            return frames.length < count;
        },
        write(frame) {
            frames.push(frame);
            for (const [name, argument] of requests[frames.length] ?? []) {
                session.request(name, name === 'reseed' ? BigInt(argument) : argument).catch(reject);
            }
        },
        clear() {}, underruns: 0, lead: 0,
    }).catch(reject));
    return { frames: await packed(frames), events: events.filter(([name]) => wanted.includes(name)) };
"""

_STEP = """
    const { Controls } = await import('/player/controls.js');
    const { Stream } = await import('/player/stream.js');
    const stream = new Stream(stepper, BigInt(given[1]));
    const controls = new Controls(voice.manifest.controls);
    const states = [], frames = [];
    for (let i = 0; i < given[2]; i++) {
        states.push(...given[3].map(name => stream.state[name]));
        frames.push((await stream.next(controls)).data);
    }
    return { states: await packed(states), frames: await packed(frames) };
"""


def play(
    page: Browser,
    voice: str,
    frames: int,
    requests: dict[int, list[tuple[str, Any]]] | None = None,
    events: tuple[str, ...] = (),
    **beginning: Any,
) -> tuple[np.ndarray, list[Any]]:
    """Play a voice in a page that `write_page` wrote.

    Parameters
    ----------
    page : Browser
    voice : str
        Its folder.
    frames : int
    requests : dict of int to list of (name, argument), optional
        Requests to the session, by the frame before which they are made.
    events : tuple of str
        Names of the events to return.
    **beginning
        `seed`, and `text` and `width` for a voice that writes.

    Returns
    -------
    frames : float32 array [frames, F]
    events : list of [name, detail]
    """
    beginning["seed"] = str(beginning["seed"])  # numbers of JavaScript have 53 bits
    made = page.run(_LOAD + _PLAY, voice, beginning, frames, requests or {}, events, seconds=200)
    return _unpacked(made["frames"]).reshape(frames, -1), made["events"]


def step(page: Browser, voice: str, seed: int, frames: int, states: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the states [frames, S] that a page steps from, in the order of these names, and the frames [frames, F]."""
    made = page.run(_LOAD + _STEP, voice, str(seed), frames, states, seconds=200)
    return _unpacked(made["states"]).reshape(frames, -1), _unpacked(made["frames"]).reshape(frames, -1)


def _unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.float32)
