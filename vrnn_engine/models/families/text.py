"""Text-conditioned VRNN: two LSTM layers, the first of which reads a text, and one latent for a whole line.

    z ~ N(0, I), constant in a line          q(z | line) = encoder(mean over frames of phi_x(last frames))
    decoder    p(x | phi_z(z), h)            h is the output of both layers, after the last frame
    reader     (h1, c1) <- LSTM([x, phi_z(z), window], (h1, c1)); position and window <- attention(h1)
    writer     (h2, c2) <- LSTM([x, phi_z(z), h1, window], (h2, c2))

This is the model of Graves 2013 (arXiv:1308.0850), section 5, with a latent.  With a mixture output, a VRNN does not
use a latent per frame, because the mixture predicts the next point well.  One latent per line represents what hundreds
of frames have in common, the writer's hand.  It stays constant over a text of any length, and needs no computation in
the loop over frames.
"""

import torch
from torch import Tensor
from torch.nn import functional

from vrnn_engine.models.conditionals import Decoder
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.layers import ReLUStack, linear, lstm_cell, recurrent_weight
from vrnn_engine.models.noise import LatentControls, OutputNoise, draw_latent
from vrnn_engine.models.normal import Normal, NormalHead, kl_divergence, uniform_of
from vrnn_engine.models.outputs import Parameters
from vrnn_engine.models.recurrent import RecurrentModel
from vrnn_engine.models.source_filter import Heard
from vrnn_engine.models.text.sequences import LstmSequence, ReaderSequence
from vrnn_engine.models.text.state import TextGeneration, TextInference, TextState, TextUnroll
from vrnn_engine.models.text.window import START, TextWindow

SHORTEST_SHARE = 0.2
"""In training, the encoder reads at least this share of a line, from its beginning, so that it also learns from short
ink."""


class TextVRNN(RecurrentModel):
    """A VRNN that writes a text, with one latent per line.

    Parameters
    ----------
    config : ModelConfig
        Sizes and options; its `text` must be set.
    """

    uses = frozenset({"latent_size", "phi_z", "encoder", "text"})

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        text = config.text
        if text is None:
            raise ValueError(f"family {config.family!r} needs text")
        self.text = text
        self.sizes = [text.reader_size, config.recurrent_size - text.reader_size]
        reader, writer = self.sizes
        z_size = config.phi_z[-1]
        # Here only the encoder uses phi_x, which reads several points.
        self.phi_x = ReLUStack(text.style_frames * config.frame_size, config.phi_x)
        self.encoder_stack = ReLUStack(config.phi_x[-1], config.encoder)
        self.encoder_head = NormalHead(config.encoder[-1], config.latent_size)
        self.phi_z = ReLUStack(config.latent_size, config.phi_z)
        self.window = TextWindow(text)
        self.reader_from_x = linear(config.frame_size, 4 * reader)
        self.reader_from_z = linear(z_size, 4 * reader, bias=False)
        self.reader_recurrent = recurrent_weight(reader, text.embedding)
        self.writer_from_x = linear(config.frame_size + text.embedding + reader, 4 * writer)
        self.writer_from_z = linear(z_size, 4 * writer, bias=False)
        self.writer_recurrent = recurrent_weight(writer, 0)
        with torch.no_grad():
            for layer, size in ((self.reader_from_x, reader), (self.writer_from_x, writer)):
                layer.bias[size : 2 * size] = 1.0  # the initial forget gates are open
        self.decoder = Decoder(config)

    def initial_state(self, rows: int) -> TextState:  # type: ignore[override]
        """Return the state of `rows` streams before the first frame: zeros."""
        config, weight = self.config, self.reader_recurrent
        past = (self.text.style_frames - 1) * config.frame_size
        h, widths = config.recurrent_size, (1, self.text.embedding, config.latent_size, past, 1 + config.phi_x[-1])
        return TextState(*(weight.new_zeros(rows, width) for width in (h, h, *widths)))

    def belief(self, state: TextState) -> Normal:
        """Return the distribution of z given the observed frames, [B, Z]: N(0, I) before the first one."""
        count, total = state.summary[..., :1], state.summary[..., 1:]
        found: Normal = self.encoder_head(self.encoder_stack(total / count.clamp(min=1)))
        seen = count > 0
        return Normal(torch.where(seen, found.mean, 0.0), torch.where(seen, found.std, 1.0))

    def summarise(self, frames: Tensor, state: TextState) -> tuple[Tensor, Tensor]:
        """Return phi_x of each of the frames [T, B, F] and those before it, [T, B, S], and the next `past`."""
        count = self.text.style_frames
        before = state.past.unflatten(-1, (count - 1, self.config.frame_size)).movedim(-2, 0)
        chain, length = torch.cat([before, frames]), len(frames)
        several = torch.cat([chain[k : k + length] for k in range(count)], dim=-1)
        features: Tensor = self.phi_x(several)
        return features, chain[length:].movedim(0, -2).flatten(-2)

    def advance(  # type: ignore[override]
        self, frame: Tensor, z_features: Tensor, characters: Tensor, state: TextState
    ) -> tuple[TextState, Tensor]:
        """Advance both layers.

        Parameters
        ----------
        frame : Tensor
            The new frame, [B, F].
        z_features : Tensor
            phi_z(z), [B, .].
        characters : Tensor
            Embeddings of the text, [B, U, E].
        state : TextState
            The state before the frame.

        Returns
        -------
        tuple of TextState and Tensor
            The next state, and the attention [B, U].
        """
        h1, h2 = state.h.split(self.sizes, dim=-1)
        c1, c2 = state.c.split(self.sizes, dim=-1)
        seen = torch.cat([h1, state.window], dim=-1)
        h1, c1 = lstm_cell(self.reader_gates(frame, z_features, seen), c1)
        read = self.window(h1, state.position + START, characters)
        below = torch.cat([frame, read.window, h1], dim=-1)
        h2, c2 = lstm_cell(self.writer_gates(below, z_features, h2), c2)
        new = state._replace(
            h=torch.cat([h1, h2], dim=-1),
            c=torch.cat([c1, c2], dim=-1),
            position=read.position - START,
            window=read.window,
        )
        return new, read.attention

    def reader_gates(self, frame: Tensor, z_features: Tensor, seen: Tensor) -> Tensor:
        """Return the gates of the reader for a frame, phi_z(z), and its old h and window side by side, [B, .] each."""
        return self.reader_from_x(frame) + self.reader_from_z(z_features) + seen @ self.reader_recurrent.t()

    def writer_gates(self, below: Tensor, z_features: Tensor, h: Tensor) -> Tensor:
        """Return the gates of the writer for its input from below, phi_z(z), and its old h, [B, .] each."""
        return self.writer_from_x(below) + self.writer_from_z(z_features) + h @ self.writer_recurrent.t()

    def generate(  # type: ignore[override]
        self,
        state: TextState,
        text: Tensor,
        latent_noise: Tensor,
        output_noise: OutputNoise,
        controls: LatentControls | None = None,
    ) -> TextGeneration:
        """Generate a frame, and advance the state.

        Parameters
        ----------
        state : TextState
            The state before the frame.
        text : Tensor
            Indices of characters, [B, U].
        latent_noise : Tensor
            Standard normal, [B, Z]; used if the state has no noise of the latent yet.
        output_noise : OutputNoise
            Noise and temperatures of the output.
        controls : LatentControls, optional
            Steering of z; none by default.
        """
        noise = torch.where(state.latent == 0, latent_noise, state.latent)
        prior = self.belief(state)
        latent = draw_latent(prior, noise, controls)
        z_features = self.phi_z(latent)
        frame = self.decoder.draw(z_features, state.h, _no_past(state.h), output_noise)
        new, attention = self.advance(frame, z_features, self.window.embed(text), state)
        return TextGeneration(frame, prior, latent, attention, new._replace(latent=noise))

    def decode(self, latent: Tensor, h: Tensor) -> Parameters:
        """Return the parameters of the output distribution for z [..., Z] and the old h [..., H]."""
        decoded: Parameters = self.decoder(self.phi_z(latent), h, _no_past(h))
        return decoded

    def observe(
        self,
        frame: Tensor,
        state: TextState,
        text: Tensor,
        latent_noise: Tensor,
        controls: LatentControls | None = None,
    ) -> TextInference:
        """Observe a frame, and advance the state.

        Parameters
        ----------
        frame : Tensor
            The frame, normalised, [B, F].
        state, text, latent_noise, controls
            As for `generate`.
        """
        features, past = self.summarise(frame.unsqueeze(0), state)
        summary = state.summary + torch.cat([torch.ones_like(frame[..., :1]), features[0]], dim=-1)
        noise = torch.where(state.latent == 0, latent_noise, state.latent)
        seen = state._replace(summary=summary, past=past, latent=noise)
        posterior = self.belief(seen)
        latent = draw_latent(posterior, noise, controls)
        new, attention = self.advance(frame, self.phi_z(latent), self.window.embed(text), seen)
        return TextInference(posterior, latent, attention, new)

    def unroll(  # type: ignore[override]
        self,
        frames: Tensor,
        noise: Tensor,
        state: TextState | None = None,
        shown: Tensor | None = None,
        text: Tensor | None = None,
        mask: Tensor | None = None,
        dropout: Tensor | None = None,
    ) -> TextUnroll:
        """Observe whole lines (teacher forcing).

        Parameters
        ----------
        frames : Tensor
            [T, B, F], normalised.
        noise : Tensor
            Standard normal, [T, B, Z].  z is drawn from the first frame's; in training, the second frame's determines
            how much of a line the encoder reads.
        state : TextState, optional
            The state before the first frame; zeros by default.
        shown : Tensor, optional
            [T, B, F]: frames that both layers read instead of `frames`, such as noisy ones.
        text : Tensor, optional
            Indices of characters, [B, U]; no text by default.
        mask : Tensor, optional
            [T, B], 1 where a frame counts, 0 in the padding; ones by default.
        dropout : Tensor, optional
            [B, H]: factors of h where the writer and the decoder read it, constant in a line (Gal and Ghahramani
            2016); ones by default.
        """
        rows, reader = frames.shape[1], self.sizes[0]
        state = state or self.initial_state(rows)
        text = frames.new_zeros(rows, 1, dtype=torch.long) if text is None else text
        mask = torch.ones_like(frames[..., 0]) if mask is None else mask
        posterior, kl, state = self._infer_line(frames, noise, mask, state)
        latent = posterior.mean + posterior.std * state.latent
        z_features = self.phi_z(latent)
        x = frames if shown is None else shown
        h1, h2 = state.h.split(self.sizes, dim=-1)
        c1, c2 = state.c.split(self.sizes, dim=-1)
        first_h1, first_h2 = h1, h2
        hs, windows, positions, attentions, c1 = ReaderSequence.apply(
            self.reader_from_x(x) + self.reader_from_z(z_features),
            self.reader_recurrent,
            self.window.heads.weight,
            self.window.heads.bias,
            self.window.embed(text),
            h1,
            c1,
            state.window,
            state.position + START,
        )
        h1 = hs if dropout is None else hs * dropout[:, :reader]
        below = torch.cat([x, windows, h1], dim=-1)
        gates = self.writer_from_x(below) + self.writer_from_z(z_features)
        h2s, c2 = LstmSequence.apply(gates, self.writer_recurrent, h2, c2)
        h2 = h2s if dropout is None else h2s * dropout[:, reader:]
        before = [torch.cat([first[None], new[:-1]]) for first, new in ((first_h1, h1), (first_h2, h2))]
        old_h = torch.cat(before, dim=-1)
        decoded = self.decoder(z_features, old_h, _no_past(old_h))
        log_likelihood = self.output.log_prob(decoded, frames)
        last = state._replace(
            h=torch.cat([hs[-1], h2s[-1]], dim=-1),
            c=torch.cat([c1, c2], dim=-1),
            position=positions[-1] - START,
            window=windows[-1],
        )
        kl = functional.pad(kl.unsqueeze(0), (0, 0, 0, len(frames) - 1))
        return TextUnroll(log_likelihood, kl, posterior, latent, positions, attentions, old_h, last)

    def _infer_line(
        self, frames: Tensor, noise: Tensor, mask: Tensor, state: TextState
    ) -> tuple[Normal, Tensor, TextState]:
        """Return q(z | line), its KL [B], and the state that includes the observed frames."""
        if self.training and len(noise) > 1:
            share = SHORTEST_SHARE + (1.6 - SHORTEST_SHARE) * uniform_of(noise[1, :, :1]).squeeze(-1)
            part = torch.arange(len(mask), device=mask.device).unsqueeze(-1) < share * mask.sum(0)
            mask = mask * part
        features, past = self.summarise(frames, state)
        added = torch.cat([mask.sum(0).unsqueeze(-1), (features * mask.unsqueeze(-1)).sum(0)], dim=-1)
        before = self.belief(state)
        held = torch.where(state.latent == 0, noise[0], state.latent)
        state = state._replace(summary=state.summary + added, past=past, latent=held)
        posterior = self.belief(state)
        standard = Normal(torch.zeros_like(posterior.mean), torch.ones_like(posterior.std))
        # So the KLs of the chunks of a line add up to the KL of the last posterior.
        kl = kl_divergence(posterior, standard) - kl_divergence(before, standard)
        return posterior, kl, state


def _no_past(h: Tensor) -> Heard:
    """Return the past that the output of a pen reads: none."""
    return Heard(h[..., :0], h[..., :0])


FAMILIES = {"text-vrnn": TextVRNN}
