"""SRNN (Fraccaro et al. 2016) with the filtering posterior: the latents form a Markov chain given the recurrence.

    p(z_t | z_(t-1), d_t)   q(z_t | z_(t-1), d_t, x_t)   p(x_t | z_t, d_t)   d_t = LSTM(x_(t-1), d_(t-1))

This package calls d_t the old h: the state before frame t.  The paper's smoothing posterior reads future frames, so it
cannot stream.  This module has the paper's filtering posterior (`SRNN (filt)`), without the residual parametrisation of
the posterior's mean.
"""

import torch
from torch import Tensor

from vrnn_engine.models.conditionals import Decoder, Encoder, Prior, Recurrence
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.layers import ReLUStack
from vrnn_engine.models.recurrent import RecurrentModel, State


class SRNN(RecurrentModel):
    """A model whose prior and encoder read the last z, and whose recurrence does not read z.

    Parameters
    ----------
    config : ModelConfig
        Sizes and options.
    """

    uses = frozenset({"latent_size", "phi_z", "encoder", "prior"})
    carries_latent = True

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        inputs = config.recurrent_size + config.latent_size
        self.phi_z = ReLUStack(config.latent_size, config.phi_z)
        self.prior = Prior(config, inputs)
        self.encoder = Encoder(config, inputs)
        self.decoder = Decoder(config)
        self.recurrence = Recurrence(config, reads_z=False)

    def condition(self, state: State) -> Tensor:
        """Return h and the last z."""
        return torch.cat([state.h, state.latent], dim=-1)


FAMILIES = {"srnn": SRNN}
