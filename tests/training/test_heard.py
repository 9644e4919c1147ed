"""The gradient of batches whose input differs from the target: what the model reads, and which rows are resampled."""

import msgspec
import numpy as np
import pytest
import torch
from support import tiny_models
from support.recipes import SCHEDULE

from vrnn_engine.data.batches import Batch
from vrnn_engine.training.gradient import ElboGradient, draw_noise
from vrnn_engine.training.world import World


@pytest.mark.parametrize("resample", [0.0, 1.0])
def test_the_gradient_is_of_the_target_given_what_is_heard(resample):
    """The second row hears another signal, so it is never resampled; with 1.0 the first one always is."""
    model = tiny_models.model("source-gauss")
    context = model.basis.context
    signal = np.random.default_rng(1).standard_normal((context + 6, 2, 20)).astype(np.float32)
    heard = signal.copy()
    heard[:, 1] *= 0.5
    batch = Batch(signal, np.ones((6, 2), np.float32), True, heard=heard)
    schedule = msgspec.structs.replace(SCHEDULE, resample=resample)
    terms = ElboGradient(model, schedule, World(0, 1, torch.device("cpu"))).backward(batch, None, 0, 3)
    frames, of_heard = (model.basis.frames(torch.from_numpy(part)) for part in (signal, heard))
    latent = draw_noise(model, 3, batch, resample > 0).latent
    with torch.no_grad():
        expected = model.unroll(frames, latent, heard=of_heard)
    assert torch.allclose(terms.state.h[1], expected.state.h[1], atol=1e-6)
    assert torch.allclose(terms.state.h[0], expected.state.h[0], atol=1e-6) == (resample == 0)
