"""The noise that a page draws is numpy's."""

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.browser import Browser, serve_folder

import vrnn_engine.serve
from vrnn_engine.runtime.noise import NoiseSource

STATIC = Path(vrnn_engine.serve.__file__).parent / "static"
WIDTHS = {"output": 200, "latent": 64, "mixture": 16}
ORDER = sorted(WIDTHS)

DRAW = """
    const { NoiseSource } = await import('/player/noise/noise.js');
    const [seed, widths, frames] = given;
    const source = new NoiseSource(BigInt(seed), widths);
    const values = new Float32Array(frames.length * 280);
    frames.forEach((frame, i) => {
        const noise = source.at(frame);
        values.set([...noise.latent, ...noise.mixture, ...noise.output], i * 280);
    });
    return await new Promise(resolve => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result.split(',')[1]);
        reader.readAsDataURL(new Blob([values]));
    });
"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Browser]:
    """The browser with an empty page that can import the modules of the player."""
    with serve_folder(STATIC) as url:
        browser.open(url + "player/player.js")
        yield browser


def drawn(page: Browser, seed: int, frames: list[int]) -> np.ndarray:
    """Return the noise of frames as the page draws it, [frames, total]."""
    return np.frombuffer(base64.b64decode(page.run(DRAW, str(seed), WIDTHS, frames)), np.float32).reshape(-1, 280)


def expected(seed: int, frames: list[int]) -> np.ndarray:
    source = NoiseSource(seed, WIDTHS)
    return np.stack([np.concatenate([source.at(frame)[name] for name in ORDER]) for frame in frames])


@pytest.mark.parametrize("seed", [0, 7, 2**63, 0xDEADBEEFCAFEBAB, 2**64 - 1])
def test_noise_in_a_page_is_the_noise_of_numpy(page: Browser, seed: int) -> None:
    frames = list(range(400))
    ours, numpys = drawn(page, seed, frames), expected(seed, frames)
    differ = ours != numpys
    # In the tail, the last bit of numpy's float32 log1p is not always rounded correctly.
    assert differ.sum() <= 2
    assert (np.abs(numpys[differ]) > 3.65).all()
    np.testing.assert_allclose(ours, numpys, rtol=3e-7, atol=0)


def test_noise_does_not_depend_on_the_order_of_frames(page: Browser) -> None:
    frames = [130, 131, 5, 6, 63, 64, 64, 2**40, 2**40 + 1, 0]
    assert (drawn(page, 12345, frames) == expected(12345, frames)).all()


def test_a_seed_of_64_bits_is_checked(page: Browser) -> None:
    check = "return (await import('/player/noise/seed.js')).checkSeed(given[0]).toString()"
    assert page.run(check, str(2**64 - 1)) == str(2**64 - 1)
    for wrong in (str(2**64), "-1", "1.5", "", None, "seven"):
        with pytest.raises(RuntimeError, match="is not an integer from 0 to 2"):
            page.run(check, wrong)
