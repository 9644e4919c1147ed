"""RNN: the VRNN without latents, p(x_t | h_(t-1)); the baseline of Chung et al. (2015)."""

from torch import nn

from vrnn_engine.models.conditionals import Decoder, NoLatent, Recurrence
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.recurrent import RecurrentModel


class RNN(RecurrentModel):
    """A model whose only randomness is the output distribution.

    Parameters
    ----------
    config : ModelConfig
        Sizes and options.
    """

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.phi_z = nn.Identity()
        self.prior = NoLatent()
        self.encoder = NoLatent()
        self.decoder = Decoder(config)
        self.recurrence = Recurrence(config, reads_z=False)


FAMILIES = {"rnn": RNN}
