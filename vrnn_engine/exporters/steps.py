"""The step model of a trained model of any family: its step in world units (full scale, mm, ...), with controls."""

import torch
from torch import Tensor

from vrnn_engine.exporters.base_steps import BaseSteps, next_states
from vrnn_engine.exporters.controls import read_output_noise
from vrnn_engine.exporters.protocol import Named, Shape
from vrnn_engine.models.basis import MdctBasis
from vrnn_engine.models.recurrent import Inference, RecurrentModel, State
from vrnn_engine.models.source_filter import Heard
from vrnn_engine.runtime.voice.manifest import OWN, OWN_FRAME


class RecurrentSteps(BaseSteps[RecurrentModel]):
    """A trained model that implements `vrnn_engine.exporters.protocol.StepModel`.

    A model without latents has no inputs, outputs and controls for latents.

    Besides the states of the model and the style, there may be these states:

    - `overlap` [F] (MDCT): after observing, the newest block; after generating, the part of the next block that the
      last frame determines.
    - `pending` [1] (MDCT): 1 after observing: the next observed block completes a frame that the recurrence has not
      read.  0 at the start and after generating: the recurrence has already read that frame, and an observed block only
      fills `overlap`.
    - `emphasis`: the memory of the emphasis filter and its inverse.
    - `own.NAME` (only to resynthesise): the state NAME of the generated sound, where it differs from that of the sound
      that is heard.

    The parameters are those of `BaseSteps`.
    """

    def generate(self, inputs: Named) -> Named:
        """Generate a frame [B, F] in world units.

        Parameters
        ----------
        inputs : dict of str to Tensor
            Named as in `step_inputs`, with a batch axis B first.

        Returns
        -------
        dict of str to Tensor
            `frame`, `latent`, `prior.mean`, `prior.std` and the next state, `next.NAME`.
        """
        old, noise = self._state(inputs), read_output_noise(inputs, self._output_controls)
        made = self.model.generate(old, inputs.get("noise.latent", old.latent), noise, self._steering(inputs))
        frame, carried = self._signal(made.frame, inputs, "")
        seen, style = self._to_world(frame, inputs)
        return _present(
            {
                **next_states(made.state._asdict()),
                **carried,
                **style,
                "frame": seen,
                "latent": made.latent,
                "prior.mean": made.prior.mean,
                "prior.std": made.prior.std,
            }
        )

    def observe(self, inputs: Named) -> Named:
        """Observe a frame [B, F] in world units.

        Parameters
        ----------
        inputs : dict of str to Tensor
            Named as in `observe_inputs`, with a batch axis B first.

        Returns
        -------
        dict of str to Tensor
            `latent`, `prior.mean`, `prior.std`, `posterior.mean`, `posterior.std`, `kl`, `log_likelihood` and the next
            state, `next.NAME`.
        """
        return self._infer(inputs)[0]

    def resynthesis_inputs(self) -> dict[str, Shape]:
        """Return the names and shapes, without the batch, of the inputs of `resynthesise`.

        There are none for ink, whose style follows what is observed, and for a model without latents.
        """
        if not self._latent_controls or self.modality != "audio":
            return {}
        observed = self.observe_inputs()
        signal = {name: shape for name, shape in observed.items() if name == "state.past"} | self._signal_states()
        own = {name.replace("state.", f"state.{OWN}", 1): shape for name, shape in signal.items()}
        return self.step_inputs() | observed | own

    def resynthesise(self, inputs: Named) -> Named:
        """Observe a frame [B, F] in world units, and draw another from its latent and from the state that observed.

        Parameters
        ----------
        inputs : dict of str to Tensor
            Named as in `resynthesis_inputs`, with a batch axis B first.

        Returns
        -------
        dict of str to Tensor
            What `observe` returns, the frame that is drawn, `own.frame`, and the next state of its signal.
        """
        outputs, inferred = self._infer(inputs)
        old, noise = self._state(inputs), read_output_noise(inputs, self._output_controls)
        past = inputs.get(f"state.{OWN}past", old.past)
        drawn = self.model.decoder.draw(inferred.z_features, old.h, Heard(past, old.periodicity), noise)
        frame, carried = self._signal(drawn, inputs, OWN)
        if past.shape[-1]:
            carried[f"next.{OWN}past"] = self.model.append_frame(drawn, past)
        return {**outputs, **carried, OWN_FRAME: self._to_world(frame, inputs)[0]}

    def _infer(self, inputs: Named) -> tuple[Named, Inference]:
        """Return the outputs of `observe`, and what the model infers."""
        block, style = self._from_world(inputs)
        old = self._state(inputs)
        basis, frame, carried = self.model.basis, block, {}
        if isinstance(basis, MdctBasis):
            frame, carried["next.overlap"] = basis.analyse(inputs["state.overlap"], block), block
        elif basis.emphasis:
            frame, carried["next.emphasis"] = basis.emphasis(block, inputs["state.emphasis"])
        noise = inputs.get("noise.latent", old.latent)
        inferred = self.model.infer(self.model.features(frame, old.past), old, noise, self._steering(inputs))
        prior, kl, log_likelihood, _ = self.model.score(frame, inferred, old)
        state = inferred.state
        if isinstance(basis, MdctBasis):
            pending = inputs["state.pending"]
            state = State(*(torch.where(pending > 0, new, same) for new, same in zip(state, old, strict=True)))
            counts = pending.squeeze(-1)
            kl, log_likelihood = kl * counts, log_likelihood * counts
            carried["next.pending"] = torch.ones_like(pending)
        outputs = {
            **next_states(state._asdict()),
            **carried,
            **style,
            "latent": inferred.latent,
            "prior.mean": prior.mean,
            "prior.std": prior.std,
            "posterior.mean": inferred.posterior.mean,
            "posterior.std": inferred.posterior.std,
            **({"kl": kl} if self._latent_controls else {}),
            "log_likelihood": log_likelihood,
        }
        return _present(outputs), inferred

    def _signal(self, frame: Tensor, inputs: Named, whose: str) -> tuple[Tensor, Named]:
        """Return a drawn frame [B, F] as a part of the normalised signal, and the next state of the basis.

        `whose` begins the names of these states: nothing, or `OWN`.
        """
        basis = self.model.basis
        if isinstance(basis, MdctBasis):
            frame, overlap = basis.synthesise(inputs[f"state.{whose}overlap"], frame)
            pending = torch.zeros_like(inputs[f"state.{whose}pending"])
            return frame, {f"next.{whose}overlap": overlap, f"next.{whose}pending": pending}
        if basis.emphasis:
            frame, memory = basis.emphasis.undo(frame, inputs[f"state.{whose}emphasis"])
            return frame, {f"next.{whose}emphasis": memory}
        return frame, {}

    def _signal_states(self) -> dict[str, Shape]:
        basis = self.model.basis
        if isinstance(basis, MdctBasis):
            return {"state.overlap": (self.frame_size,), "state.pending": (1,)}
        return {"state.emphasis": (basis.emphasis.memory_size,)} if basis.emphasis else {}

    def _state(self, inputs: Named) -> State:
        nothing = inputs["state.h"][..., :0]
        return State(*(inputs.get(f"state.{name}", nothing) for name in State._fields))


def _present(outputs: Named) -> Named:
    """Return the outputs except those of width 0, which stand for quantities that the model does not have."""
    return {name: value for name, value in outputs.items() if value.dim() == 1 or value.shape[-1]}
