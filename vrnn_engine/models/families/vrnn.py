"""VRNN and VRNN-I (Chung et al. 2015): a latent for every frame, which the recurrence reads."""

from vrnn_engine.models.conditionals import Decoder, Encoder, Prior, Recurrence, StandardPrior
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.layers import ReLUStack
from vrnn_engine.models.recurrent import RecurrentModel


class VRNN(RecurrentModel):
    """The prior of z depends on the past, by h."""

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
    """z is drawn from N(0, I), independently of the past."""

    uses = VRNN.uses - {"prior"}

    def make_prior(self) -> StandardPrior:
        """Return p(z)."""
        return StandardPrior(self.config.latent_size)


FAMILIES = {"vrnn": VRNN, "vrnn-i": VRNNI}
