"""VRNN and VRNN-I (Chung et al. 2015): each frame has a latent, which the recurrence reads."""

from vrnn_engine.models.conditionals import Decoder, Encoder, Prior, Recurrence, StandardPrior
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.layers import ReLUStack
from vrnn_engine.models.recurrent import RecurrentModel


class VRNN(RecurrentModel):
    """A model whose prior of z depends on the past through h.

    Parameters
    ----------
    config : ModelConfig
        Sizes and options.
    """

    uses = frozenset({"latent_size", "phi_z", "encoder", "prior"})

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.phi_z = ReLUStack(config.latent_size, config.phi_z)
        self.prior: Prior | StandardPrior = self.make_prior()
        self.encoder = Encoder(config, config.recurrent_size)
        self.decoder = Decoder(config)
        self.recurrence = Recurrence(config)

    def make_prior(self) -> Prior | StandardPrior:
        """Return p(z | h)."""
        return Prior(self.config, self.config.recurrent_size)


class VRNNI(VRNN):
    """A VRNN whose prior of z is N(0, I), independent of the past."""

    uses = VRNN.uses - {"prior"}

    def make_prior(self) -> StandardPrior:
        """Return p(z)."""
        return StandardPrior(self.config.latent_size)


FAMILIES = {"vrnn": VRNN, "vrnn-i": VRNNI}
