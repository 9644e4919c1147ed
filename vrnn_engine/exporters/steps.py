"""A model of any family as a step model: its step in world units, with its controls."""

from typing import Literal

import torch

from vrnn_engine.exporters.protocol import Named, Shape
from vrnn_engine.models.basis import MdctBasis
from vrnn_engine.models.config import ModelConfig
from vrnn_engine.models.noise import OutputNoise
from vrnn_engine.models.recurrent import LatentControls, RecurrentModel, State
from vrnn_engine.models.style import Hand
from vrnn_engine.runtime.voice.manifest import Control, Normalisation


class RecurrentSteps:
    """A trained model behind `vrnn_engine.exporters.protocol.StepModel`.

    Without latents, nothing of them is among its inputs, outputs and controls.

    An MDCT voice carries two more states.  `overlap` [F] is the newest block as far as it is known:
    whole after observing, and the half that the last frame determines after generating.  `pending`
    [1] is 1 where the next observed block completes a frame that the recurrence has not seen yet, as
    it does after observing; it is 0 at the start and after generating, where the recurrence is
    already past that frame, and the observed block only fills `overlap`.  One with an emphasis carries its
    filter's memory as `emphasis`, and one of ink with a style that of its `Hand` as `style`.
    """

    def __init__(
        self,
        model: RecurrentModel,
        rate: int,
        unit: str,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        hand: Hand | None = None,
    ):
        config = model.config
        self._hand = hand
        self.model = model
        self.modality = config.modality
        self.rate, self.unit = rate, unit
        self.frame_size = config.frame_size
        self.basis: Literal["samples", "mdct", "points"] = config.basis
        self.family: str = config.family
        self.normalisation = Normalisation(mean=mean, std=std)
        self._latents = bool(config.latent_size)
        self.controls = self._latent_controls() + output_controls(config) + (style_controls() if hand else ())
        pen = config.modality == "pen"  # whose third column, pen-up, stays as it is
        self._mean = torch.tensor([*mean, 0.0] if pen else mean)
        self._std = torch.tensor([*std, 1.0] if pen else std)

    def step_inputs(self) -> dict[str, Shape]:
        """Names and shapes of what `generate` takes."""
        noise = self._latent_noise() | {"noise.output": (self.frame_size,)}
        if k := self.model.output.mixture_size:
            noise["noise.mixture"] = (k,)
        if self._hand:
            noise["noise.style"] = (self._hand.noise_size,)
        return self._states() | noise | {f"control.{control.name}": control.shape for control in self.controls}

    def observe_inputs(self) -> dict[str, Shape]:
        """Names and shapes of what `observe` takes."""
        controls = {f"control.{control.name}": control.shape for control in self._latent_controls()}
        return self._states() | {"frame": (self.frame_size,)} | self._latent_noise() | controls

    def generate(self, inputs: Named) -> Named:
        """Generate one frame [B, F] in world units, and the next state."""
        noise = OutputNoise(
            inputs["noise.output"],
            inputs.get("noise.mixture"),
            inputs["control.output.temperature"],
            inputs.get("control.mixture.temperature", 1.0),
            inputs.get("control.output.voicing", 0.0),
        )
        old = self._state(inputs)
        made = self.model.generate(old, inputs.get("noise.latent", old.latent), noise, self._steering(inputs))
        basis, frame, carried = self.model.basis, made.frame, {}
        if isinstance(basis, MdctBasis):
            frame, carried["next.overlap"] = basis.synthesise(inputs["state.overlap"], frame)
            carried["next.pending"] = torch.zeros_like(inputs["state.pending"])
        elif basis.emphasis:
            frame, carried["next.emphasis"] = basis.emphasis.undo(frame, inputs["state.emphasis"])
        seen = frame * self._std + self._mean
        if self._hand:
            carried["next.style"] = held = self._hand.draw(inputs["state.style"], inputs["noise.style"])
            style = self._hand.style(held, inputs["control.style.temperature"])
            seen = self._hand.write(seen, style, inputs["control.style.slant"], inputs["control.style.size"])
        return _present(
            {
                **_next(made.state),
                **carried,
                "frame": seen,
                "latent": made.latent,
                "prior.mean": made.prior.mean,
                "prior.std": made.prior.std,
            }
        )

    def observe(self, inputs: Named) -> Named:
        """Observe one frame [B, F] in world units, and give the next state."""
        seen, carried = inputs["frame"], {}
        if self._hand:
            carried["next.style"] = held = self._hand.measure(inputs["state.style"], seen)
            seen = self._hand.read(seen, self._hand.style(held, 0.0))
        block = (seen - self._mean) / self._std
        old = self._state(inputs)
        basis, frame = self.model.basis, block
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
        return _present(
            {
                **_next(state),
                **carried,
                "latent": inferred.latent,
                "prior.mean": prior.mean,
                "prior.std": prior.std,
                "posterior.mean": inferred.posterior.mean,
                "posterior.std": inferred.posterior.std,
                **({"kl": kl} if self._latents else {}),
                "log_likelihood": log_likelihood,
            }
        )

    def _states(self) -> dict[str, Shape]:
        start = self.model.initial_state(1)._asdict()
        states: dict[str, Shape] = {
            f"state.{name}": (value.shape[-1],) for name, value in start.items() if value.shape[-1]
        }
        basis = self.model.basis
        if isinstance(basis, MdctBasis):
            states |= {"state.overlap": (self.frame_size,), "state.pending": (1,)}
        elif basis.emphasis:
            states["state.emphasis"] = (basis.emphasis.memory_size,)
        if self._hand:
            states["state.style"] = (self._hand.state_size,)
        return states

    def _latent_noise(self) -> dict[str, Shape]:
        return {"noise.latent": (self.model.config.latent_size,)} if self._latents else {}

    def _latent_controls(self) -> tuple[Control, ...]:
        return latent_controls(self.model.config.latent_size) if self._latents else ()

    def _steering(self, inputs: Named) -> LatentControls | None:
        if not self._latents:
            return None
        return LatentControls(*(inputs[f"control.latent.{name}"] for name in LatentControls._fields))

    def _state(self, inputs: Named) -> State:
        nothing = inputs["state.h"][..., :0]
        return State(*(inputs.get(f"state.{name}", nothing) for name in State._fields))


def latent_controls(latent_size: int) -> tuple[Control, ...]:
    """Controls of every model with latents."""
    z = (latent_size,)
    return (
        _temperature("latent.temperature", "multiplies the sd of the prior that z is drawn from"),
        _control("latent.shift", z, -10, 10, 0, "added to z, per dimension"),
        _control("latent.hold", z, 0, 1, 0, "how far z is pulled to latent.target, per dimension: 0 not, 1 wholly"),
        _control("latent.target", z, -10, 10, 0, "where latent.hold pulls z to, per dimension"),
    )


def output_controls(config: ModelConfig) -> tuple[Control, ...]:
    """Controls of every output distribution; then what only a mixture has, or a source and a filter."""
    controls = [_temperature("output.temperature", "multiplies the sd of the output distribution")]
    if config.components > 1:
        controls.append(_temperature("mixture.temperature", "how freely a component is chosen: 0 always the likeliest"))
    if config.source_filter:
        controls.append(_control("output.voicing", (1,), -10, 3, 0, "how well a period repeats itself: -10 whispers"))
    return tuple(controls)


def style_controls() -> tuple[Control, ...]:
    """Controls of ink with a style."""
    return (
        _temperature("style.temperature", "how far the style that a stream draws strays from the usual one"),
        _control("style.slant", (1,), -45, 45, 0, "degrees that the ink leans further to the right"),
        _control("style.size", (1,), 0.25, 4, 1, "multiplies the size of the ink"),
    )


def _temperature(name: str, description: str) -> Control:
    return _control(name, (1,), 0, 4, 1, description)


def _control(name: str, shape: Shape, least: float, most: float, default: float, description: str) -> Control:
    return Control(
        name=name,
        shape=shape,
        default=float(default),
        minimum=float(least),
        maximum=float(most),
        description=description,
    )


def _next(state: State) -> Named:
    return {f"next.{name}": value for name, value in state._asdict().items()}


def _present(outputs: Named) -> Named:
    """Leave out what has no width: what the model has not."""
    return {name: value for name, value in outputs.items() if value.dim() == 1 or value.shape[-1]}
