"""The ELBO of a model on one split of a corpus, as computed during training."""

from dataclasses import dataclass

import torch

from vrnn_engine.data.batches import Batch, Corpus
from vrnn_engine.models.recurrent import RecurrentModel, State
from vrnn_engine.training.conditions import unroll_conditions


@dataclass(frozen=True)
class Bound:
    """The ELBO of a split, in nats of the normalised signal."""

    elbo: float
    """Nats per frame."""
    kl: float
    """Nats per frame; the ELBO contains it with a minus sign."""
    sequences: int
    """Number of chunks of sound, or of lines of ink."""
    frames: int
    """Number of frames, without padding."""

    def metrics(self, prefix: str) -> dict[str, float]:
        """Return the values by name, as checkpoints and manifests store them.

        Parameters
        ----------
        prefix : str
            Name of the split; each key begins with it.
        """
        return {
            f"{prefix}_elbo_per_frame": self.elbo,
            f"{prefix}_kl_per_frame": self.kl,
            f"{prefix}_elbo_per_sequence": self.elbo * self.frames / self.sequences,
        }


def validate(model: RecurrentModel, corpus: Corpus, split: str, seed: int = 0) -> Bound:
    """Compute the ELBO of a split with one posterior sample per frame.

    Parameters
    ----------
    model : RecurrentModel
        The model; it runs on the device of its weights.
    corpus : Corpus
        The corpus; the split is read once, without shuffling or dequantisation noise.
    split : str
        `train`, `valid` or `test`.
    seed : int
        Seed of the noise from which latents are sampled; the same seed gives the same bound.

    See Also
    --------
    vrnn_engine.evaluation.likelihood.likelihood : more samples, confidence intervals, importance weighting.
    """
    noise = torch.Generator().manual_seed(seed)
    log_likelihood = kl = 0.0
    frames = sequences = 0
    state: State | None = None
    device = next(model.parameters()).device
    with torch.no_grad():
        for batch in corpus.epoch(split, None):
            signal, mask = torch.from_numpy(batch.signal).to(device), torch.from_numpy(batch.mask).to(device)
            sequences += _new_sequences(batch, model)
            state = None if batch.fresh else state
            latent = torch.randn(*batch.mask.shape, model.config.latent_size, generator=noise).to(device)
            unroll = model.unroll(model.basis.frames(signal), latent, state, **unroll_conditions(batch.text, mask))
            state = unroll.state
            log_likelihood += float((unroll.log_likelihood * mask).sum())
            kl += float((unroll.kl * mask).sum())
            frames += int(mask.sum())
    return Bound((log_likelihood - kl) / frames, kl / frames, sequences, frames)


def _new_sequences(batch: Batch, model: RecurrentModel) -> int:
    """Count the sequences that begin in a batch."""
    # The paper counts chunks of 0.5 s of speech, and whole lines of ink.
    rows = batch.mask.shape[1]
    return rows if batch.fresh or model.config.modality == "audio" else 0
