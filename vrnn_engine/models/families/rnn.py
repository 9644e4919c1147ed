"""RNN: the same recurrence and output without latents, p(x_t | h_(t-1)); the paper's baseline."""

from torch import nn

from vrnn_engine.models.conditionals import Decoder, NoLatent, Recurrence
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.recurrent import RecurrentModel


class RNN(RecurrentModel):
    """All that is random in a frame is the output distribution."""

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.phi_z = nn.Identity()
        self.prior = NoLatent()
        self.encoder = NoLatent()
        self.decoder = Decoder(config)
        self.recurrence = Recurrence(config, reads_z=False)


FAMILIES = {"rnn": RNN}
