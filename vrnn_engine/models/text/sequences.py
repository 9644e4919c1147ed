"""The two LSTM layers of a text-conditioned model over whole sequences, with gradients in closed form.

Autograd would add up the gradient of a recurrent weight frame by frame.  Here the loop back through time computes only
the gradients of the gates, and the gradient of each weight is one product over all frames.  With fewer small operations
per frame as well, this takes about half the time on one CPU core.  Under autocast, products are computed in the type of
autocast, but cells and attention in fp32.  The step in `vrnn_engine.models.families.text` has the same equations; tests
compare values and gradients of both.
"""

from typing import Any

import torch
from torch import Tensor

from vrnn_engine.models.text.window import CLOSEST, REACH, SPAN


def product_type(device: torch.device) -> torch.dtype:
    """Return the type in which products are computed: that of autocast if it is enabled, else fp32."""
    return torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32


class LstmSequence(torch.autograd.Function):
    """An LSTM layer over T frames; the order of the gates is input, forget, output, candidate.

    `apply(gates, weight, h, c)` takes the contribution of the inputs to the gates [T, B, 4 H], the recurrent weight
    [4 H, H], and the state before the first frame, [B, H] each.  It returns h after each frame [T, B, H] and the last c
    [B, H].  The state before the first frame gets no gradient, and the last c passes none on.
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Compute all frames."""
        kind = product_type(gates.device)
        if weight.dtype == torch.float64:
            kind = torch.float64
        size = h.shape[-1]
        with torch.autocast(gates.device.type, enabled=False):
            w = weight.to(kind).t().contiguous()
            acts = gates.to(weight.dtype, copy=True)
            cells = acts.new_empty(len(acts) + 1, *c.shape)
            shown = acts.new_empty(len(acts) + 1, *h.shape)
            cells[0], shown[0] = c, h
            for t, act in enumerate(acts):
                act += shown[t].to(kind) @ w
                _cell(act, cells[t], cells[t + 1], shown[t + 1], size)
        ctx.save_for_backward(acts, cells, shown, weight)
        ctx.kind, ctx.gates_kind = kind, gates.dtype
        last = cells[-1].clone()
        ctx.mark_non_differentiable(last)
        return shown[1:], last

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Return the gradients of gates and weight."""
        acts, cells, shown, weight = ctx.saved_tensors
        grad_h, kind = grads[0], ctx.kind
        w = weight.to(kind)
        grad_gates = torch.empty(acts.shape, dtype=kind, device=acts.device)
        back_h, back_c = torch.zeros_like(cells[0]), torch.zeros_like(cells[0])
        for t in range(len(acts) - 1, -1, -1):
            back_c = _cell_back(acts[t], cells[t], cells[t + 1], grad_h[t] + back_h, back_c, grad_gates[t])
            back_h = (grad_gates[t] @ w).to(weight.dtype)
        flat = grad_gates.flatten(0, 1)
        grad_weight = (flat.t() @ shown[:-1].flatten(0, 1).to(kind)).to(weight.dtype)
        return grad_gates.to(ctx.gates_kind), grad_weight, None, None


class ReaderSequence(torch.autograd.Function):
    """The first layer, which reads the text: an LSTM over frames and windows, and the attention that it moves.

    `apply(gates, weight, heads, bias, characters, h, c, window, position)` takes the contribution of the frames to the
    gates [T, B, 4 H], the recurrent weight [4 H, H + E] for h and window, weight [3 K + 1, H] and bias of the heads of
    the attention, the embeddings of the text [B, U, E], and the state before the first frame.  It returns h [T, B, H],
    window [T, B, E], position [T, B, 1] and attention [T, B, U] after each frame, and the last c [B, H].  The state
    before the first frame gets no gradient; position, attention and the last c pass none on.
    """

    @staticmethod
    def forward(
        ctx: Any,
        gates: Tensor,
        weight: Tensor,
        heads: Tensor,
        bias: Tensor,
        characters: Tensor,
        h: Tensor,
        c: Tensor,
        window: Tensor,
        position: Tensor,
    ) -> tuple[Tensor, ...]:
        """Compute all frames."""
        kind = torch.float64 if weight.dtype == torch.float64 else product_type(gates.device)
        size, k = h.shape[-1], (len(bias) - 1) // 3
        frames, rows, chars = len(gates), len(h), characters.shape[1]
        with torch.autocast(gates.device.type, enabled=False):
            w, heads_t = weight.to(kind).t().contiguous(), heads.t().contiguous()
            acts = gates.to(weight.dtype, copy=True)
            cells = acts.new_empty(frames + 1, *c.shape)
            shown = acts.new_empty(frames + 1, rows, weight.shape[1])  # h and window side by side
            cells[0] = c
            shown[0, :, :size], shown[0, :, size:] = h, window
            # Softmax weights, tanh of offsets, exp of sharpness, exp of step.
            read = acts.new_empty(frames, rows, 3 * k + 1)
            places = torch.arange(chars, device=acts.device, dtype=acts.dtype)
            positions = acts.new_empty(frames, rows, 1)
            attentions = acts.new_empty(frames, rows, chars)
            for t, act in enumerate(acts):
                act += shown[t].to(kind) @ w
                new = shown[t + 1]
                _cell(act, cells[t], cells[t + 1], new[:, :size], size)
                raw = torch.addmm(bias, new[:, :size], heads_t)
                torch.softmax(raw[:, :k], -1, out=read[t, :, :k])
                torch.tanh(raw[:, k : 2 * k], out=read[t, :, k : 2 * k])
                torch.exp(raw[:, 2 * k :], out=read[t, :, 2 * k :])
                position = torch.add(position, read[t, :, 3 * k :], out=positions[t])
                _, bumps, near = _bumps(read[t], position, places, k)
                attention = torch.bmm(read[t, :, None, :k], bumps).squeeze(1).mul_(near)
                attentions[t] = attention
                new[:, size:] = torch.bmm(attention.unsqueeze(1), characters).squeeze(1)
        ctx.save_for_backward(acts, cells, shown, read, positions, attentions, weight, heads, characters)
        ctx.kind, ctx.gates_kind = kind, gates.dtype
        last = cells[-1].clone()
        ctx.mark_non_differentiable(positions, attentions, last)
        return shown[1:, :, :size], shown[1:, :, size:], positions, attentions, last

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of gates, weight, heads, bias and characters."""
        acts, cells, shown, read, positions, attentions, weight, heads, characters = ctx.saved_tensors
        grad_h, grad_window, kind = grads[0], grads[1], ctx.kind
        size, k = cells.shape[-1], (read.shape[-1] - 1) // 3
        w = weight.to(kind)
        places = torch.arange(characters.shape[1], device=acts.device, dtype=acts.dtype)
        grad_gates = torch.empty(acts.shape, dtype=kind, device=acts.device)
        grad_read = torch.empty_like(read)
        grad_windows = torch.empty_like(shown[1:, :, size:])
        back, back_c = torch.zeros_like(shown[0]), torch.zeros_like(cells[0])
        back_position = torch.zeros_like(positions[0])
        for t in range(len(acts) - 1, -1, -1):
            torch.add(grad_window[t], back[:, size:], out=grad_windows[t])
            raw = grad_read[t]
            away, bumps, near = _bumps(read[t], positions[t], places, k)
            grad_attention = torch.bmm(characters, grad_windows[t].unsqueeze(-1)).squeeze(-1).mul_(near).unsqueeze(-1)
            mix, turn, sharp = read[t, :, :k], read[t, :, k : 2 * k], read[t, :, 2 * k : 3 * k]
            grad_mix = torch.bmm(bumps, grad_attention).squeeze(-1)
            bumps *= away
            first = torch.bmm(bumps, grad_attention).squeeze(-1)
            bumps *= away
            second = torch.bmm(bumps, grad_attention).squeeze(-1) + CLOSEST**2 * grad_mix
            scale = mix * sharp
            grad_centre = -2 * scale * first
            raw[:, :k] = mix * (grad_mix - (mix * grad_mix).sum(-1, keepdim=True))
            raw[:, k : 2 * k] = REACH * (1 - turn * turn) * grad_centre
            raw[:, 2 * k : 3 * k] = -scale * second
            back_position = back_position + grad_centre.sum(-1, keepdim=True)
            raw[:, 3 * k :] = back_position * read[t, :, 3 * k :]
            back_h = torch.addmm(grad_h[t] + back[:, :size], raw, heads)
            back_c = _cell_back(acts[t], cells[t], cells[t + 1], back_h, back_c, grad_gates[t])
            back = (grad_gates[t] @ w).to(weight.dtype)
        flat, flat_read = grad_gates.flatten(0, 1), grad_read.flatten(0, 1)
        grad_weight = (flat.t() @ shown[:-1].flatten(0, 1).to(kind)).to(weight.dtype)
        grad_heads = flat_read.t() @ shown[1:, :, :size].flatten(0, 1)
        grad_characters = torch.bmm(attentions.permute(1, 2, 0), grad_windows.transpose(0, 1))
        grad_bias = flat_read.sum(0)
        return (grad_gates.to(ctx.gates_kind), grad_weight, grad_heads, grad_bias, grad_characters, *[None] * 4)


def _bumps(read: Tensor, position: Tensor, places: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return distances of centres from places, Gaussians there [B, K, U], and which places are near [B, U]."""
    away = (position + REACH * read[:, k : 2 * k]).unsqueeze(-1) - places
    bumps = torch.exp(-read[:, 2 * k : 3 * k].unsqueeze(-1) * (away * away + CLOSEST**2))
    near = ((position - places).abs() < SPAN).to(bumps.dtype)
    return away, bumps, near


def _cell(act: Tensor, c: Tensor, new_c: Tensor, new_h: Tensor, size: int) -> None:
    """Apply the nonlinearities to the gates [B, 4 H] in place, and write the new c and h."""
    act[:, : 3 * size].sigmoid_()
    act[:, 3 * size :].tanh_()
    enter, keep, show, candidate = act.split(size, dim=-1)
    torch.mul(enter, candidate, out=new_c)
    new_c.addcmul_(keep, c)
    new_h.copy_(torch.tanh(new_c).mul_(show))


def _cell_back(act: Tensor, c: Tensor, new_c: Tensor, grad_h: Tensor, grad_c: Tensor, grad_gates: Tensor) -> Tensor:
    """Write the gradient of the gates before their nonlinearities, and return that of the old c."""
    size = c.shape[-1]
    enter, keep, show, candidate = act.split(size, dim=-1)
    tanh_c = torch.tanh(new_c)
    grad_show = grad_h * tanh_c
    grad_c = torch.addcmul(grad_c, grad_h * show, 1 - tanh_c * tanh_c)
    sigmoids = act[:, : 3 * size]
    slope = sigmoids - sigmoids * sigmoids
    to_gates = torch.cat([grad_c * candidate, grad_c * c, grad_show], dim=-1)
    grad_gates[:, : 3 * size] = to_gates.mul_(slope)
    grad_gates[:, 3 * size :] = grad_c * enter * (1 - candidate * candidate)
    return grad_c * keep
